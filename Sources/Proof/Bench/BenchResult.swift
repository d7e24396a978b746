import AuditStore
import CaseStore

/// What one round showed. What is said of a report is said of what the round counts: registered reports in `intake`,
/// handoffs that reached their unit in `routing`, closed loops in `feedback` and `loop`.
package struct RoundResult: Sendable {
    var perSecond: Double
    var count: Int
    /// Processor microseconds per report, by who used them.
    var cpuMicroseconds: [String: Double] = [:]
    /// Per worker, in MiB, at the end of the round.
    var anonymousMiB: [String: Double] = [:]
    /// Rows written per report, by table; and the index entries that go with them.
    var costs = WriteCosts()
    /// What arrived at others, by type.
    var arrived: [String: Int] = [:]
}

/// What the database wrote per report.
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

    /// An inserted row has an entry in each index of its table, and so has each version of a row that could not stay in
    /// place.
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

/// What all rounds of one bench showed.
package struct BenchResult: Sendable {
    package var name: BenchName
    package var rounds: [RoundResult] = []
    var latencyRounds: [Latencies] = []
    /// Reports a second while latencies were measured.
    var latencyRate: Double?
    package var settings: [String: String] = [:]
    /// What a worker process is as a service.
    package var service: [String: ServiceFigures] = [:]
    /// Memory while messages went by.
    var soak: [SoakSample] = []
    /// Reports that were in the ledger before.
    package var scale = 0
    /// Reports a second of the bare C program, by round.
    var floorRates: [Double] = []
    /// Why there are none.
    package var floorProblem: String?

    /// The office's rate as a share of the floor's.
    var floorRatio: Double? {
        guard !floorRates.isEmpty, let perSecond else { return nil }
        let floor = Spread(floorRates).median
        return floor > 0 ? perSecond.median / floor : nil
    }

    package var perSecond: Spread? { rounds.isEmpty ? nil : Spread(rounds.map(\.perSecond)) }

    /// Of all rounds together; `nil` where none was measured.
    var latencies: Latencies? {
        guard var all = latencyRounds.first else { return nil }
        for latencies in latencyRounds.dropFirst() { all.add(latencies) }
        return all
    }

    /// What so many percent stayed below in each round, in milliseconds.
    func latency(percentile percent: Double) -> Spread? {
        latencyRounds.isEmpty ? nil : Spread(latencyRounds.map { $0.milliseconds(percentile: percent) })
    }

    /// Over the rounds, of something that each has.
    func spread(_ value: (RoundResult) -> Double) -> Spread? { rounds.isEmpty ? nil : Spread(rounds.map(value)) }

    /// Over the rounds, of something that each has by name.
    func spreads(_ values: (RoundResult) -> [String: Double]) -> [String: Spread] {
        let all = rounds.map(values)
        return Set(all.flatMap(\.keys)).reduce(into: [:]) { spreads, key in
            spreads[key] = Spread(all.map { $0[key] ?? 0 })
        }
    }

    func medians(_ values: (RoundResult) -> [String: Double]) -> [String: Double] {
        spreads(values).mapValues(\.median)
    }

    /// Workers that became larger in the soak.
    package var grown: [SoakSample.Growth] { SoakSample.growth(soak).filter(\.isGrowth) }
}
