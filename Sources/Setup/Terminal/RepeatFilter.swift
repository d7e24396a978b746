import Basics
import Synchronization

/// Keeps a line that is said over and over, as while a server is away, to one a minute; how often it came is said with
/// the next.
final class RepeatFilter: Sendable {
    /// Within which a line is the same one.
    private static let interval = Duration.seconds(60)
    private static let linesMax = 200

    private struct Seen {
        var text: String
        var saidAt: ContinuousClock.Instant
        /// How often it came since it was said.
        var count = 0
    }
    private let seen = Mutex<[String: Seen]>([:])

    /// What is to be written now that a line came.
    /// - Parameter key: what makes it the same line as another; `text` may differ from it in numbers.
    func take(_ key: String, _ text: String, at now: ContinuousClock.Instant = .now) -> [String] {
        seen.withLock { seen in
            var lines = Self.over(&seen, except: key, at: now)
            if var same = seen[key], now - same.saidAt < Self.interval {
                same.count += 1
                same.text = text
                seen[key] = same
            } else {
                lines.append(Self.line(text, seen[key]?.count ?? 0))
                seen[key] = Seen(text: text, saidAt: now)
            }
            return lines
        }
    }

    /// What was counted and not said yet.
    func rest() -> [String] {
        seen.withLock { seen in
            defer { seen = [:] }
            return seen.values.filter { $0.count > 0 }.sorted { $0.saidAt < $1.saidAt }.map {
                Self.line($0.text, $0.count)
            }
        }
    }

    /// Lines whose minute is over: said if they came again meanwhile, forgotten in any case.
    private static func over(
        _ seen: inout [String: Seen], except key: String, at now: ContinuousClock.Instant
    ) -> [String] {
        let isFull = seen.count >= linesMax
        let old = seen.filter { $0.key != key && (isFull || now - $0.value.saidAt >= interval) }
        for key in old.keys { seen[key] = nil }
        return old.values.filter { $0.count > 0 }.sorted { $0.saidAt < $1.saidAt }.map { line($0.text, $0.count) }
    }

    private static func line(_ text: String, _ count: Int) -> String { count > 0 ? "\(text) repeated=\(count)" : text }
}
