import Contract
package import Foundation
import PartyClient

/// How long nothing came out of the office, as its sources and units saw it.
package struct PauseMeter: Sendable {
    /// The longest time, in seconds, in which no source heard that a report was accepted, and in which no unit heard
    /// that its conclusion was.
    package struct Pause: Codable, Hashable, Sendable {
        package var accepted: Double
        package var concluded: Double

        package init(accepted: Double, concluded: Double) {
            (self.accepted, self.concluded) = (accepted, concluded)
        }

        package var longest: Double { max(accepted, concluded) }
    }

    /// Wall-clock microseconds, in order.
    private var accepted: [Int64] = []
    private var concluded: [Int64] = []

    /// Reads the journals of sources and units.
    package init(journals: URL) throws {
        for file in try JournalFolder.files(in: journals) {
            try JournalReader(file: file).read { entry in
                guard entry.fact == .delivered else { return }
                if entry.type == MessageType.reportAccepted.rawValue { accepted.append(entry.at) }
                if entry.type == MessageType.conclusionAccepted.rawValue { concluded.append(entry.at) }
            }
        }
        accepted.sort()
        concluded.sort()
    }

    /// How many loops were concluded so far.
    package var concludedCount: Int { concluded.count }

    /// The longest pauses that touch a span of time. A pause that goes on at its end is counted up to there.
    package func pause(from: Int64, to: Int64) -> Pause {
        Pause(accepted: Self.longest(accepted, from, to), concluded: Self.longest(concluded, from, to))
    }

    private static func longest(_ times: [Int64], _ from: Int64, _ to: Int64) -> Double {
        let first = times.last { $0 <= from } ?? from
        let seen = [first] + times.filter { $0 > from && $0 < to } + [times.first { $0 >= to } ?? to]
        return zip(seen, seen.dropFirst()).map { Double($1 - $0) / 1_000_000 }.max() ?? 0
    }
}
