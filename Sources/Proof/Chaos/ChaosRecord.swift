package import Basics
import Casework
import Foundation
package import Witness

/// The record of a run for its judge, beside tables and journals: `chaos.json` in the office's directory.
package struct ChaosRecord: DisturbedRun {
    package static let fileName = "chaos.json"

    package var seed: UInt64
    var minutes: Double
    var killsPlanned: Int
    /// Reports a second; `nil` if the load followed the office.
    var rate: Double?
    var daysPerSecond: Double
    /// The only kinds of disturbance that were planned; empty: all.
    var only: [String] = []
    /// Wall time, from before the workers' start until everything had settled.
    package var began: Instant
    package var ended: Instant
    /// The business time around which the corpus's reports were received.
    package var receivedAround: Instant
    package var reports = 0
    var seconds = 0.0
    var kills = 0
    var killedAnother = 0
    var killedByWorker: [String: Int] = [:]
    /// How often each other disturbance was planned and done.
    var othersPlanned: [String: Int] = [:]
    var others: [String: Int] = [:]
    package var failures: [String] = []
    package var interruptions: [String] = []
    var restarts = 0
    var durability: [String] = []
    /// Durability problems after the last disturbance.
    var durabilityProblems: [String] = []
    /// Whether queues, outbox and deferred messages became empty in time.
    var isQuiet = false

    /// The command that repeats the run.
    package var command: String {
        func word(_ number: Double) -> String {
            number == number.rounded() ? String(format: "%.0f", number) : "\(number)"
        }
        let rate = rate.map { " --rate \(word($0))" } ?? ""
        let only = only.map { " --only \($0.contains(" ") ? "'\($0)'" : $0)" }.joined()
        let rest = "\(only) --seed \(seed)\(rate) --days-per-second \(word(daysPerSecond))"
        return "bihuan-lab chaos --minutes \(word(minutes)) --kills \(killsPlanned)\(rest)"
    }

    /// The statements that must hold for the run itself, before the office is judged.
    package var lines: [CheckedLine] {
        let byKind = othersPlanned.sorted { $0.key < $1.key }.map {
            "\($0.key) \(others[$0.key, default: 0]) of \($0.value)"
        }
        return [
            CheckedLine(
                text: "kills done: \(kills) of \(killsPlanned) planned, each of a worker that held work",
                holds: kills == killsPlanned),
            CheckedLine(
                text:
                    """
                    other disturbances done: \(others.values.reduce(0, +)) of \
                    \(othersPlanned.values.reduce(0, +)) planned:\u{20}
                    """
                        + byKind.joined(separator: ", "),
                holds: !othersPlanned.isEmpty && othersPlanned.allSatisfy { others[$0.key, default: 0] >= $0.value }),
            CheckedLine(text: "disturbances that could not be made: \(failures.count)", holds: failures.isEmpty),
            CheckedLine(
                text: "settings, queues and messages durable after the last disturbance too"
                    + (durabilityProblems.isEmpty ? "" : ": no: " + durabilityProblems.joined(separator: "; ")),
                holds: durabilityProblems.isEmpty),
            CheckedLine(text: "reports submitted: \(reports)", holds: reports > 0),
            CheckedLine(text: "queues, outbox and held messages emptied", holds: isQuiet),
        ]
    }

    /// A description of the run.
    package var story: [String] {
        let killed = killedByWorker.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let left = Disturbance.Kind.allCases.filter { $0 != .kill && othersPlanned[$0.rawValue] == nil }.map(\.rawValue)
        return [
            """
            seed \(seed): \(reports) reports at \(String(format: "%.0f", Double(reports) / max(1, seconds)))/s \
            for \(String(format: "%.0f", seconds)) s
            """,
            """
            workers killed \(kills) (\(killed)), of them \(killedAnother) others than planned; started again \
            \(restarts)
            """,
        ] + (left.isEmpty ? [] : ["for want of time or rights not part of it: \(left.joined(separator: ", "))"])
            + durability
    }
}
