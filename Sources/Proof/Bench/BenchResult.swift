import AuditStore
import CaseStore

/// The result of one round. Figures per report refer to the objects that the round counts: registered reports in
/// `intake`, handoffs that reached their unit in `routing`, closed loops in `feedback` and `loop`.
package struct RoundResult: Sendable {
    var perSecond: Double
    var count: Int
    /// Processor microseconds per report, by process.
    var cpuMicroseconds: [String: Double] = [:]
    /// Anonymous memory by worker, in MiB, at the end of the round.
    var anonymousMiB: [String: Double] = [:]
    /// Rows written per report, by table, and their index entries.
    var costs = WriteCosts()
    /// The messages that arrived at parties, by type.
    var arrived: [String: Int] = [:]
}

/// The database's writes per report.
struct WriteCosts: Sendable, Equatable {
    var inserted: [String: Double] = [:]
    var updated: [String: Double] = [:]
    var deleted: [String: Double] = [:]
    var indexEntries = 0.0
    var logBytes = 0.0

    var rowsInserted: Double { inserted.values.reduce(0, +) }
    var rowsUpdated: Double { updated.values.reduce(0, +) }
    var rowsDeleted: Double { deleted.values.reduce(0, +) }

    init() {}

    /// The difference of two readings. An inserted row has an entry in each index of its table, and so has each
    /// row version that was not a heap-only update.
    init(from before: [TableWrites], to after: [TableWrites], logBytes: Int64, reports: Int) {
        let earlier = Dictionary(before.map { ($0.table, $0) }) { first, _ in first }
        let share = 1 / Double(max(1, reports))
        for table in after {
            let old = earlier[table.table]
            let (inserts, updates) = (table.inserted - (old?.inserted ?? 0), table.updated - (old?.updated ?? 0))
            let deletes = table.deleted - (old?.deleted ?? 0)
            let moved = updates - (table.updatedInPlace - (old?.updatedInPlace ?? 0))
            if inserts > 0 { inserted[table.table] = Double(inserts) * share }
            if updates > 0 { updated[table.table] = Double(updates) * share }
            if deletes > 0 { deleted[table.table] = Double(deletes) * share }
            indexEntries += Double((inserts + moved) * table.indexes) * share
        }
        self.logBytes = Double(logBytes) * share
    }
}

/// The results of all rounds of one bench.
package struct BenchResult: Sendable {
    package var name: BenchName
    package var rounds: [RoundResult] = []
    var latencyRounds: [Latencies] = []
    /// Reports a second during the measurement of latencies.
    var latencyRate: Double?
    package var settings: [String: String] = [:]
    /// The figures of a worker process as a service, by worker.
    package var service: [String: ServiceFigures] = [:]
    /// The memory of the workers during the soak.
    var soak: [SoakSample] = []
    /// What an idle office costs, by the number of its units.
    var parties: [PartiesFigures] = []
    /// What other parties notice while two units flood the office.
    var flood: FloodFigures?
    /// The reports in the ledger at the start.
    package var scale = 0
    /// Reports a second of the bare C program, by round.
    var floorRates: [Double] = []
    /// Why the floor has no rates.
    package var floorProblem: String?

    /// The office's rate as a share of the floor's.
    var floorRatio: Double? {
        guard !floorRates.isEmpty, let perSecond else { return nil }
        let floor = Spread(floorRates).median
        return floor > 0 ? perSecond.median / floor : nil
    }

    package var perSecond: Spread? { rounds.isEmpty ? nil : Spread(rounds.map(\.perSecond)) }

    /// The latencies of all rounds together; `nil` if none was measured.
    var latencies: Latencies? {
        guard var all = latencyRounds.first else { return nil }
        for latencies in latencyRounds.dropFirst() { all.add(latencies) }
        return all
    }

    /// The latency that `percent` of the messages did not exceed, by round, in milliseconds.
    func latency(percentile percent: Double) -> Spread? {
        latencyRounds.isEmpty ? nil : Spread(latencyRounds.map { $0.milliseconds(percentile: percent) })
    }

    /// The spread over the rounds of a value that each has.
    func spread(_ value: (RoundResult) -> Double) -> Spread? { rounds.isEmpty ? nil : Spread(rounds.map(value)) }

    /// The spreads over the rounds of values that each has by name.
    func spreads(_ values: (RoundResult) -> [String: Double]) -> [String: Spread] {
        let all = rounds.map(values)
        return Set(all.flatMap(\.keys)).reduce(into: [:]) { spreads, key in
            spreads[key] = Spread(all.map { $0[key] ?? 0 })
        }
    }

    func medians(_ values: (RoundResult) -> [String: Double]) -> [String: Double] {
        spreads(values).mapValues(\.median)
    }

    /// The workers that grew in the soak.
    package var grown: [SoakSample.Growth] { SoakSample.growth(soak).filter(\.isGrowth) }
}
