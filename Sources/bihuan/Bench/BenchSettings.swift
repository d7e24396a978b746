import ArgumentParser
import Foundation

/// What `bihuan bench` can measure.
enum BenchName: String, CaseIterable, ExpressibleByArgument, Sendable {
    case intake, routing, feedback, loop, latency, worker
    /// Takes long, and is run only when asked for.
    case soak

    static let usual: [BenchName] = allCases.filter { $0 != .soak }
}

/// How it is measured.
struct BenchSettings: Sendable {
    /// Reports of a round.
    var count = 20_000
    /// Rounds that count; one more comes first, to warm up.
    var rounds = 3
    /// As `lane.batchSizeMax` and `lane.lanes`; the configuration's own where nil.
    var batch: Int?
    var lanes: Int?
    /// Reports a second where latencies are measured; each bench has its own where nil.
    var rate: Double?
    /// How long an idle worker is watched.
    var idleSeconds = 10.0
    /// The program that is run as worker.
    var executable = LocalOffice.ownExecutable
    var isCancelled: @Sendable () -> Bool = { false }

    /// Of the reports of a round, those that are not measured because the workers have only just started.
    static let startingShare = 0.05
    static let warmUpCountMax = 5_000
    /// Latencies are measured for so long, unless the reports are used up before.
    static let latencySeconds = 15.0
    /// Reports a second in bench `latency`.
    static let latencyRate = 100.0
    /// Without any arrival for so long, a round is given up.
    static let patienceSeconds = 60.0
}
