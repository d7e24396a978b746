package import Basics
import Foundation
import Terminal
package import Witness

/// The record of a run on a cluster: `cluster.json` in the office's directory.
package struct ClusterRecord: DisturbedRun {
    package static let fileName = "cluster.json"

    /// The longest time for which a disturbance may stop the office.
    package static let pauseSecondsMax = 30.0

    package struct Trial: Codable, Sendable {
        var what: String
        /// How long the disturbance took to make, how long it stayed so, and how long until everything was whole.
        var seconds: [Double]
        package var pause: PauseMeter.Pause

        package init(what: String, seconds: [Double], pause: PauseMeter.Pause) {
            (self.what, self.seconds, self.pause) = (what, seconds, pause)
        }
    }

    package var seed: UInt64
    var rate: Double
    var daysPerSecond: Double
    package var began: Instant
    package var ended: Instant
    package var receivedAround: Instant
    package var reports = 0
    var seconds = 0.0
    package var trials: [Trial] = []
    package var trialsPlanned = 0
    /// The queues of the office, and those whose leader was on a node when it was stopped.
    package var queues = 0
    package var queuesThatLostTheirLeader = 0
    /// What the cluster said of itself before the first disturbance and after the last.
    package var states: [String] = []
    package var failures: [String] = []
    package var interruptions: [String] = []
    package var isQuiet = false

    package init(
        seed: UInt64, rate: Double, daysPerSecond: Double, began: Instant, receivedAround: Instant
    ) {
        (self.seed, self.rate, self.daysPerSecond) = (seed, rate, daysPerSecond)
        (self.began, ended, self.receivedAround) = (began, began, receivedAround)
    }

    package var command: String {
        "bihuan-lab cluster --seed \(seed) --rate \(Self.word(rate)) --days-per-second \(Self.word(daysPerSecond))"
    }

    package var lines: [CheckedLine] {
        let longest = trials.map(\.pause.longest).max() ?? .infinity
        return [
            CheckedLine(
                text: "disturbances made: \(trials.count) of \(trialsPlanned), that could not be: \(failures.count)",
                holds: trialsPlanned > 0 && trials.count == trialsPlanned && failures.isEmpty),
            CheckedLine(
                text: String(format: "longest pause %.1f s, at most %.0f s", longest, Self.pauseSecondsMax),
                holds: longest <= Self.pauseSecondsMax),
            CheckedLine(
                text: "queues that lost the node of their leader: \(queuesThatLostTheirLeader) of \(queues)",
                holds: queues > 0 && queuesThatLostTheirLeader == queues),
            CheckedLine(
                text: "leaders balanced, three members of each queue, a synchronous standby, before and after",
                holds: states.count == 2),
            CheckedLine(text: "reports submitted: \(reports)", holds: reports > 0),
            CheckedLine(text: "queues, outbox and held messages emptied", holds: isQuiet),
        ]
    }

    package var story: [String] {
        var grid = Grid([
            .text("disturbed for seconds"), .number("held"), .number("whole after"), .number("no report accepted"),
            .number("no loop concluded"),
        ])
        for trial in trials {
            grid.add(
                [trial.what]
                    + (trial.seconds.suffix(2) + [trial.pause.accepted, trial.pause.concluded]).map {
                        String(format: "%.1f", $0)
                    })
        }
        return [
            String(
                format: "seed %llu: %d reports at %.0f/s for %.0f s", seed, reports, Double(reports) / max(1, seconds),
                seconds)
        ] + states + grid.lines()
    }

    private static func word(_ number: Double) -> String {
        number == number.rounded() ? String(format: "%.0f", number) : "\(number)"
    }
}
