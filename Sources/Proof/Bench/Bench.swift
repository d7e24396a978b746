import AMQP
import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Casework
package import Contract
import Foundation
package import Installation
import PartyClient
import PostgreSQL
import Terminal

/// The state that the benches of one run share: the office, the unused reports, and the measurement of a round.
package final class Bench: @unchecked Sendable {
    package let office: BenchOffice
    package let settings: BenchSettings
    package var corpus: CorpusSupply
    package let sample = SampleOffice.standard
    private let floor: Floor?
    /// The number of reports in the filled copy of the database.
    private var filled = 0
    /// The arrived messages, each of which was checked.
    private var messagesSeen = 0
    private var progress = ProgressLine()

    package init(_ office: BenchOffice, _ settings: BenchSettings, floor: Floor? = nil) throws {
        self.office = office
        self.settings = settings
        self.floor = floor
        corpus = try CorpusSupply(office)
    }

    /// Measures a bench over several rounds. The ledger holds `scale` reports at the start. Nothing is measured
    /// unless the servers are durable.
    package func run(_ name: BenchName, scale: Int = 0) throws -> BenchResult {
        try prepare(scale)
        var result = BenchResult(name: name)
        result.scale = scale
        result.settings = try checkDurability()
        messagesSeen = 0
        switch name {
        case .intake: try intake(&result)
        case .routing: try routing(&result)
        case .feedback: try feedback(&result)
        case .loop: try loop(&result)
        case .latency: try latency(&result)
        case .worker: try worker(&result)
        case .flood: try flood(&result)
        case .parties: try parties(&result)
        case .soak: try soak(&result)
        }
        if messagesSeen > 0 { result.settings["messages"] = "\(messagesSeen) seen, all persistent" }
        // The floor's own database is empty: with a filled ledger the two would not do the same work.
        if scale == 0, let floor, Floor.stages.contains(name) {
            note("\(name.rawValue): the floor")
            do {
                result.floorRates = try floor.rates(of: name)
            } catch {
                // The office's figures are kept although the floor failed.
                result.floorProblem = UserError(error).description
            }
        }
        return result
    }

    /// Restores the ledger to its initial state with `scale` reports, whatever was measured before.
    func prepare(_ scale: Int) throws {
        guard scale > 0 else { return try office.restore(.empty) }
        if filled != scale {
            try office.restore(.empty)
            let began = ContinuousClock.now
            note("filling the ledger with \(scale) reports")
            let fill = try LedgerFill(office, &corpus, total: scale)
            try fill.fill(isCancelled: settings.isCancelled) {
                progress.draw("\($0) of \(scale)", share: Double($0) / Double(scale))
            }
            try office.keep()
            filled = scale
            note(
                String(
                    format: "the ledger holds %d reports after %.0f s", scale, (ContinuousClock.now - began).inSeconds))
        }
        try office.restore(.filled)
    }

    func checkDurability() throws -> [String: String] {
        let database = try office.worker()
        defer { database.close() }
        var settings = try Durability.check(database)
        let broker = try AMQP.Connection(office.operatorBroker("check"))
        defer { broker.close() }
        let definitions = Definitions(
            virtualHost: office.configuration.broker.virtualHost, units: sample.units.map(\.id),
            sources: sample.sources.map(\.id), persons: sample.persons.map(\.id), users: [])
        try Durability.check(broker, definitions.file().queues)
        settings["queues"] = "quorum"
        return settings
    }

    /// Runs one round to warm up, then the counted rounds.
    package func rounds(of result: inout BenchResult, _ round: (_ count: Int) throws -> RoundResult) throws {
        let transaction =
            (settings.batch ?? office.configuration.lane.batchSizeMax)
            * (settings.lanes ?? office.configuration.lane.lanes)
        if settings.count < 20 * transaction {
            note(
                """
                \(settings.count) reports are \(settings.count / transaction) transactions of each lane: too few \
                for a rate to mean much
                """
            )
        }
        note("\(result.name.rawValue): warming up")
        _ = try round(max(1, min(settings.count, BenchSettings.warmUpCountMax)))
        for number in 1...settings.rounds {
            let measured = try round(settings.count)
            result.rounds.append(measured)
            note(
                String(
                    format: "%@: round %d of %d, %.0f/s", result.name.rawValue, number, settings.rounds,
                    measured.perSecond))
        }
    }

    // MARK: Measurement of a round

    /// Starts workers on waiting messages and measures until `total` of the counted messages have arrived.
    ///
    /// The time runs from the arrival of the first twentieth, when connections and statements exist, to that of
    /// the last.
    package func measure(
        _ workers: [Worker], until total: Int, of counted: [MessageType], at queues: [[String]]
    ) throws -> RoundResult {
        let log = ArrivalLog()
        let meter = try WriteMeter(try office.superuser())
        defer { meter.close() }
        var running = Running(
            log: log, listeners: try queues.map { Drain(try office.operatorBroker("drain"), queues: $0, into: log) })
        defer { running.end() }
        let idle = cpuTimes(running)
        let started = Monotonic.now
        running.processes = try start(workers)
        let first = max(1, Int(Double(total) * BenchSettings.startingShare))
        try wait(for: first, of: total, counted, running)
        let began = (count: log.count(of: counted), times: cpuTimes(running))
        try wait(for: total, of: total, counted, running)
        let ended = cpuTimes(running)
        let sizes = running.processes?.anonymousMiB ?? [:]
        try finish(running)

        let arrivals = log.times(of: counted)
        let (rate, counts) = BenchArithmetic.perSecond(arrivals, from: first, started: started)
        var round = RoundResult(perSecond: rate, count: arrivals.count)
        // If all arrived between two checks, the start of the workers is included.
        let isSeen = counts && began.count < arrivals.count
        let measured = Double(isSeen ? arrivals.count - began.count : arrivals.count)
        round.cpuMicroseconds = ended.since(isSeen ? began.times : idle).seconds.mapValues { $0 * 1e6 / measured }
        round.anonymousMiB = sizes
        round.costs = try meter.costs(reports: arrivals.count)
        round.arrived = log.counts
        return round
    }

    func cpuTimes(_ running: Running) -> CPUTimes {
        CPUTimes(seconds: office.cpuTimes().seconds.merging(running.processes?.cpuTimes.seconds ?? [:]) { $1 })
    }

    package func start(_ workers: [Worker]) throws -> BenchWorkers {
        try BenchWorkers(
            workers, in: office.directory,
            .init(executable: settings.executable, lanes: settings.lanes, batch: settings.batch))
    }

    /// Ends the processes, and checks that all arrived messages were persistent.
    package func finish(_ running: Running) throws {
        try running.finish()
        try Durability.check(running.log)
        messagesSeen += running.log.total
    }

    /// Waits until `count` messages of these types have arrived; gives up when no more come.
    package func wait(for count: Int, of total: Int, _ counted: [MessageType], _ running: Running) throws {
        try wait(for: count, of: total, running) { running.log.count(of: counted) }
    }

    package func wait(for count: Int, of total: Int, _ running: Running, counting: () -> Int) throws {
        var last = (count: -1, at: ContinuousClock.now)
        while true {
            let arrived = counting()
            if arrived >= count { return progress.clear() }
            if settings.isCancelled() { throw UserError("cancelled") }
            try running.check()
            let moved = running.log.total + arrived
            if moved != last.count { last = (moved, .now) }
            guard ContinuousClock.now - last.at < .seconds(BenchSettings.patienceSeconds) else {
                throw UserError(
                    """
                    after \(arrived) of \(total) nothing more came for \(Int(BenchSettings.patienceSeconds)) s \
                    (arrived: \(running.log.counts)): \
                    read \(office.directory.path)/log
                    """)
            }
            progress.draw("\(arrived) of \(total)", share: Double(arrived) / Double(max(1, total)))
            Monotonic.sleep(seconds: 0.005)
        }
    }

    /// Waits until each queue has a consumer.
    func waitForConsumers(of queues: [String]) throws {
        let connection = try AMQP.Connection(office.operatorBroker("watch"))
        defer { connection.close() }
        let channel = try connection.openChannel()
        let deadline = ContinuousClock.now + .seconds(20)
        for queue in queues {
            while try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).consumerCount == 0
            {
                guard ContinuousClock.now < deadline else {
                    throw UserError("nobody reads \(queue) after 20 s: read \(office.directory.path)/log")
                }
                Monotonic.sleep(seconds: 0.01)
            }
        }
    }

    /// Writes a checkpoint, so that pages of earlier rounds are not written while the next latencies are measured.
    func writeOut() throws {
        let superuser = try office.superuser()
        defer { superuser.close() }
        try superuser.execute("CHECKPOINT")
    }

    package func note(_ text: String) {
        progress.clear()
        Output.note(text)
    }
}

