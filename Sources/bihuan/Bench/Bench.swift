import AMQP
import CaseStore
import Casework
import Contract
import Demo
import Foundation
import PostgreSQL

/// Everything that the benches of one run share: the office, the reports not yet used, and the way a round is measured.
final class Bench: @unchecked Sendable {
    let office: BenchOffice
    let settings: BenchSettings
    var corpus: CorpusSupply
    let sample = SampleOffice.standard
    /// How many reports the ledger was filled with.
    private var scale = 0
    private var progress = ProgressLine()

    init(_ office: BenchOffice, _ settings: BenchSettings) throws {
        self.office = office
        self.settings = settings
        corpus = try CorpusSupply(office)
    }

    /// What is measured over several rounds; nothing is measured unless it is durable.
    func run(_ name: BenchName) throws -> BenchResult {
        var result = BenchResult(name: name)
        result.scale = scale
        result.settings = try checkDurability()
        switch name {
        case .intake: try intake(&result)
        case .routing: try routing(&result)
        case .feedback: try feedback(&result)
        case .loop: try loop(&result)
        case .latency: try latency(&result)
        case .worker: try worker(&result)
        case .soak: try soak(&result)
        }
        // The floor's own database is empty: with more in the ledger the two would not be the same work.
        if scale == 0, [.intake, .loop].contains(name), let folder = settings.floor {
            if let floor = try Floor(folder: folder, office, settings) {
                note("\(name.rawValue): the floor")
                result.floorRates = try floor.rates(of: name)
            } else {
                note("the floor is not measured: there is no \(folder.path)/Makefile")
            }
        }
        return result
    }

    /// Fills the ledger until it holds so many reports.
    func fill(to scale: Int) throws {
        guard scale > 0 else { return }
        let began = ContinuousClock.now
        note("filling the ledger with \(scale) reports")
        let fill = try LedgerFill(office, &corpus, upTo: scale)
        try fill.fill(to: scale, isCancelled: settings.isCancelled) { progress.draw("\($0) of \(scale)", share: Double($0) / Double(scale)) }
        self.scale = scale
        note(String(format: "the ledger holds %d reports after %.0f s", scale, (ContinuousClock.now - began).inSeconds))
    }

    func checkDurability() throws -> [String: String] {
        let database = try office.worker()
        defer { database.close() }
        var settings = try Durability.check(database)
        let broker = try AMQP.Connection(office.operatorBroker("check"))
        defer { broker.close() }
        let definitions = Definitions(
            virtualHost: office.configuration.broker.virtualHost, units: sample.units.map(\.id), sources: sample.sources.map(\.id),
            persons: sample.persons.map(\.id), users: [])
        try Durability.check(broker, definitions.file().queues)
        settings["queues"] = "quorum"
        settings["messages"] = "persistent, confirmed"
        return settings
    }

    /// One round to warm up, then those that count.
    func rounds(of result: inout BenchResult, _ round: (_ count: Int) throws -> RoundResult) throws {
        let transaction = (settings.batch ?? office.configuration.lane.batchSizeMax) * (settings.lanes ?? office.configuration.lane.lanes)
        if settings.count < 20 * transaction {
            note("\(settings.count) reports are \(settings.count / transaction) transactions of each lane: too few for a rate to mean much")
        }
        note("\(result.name.rawValue): warming up")
        _ = try round(max(1, min(settings.count, BenchSettings.warmUpCountMax)))
        for number in 1...settings.rounds {
            let measured = try round(settings.count)
            result.rounds.append(measured)
            note(String(format: "%@: round %d of %d, %.0f/s", result.name.rawValue, number, settings.rounds, measured.perSecond))
        }
    }

    // MARK: Measuring a round

    /// Starts workers on what waits for them and measures until `total` of the counted messages have arrived.
    ///
    /// The clock runs from the arrival of the first twentieth, when connections and statements are made, to that of the last.
    func measure(_ workers: [Worker], until total: Int, of counted: [MessageType], at queues: [[String]]) throws -> RoundResult {
        let log = ArrivalLog()
        let meter = try WriteMeter(try office.superuser())
        defer { meter.close() }
        var running = Running(log: log, listeners: try queues.map { Drain(try office.operatorBroker("drain"), queues: $0, into: log) })
        defer { running.end() }
        running.processes = try start(workers)
        try wait(for: max(1, Int(Double(total) * BenchSettings.startingShare)), of: total, counted, running)
        let began = (count: log.count(of: counted), times: cpuTimes(running))
        try wait(for: total, of: total, counted, running)
        let used = cpuTimes(running).since(began.times)
        let sizes = running.processes?.anonymousMiB ?? [:]
        try running.finish()
        try Durability.check(log)

        let arrivals = log.times(of: counted)
        let measured = max(1, arrivals.count - began.count)
        let seconds = Monotonic.seconds(from: arrivals[min(began.count, arrivals.count) - 1], to: arrivals[arrivals.count - 1])
        var round = RoundResult(perSecond: Double(measured) / max(seconds, 0.001), count: arrivals.count)
        round.cpuMicroseconds = used.seconds.mapValues { $0 * 1e6 / Double(measured) }
        round.anonymousMiB = sizes
        round.costs = try meter.costs(reports: arrivals.count)
        round.arrived = log.counts
        return round
    }

