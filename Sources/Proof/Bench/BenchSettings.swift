import ArgumentParser
import Foundation
import Installation

/// What `bihuan-lab bench` can measure.
package enum BenchName: String, CaseIterable, ExpressibleByArgument, Sendable {
    case intake, routing, feedback, loop, latency, worker
    /// Takes long, and is run only when asked for.
    case soak

    package static let usual: [BenchName] = allCases.filter { $0 != .soak }
}

/// How it is measured.
package struct BenchSettings: Sendable {
    /// Reports of a round.
    package var count = 20_000
    /// Rounds that count; one more comes first, to warm up.
    package var rounds = 3
    /// As `lane.batchSizeMax` and `lane.lanes`; the configuration's own where nil.
    package var batch: Int?
    package var lanes: Int?
    /// Reports a second where latencies are measured; each bench has its own where nil.
    package var rate: Double?
    /// How long an idle worker is watched.
    var idleSeconds = 10.0
    /// The program that is run as worker.
    package var executable = Executable.bihuan
    package var isCancelled: @Sendable () -> Bool = { false }

    package init() {}

    /// Of the reports of a round, those that are not measured because the workers have only just started.
    static let startingShare = 0.05
    static let warmUpCountMax = 5_000
    /// Latencies are measured for so long, unless the reports are used up before.
    static let latencySeconds = 15.0
    /// Reports a second in bench `latency`.
    static let latencyRate = 100.0
    /// Without any arrival for so long, a round is given up.
    package static let patienceSeconds = 60.0
}