/// The listeners and workers that run during a round.
package struct Running {
    let log: ArrivalLog
    var listeners: [any Listener] = []
    var processes: BenchWorkers?

    /// When each handoff's conclusion was sent, if the bench's units listen.
    var concludedAt: [String: Int64] { listeners.compactMap { ($0 as? BenchUnits)?.concludedAt }.first ?? [:] }

    func check() throws {
        for listener in listeners { try listener.check() }
        try processes?.check()
    }

    /// Stops the workers first, which finish their current messages, then the listeners.
    func finish() throws {
        processes?.stop()
        for listener in listeners { try listener.stop() }
    }

    /// The same without errors of the listeners, for use after an error.
    func end() {
        processes?.stop()
        for listener in listeners { try? listener.stop() }
    }
}

/// Measures the database's writes from its creation on. It begins with a checkpoint, so that each round writes its
/// first page images in full.
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

    /// The writes per report. Call it after the workers ended: their backends report their statistics at the end,
    /// with a delay.
    func costs(reports: Int) throws -> WriteCosts {
        let end = try superuser.run(ReadLogPosition()).rows.first ?? position
        var costs = WriteCosts()
        let deadline = ContinuousClock.now + .seconds(10)
        repeat {
            Monotonic.sleep(seconds: 0.02)
            costs = WriteCosts(
                from: writes, to: try superuser.run(ReadTableWrites()).rows, logBytes: end - position, reports: reports)
            // All sent rows of the outbox are deleted in the end: then the counts are complete.
        } while (costs.inserted["inbox"] == nil || costs.inserted["outbox"] != costs.deleted["outbox"])
            && ContinuousClock.now < deadline
        return costs
    }

    func close() { superuser.close() }
}