    func cpuTimes(_ running: Running) -> CPUTimes {
        CPUTimes(seconds: office.cpuTimes().seconds.merging(running.processes?.cpuTimes.seconds ?? [:]) { $1 })
    }

    func start(_ workers: [Worker]) throws -> BenchWorkers {
        try BenchWorkers(
            workers, in: office.directory, .init(executable: settings.executable, lanes: settings.lanes, batch: settings.batch))
    }

    /// Until so many of these types have arrived; gives up when nothing more comes.
    func wait(for count: Int, of total: Int, _ counted: [MessageType], _ running: Running) throws {
        var last = (count: -1, at: ContinuousClock.now)
        while true {
            let arrived = running.log.count(of: counted)
            if arrived >= count { return progress.clear() }
            if settings.isCancelled() { throw UserError("cancelled") }
            try running.check()
            let moved = running.log.total
            if moved != last.count { last = (moved, .now) }
            guard ContinuousClock.now - last.at < .seconds(BenchSettings.patienceSeconds) else {
                throw UserError(
                    "after \(arrived) of \(total) nothing more came for \(Int(BenchSettings.patienceSeconds)) s (arrived: \(running.log.counts)): "
                        + "read \(office.directory.path)/log")
            }
            progress.draw("\(arrived) of \(total)", share: Double(arrived) / Double(max(1, total)))
            Monotonic.sleep(seconds: 0.005)
        }
    }

    /// Until each queue is read by somebody.
    func waitForConsumers(of queues: [String]) throws {
        let connection = try AMQP.Connection(office.operatorBroker("watch"))
        defer { connection.close() }
        let channel = try connection.openChannel()
        let deadline = ContinuousClock.now + .seconds(20)
        for queue in queues {
            while try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).consumerCount == 0 {
                guard ContinuousClock.now < deadline else { throw UserError("nobody reads \(queue) after 20 s: read \(office.directory.path)/log") }
                Monotonic.sleep(seconds: 0.01)
            }
        }
    }

    /// What rounds before left to be written must not be measured with the latencies after them.
    func writeOut() throws {
        let superuser = try office.superuser()
        defer { superuser.close() }
        try superuser.execute("CHECKPOINT")
    }

    func note(_ text: String) {
        progress.clear()
        Output.note(text)
    }
}

/// What runs during a round.
struct Running {
    let log: ArrivalLog
    var listeners: [any Listener] = []
    var processes: BenchWorkers?

    func check() throws {
        for listener in listeners { try listener.check() }
        try processes?.check()
    }

    /// Workers first, which finish what they hold.
    func finish() throws {
        processes?.stop()
        for listener in listeners { try listener.stop() }
    }

    /// The same, where an error is under way already.
    func end() {
        processes?.stop()
        for listener in listeners { try? listener.stop() }
    }
}

/// What the database writes from the moment this is made, after a checkpoint: so each round writes its first pages whole.
struct WriteMeter {
    private let superuser: PostgreSQL.Connection
    private let writes: [TableWrites]
    private let position: Int64

    init(_ superuser: PostgreSQL.Connection) throws {
        self.superuser = superuser
        try superuser.execute("CHECKPOINT")
        let (writes, position) = try superuser.pipeline(ReadTableWrites(), ReadLogPosition())
        self.writes = writes.rows
        self.position = position.rows.first ?? 0
    }

    /// Called when the workers have ended: their backends tell what they wrote when they end, which takes a moment.
    func costs(reports: Int) throws -> WriteCosts {
        let end = try superuser.run(ReadLogPosition()).rows.first ?? position
        var costs = WriteCosts()
        let deadline = ContinuousClock.now + .seconds(10)
        repeat {
            Monotonic.sleep(seconds: 0.02)
            costs = WriteCosts(from: writes, to: try superuser.run(ReadTableWrites()).rows, logBytes: end - position, reports: reports)
            // All of the outbox that was sent is deleted at the end: then the counts are complete.
        } while (costs.inserted["inbox"] == nil || costs.inserted["outbox"] != costs.deleted["outbox"]) && ContinuousClock.now < deadline
        return costs
    }

    func close() { superuser.close() }
}
