import Basics
import Synchronization

/// Limits a repeated log line, for example while a server is away, to one a minute. The next line carries the
/// number of repeats.
final class RepeatFilter: Sendable {
    /// The time within which equal lines count as repeats.
    private static let interval = Duration.seconds(60)
    private static let linesMax = 200

    private struct Seen {
        var text: String
        var saidAt: ContinuousClock.Instant
        /// The repeats since the line was written.
        var count = 0
    }
    private let seen = Mutex<[String: Seen]>([:])

    /// The lines to write for a new line.
    /// - Parameter key: identifies equal lines; `text` may differ from it in numbers.
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

    /// Lines with repeats that are not written yet.
    func rest() -> [String] {
        seen.withLock { seen in
            defer { seen = [:] }
            return seen.values.filter { $0.count > 0 }.sorted { $0.saidAt < $1.saidAt }.map {
                Self.line($0.text, $0.count)
            }
        }
    }

    /// Removes the lines whose minute is over, or all other lines if there are too many; returns those repeated.
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
