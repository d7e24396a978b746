import ArgumentParser
import Foundation
import Installation

/// The benches of `bihuan-lab bench`.
package enum BenchName: String, CaseIterable, ExpressibleByArgument, Sendable {
    case intake, routing, feedback, loop, latency, worker
    /// These take long, and run only on request.
    case flood, parties, soak

    package static let usual: [BenchName] = allCases.filter { ![.flood, .parties, .soak].contains($0) }
}

/// The settings of a measurement.
package struct BenchSettings: Sendable {
    /// Reports per round.
    package var count = 20_000
    /// Counted rounds; one more comes first, to warm up.
    package var rounds = 3
    /// `lane.batchSizeMax` and `lane.lanes`; nil for those of the configuration.
    package var batch: Int?
    package var lanes: Int?
    /// Reports a second for latencies; nil for the bench's own rate.
    package var rate: Double?
    /// The time for which an idle worker is measured.
    var idleSeconds = 10.0
    /// The program of the workers.
    package var executable = Executable.bihuan
    package var isCancelled: @Sendable () -> Bool = { false }

    package init() {}

    /// The share of a round's reports that is not measured, because the workers have only just started.
    static let startingShare = 0.05
    static let warmUpCountMax = 5_000
    /// The time for which latencies are measured, unless the reports are used up earlier.
    static let latencySeconds = 15.0
    /// Reports a second in bench `latency`.
    static let latencyRate = 100.0
    /// Reports a second, seconds of each phase, and messages of all units that flood, in bench `flood`.
    static let floodRate = 40.0
    static let floodSeconds = 40.0
    static let floodMessages = 500_000
    /// How long the answers of the others are waited for after the flood.
    static let floodPatienceSeconds = 60.0
    /// Units that bench `parties` adds.
    static let partiesMore = 992
    /// A round is given up after this time without any arrival.
    package static let patienceSeconds = 60.0
}
