import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL
import Synchronization

/// Tells lanes to finish what they hold and end.
final class StopFlag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }
}

/// One straight line on one thread: receive what has arrived, decide it in one transaction, send what follows, acknowledge.
///
///     receive → prepare → BEGIN → claim → lock → load → decide → write → COMMIT → publish, confirmed → acknowledge
///
/// It holds no state that matters: killed at any instruction, nothing is lost. What was not acknowledged comes again and
/// meets its verdict in the inbox; what was not confirmed lies in the outbox and is sent by the lane's relay.
final class Lane {
    private let desk: any Desk
    private let settings: LaneSettings
    private let name: String
    /// One lane of a process also looks after what dead lanes left in the outbox.
    private let relays: Bool
    private let stop: StopFlag
    private var logger: Logger

    private var store: LaneStore?
    private var consumer: LaneConsumer?
    private var outlet: LaneOutlet
    /// What this lane has heard of the queue in which it would learn that what was held is valid.
    private var listening = Listening()
    private var nextRelay = ContinuousClock.now
    private var hadErrand = false
    private var nextErrand = ContinuousClock.now
    /// Reports whose errand failed for itself, and until when they are left alone.
    private var aside: [ReportID: ContinuousClock.Instant] = [:]
    /// A transaction failed, perhaps only after it was committed: then its rows of the outbox are nobody's but in the database.
    private var mayHaveCommittedUnknowingly = false
    /// What befell a connection to the broker while the database was waited for.
    private var faultMeanwhile: (any Error)?
    private var stopSeenAt: ContinuousClock.Instant?

    init(_ desk: any Desk, settings: LaneSettings, name: String, relays: Bool, stop: StopFlag, logger: Logger) {
        self.desk = desk
        self.settings = settings
        self.name = name
        self.relays = relays
        self.stop = stop
        self.logger = logger
        self.logger[metadataKey: "lane"] = "\(name)"
        outlet = LaneOutlet(settings.broker, worker: desk.worker, name: name)
    }

    /// Runs until the flag is raised, whatever happens to broker and database meanwhile.
    func run() {
        var backoff = AMQP.Backoff(initialSeconds: 0.1, maximumSeconds: 3)
        while !stop.isRaised {
            do {
                try connect()
                while !stop.isRaised {
                    try turn()
                    backoff.reset()
                }
            } catch {
                logger.warning("lane interrupted", metadata: ["cause": "\(error)"])
                disconnect()
                // What the database refuses may be the fault of this connection, such as one to a server that only reads.
                if !(error is AMQPError) { store?.disconnect() }
                pause(backoff.next())
            }
        }
        drain()
        disconnect()
        store?.close()
    }

    // MARK: Connections

    /// The database first: no consumer is opened before it answers, so that no delivery is charged for its absence.
    private func connect() throws {
        if let store {
            try store.ensureOpen()
            try store.refreshPolicy()
        } else {
            store = try LaneStore(settings, desk: desk, laneName: name, logger: logger)
            store?.whileWaiting = { [unowned self] in serveMeanwhile() }
        }
        try outlet.connect()
        if consumer == nil {
            consumer = try LaneConsumer(settings, desk: desk, name: name)
            listening = Listening()
            logger.info("lane ready")
        }
    }

    private func disconnect() {
        consumer?.close()
        consumer = nil
        outlet.disconnect()
        faultMeanwhile = nil
    }

    /// Sleeps, but not through the call to stop.
    private func pause(_ seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while !stop.isRaised, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.05) }
    }

    // MARK: One turn

    private func turn() throws {
        guard let consumer else { return }
        if let fault = faultMeanwhile { throw fault }
        try keepName()
        try outlet.flush()
        try outlet.lookAfterConfirms()
        tellOfQueues()
        // The broker does not take messages: nothing new is begun, both connections are kept.
        guard !outlet.isBehind else { return try consumer.serve(for: LaneSettings.idleSeconds) }

        try retrying { try store.refreshPolicy() }
        // Where more clocks may be due, the lane does not sleep.
        let batches = try consumer.receive(upTo: settings.batchSizeMax, waiting: hadErrand ? 0 : LaneSettings.idleSeconds)
        for batch in batches { try carry(batch) }
        if batches.isEmpty {
            try outlet.serve()
            if !outlet.settled.isEmpty { try process([]) }
        }
        try runErrand()
        try relay()
    }

    private func runErrand() throws {
        guard let store, ContinuousClock.now >= nextErrand else { return }
        aside = aside.filter { $0.value > .now }
        let errand = try retrying { try store.errand(listening: self.listening, except: Array(self.aside.keys)) }
        if let errand { try run(errand) }
        hadErrand = errand?.hasMore == true && store.reportsOfErrand > 0
        nextErrand = hadErrand ? .now : .now + .seconds(desk.errandIntervalSeconds)
    }

    /// What fails for itself stops no other: it is halved until one report stands alone, which is left aside for a while.
    private func run(_ errand: Errand) throws {
        do {
            try process([], errand: errand)
        } catch let error where !(error is AMQPError || error is LaneFault) && store?.answers() == true {
            guard errand.reports.count > 1 else {
                for report in errand.reports { aside[report] = .now + .seconds(LaneSettings.asideSeconds) }
                return
            }
            let middle = errand.reports.count / 2
            try run(errand.limited(to: errand.reports[..<middle]))
            try run(errand.limited(to: errand.reports[middle...]))
        }
    }

    /// Sends what would otherwise stay: what dead lanes left, own rows that this lane does not know of, and what queues take again.
    private func relay() throws {
        guard let store, ContinuousClock.now >= nextRelay else { return }
        nextRelay = ContinuousClock.now + .seconds(LaneSettings.relayIntervalSeconds)
        if let queue = desk.markedQueue, try retrying({ try store.holdsMessages() }), let marker = listening.nextMarker(at: .wall()) {
            try outlet.send(marker: marker, to: queue)
        }
        if relays {
            let dead = try retrying { try store.adoptDeadLanes() }
            if !dead.isEmpty { logger.info("sending what a dead lane left", metadata: ["lanes": "\(dead.joined(separator: " "))"]) }
        }
        let lanes = store.adopted + (mayHaveCommittedUnknowingly ? [store.lease.name] : [])
        let rows = try retrying { try store.unsent(lanes, .allBut(self.outlet.parked.keys), notAmong: self.outlet.eventIDs) }
        outlet.add(rows)
        if rows.isEmpty {
            mayHaveCommittedUnknowingly = false
            try retrying { try store.endAdoption() }
        }
        try readBack(store)
    }

    /// Tries each parked queue with one row when it is time, and takes up what was kept back for those that take messages again.
    private func readBack(_ store: LaneStore) throws {
        for key in outlet.parked.due(at: .now).prefix(LaneSettings.trialsMax) {
            if let row = try retrying({ try store.oldestUnsent(for: key, notAmong: self.outlet.eventIDs) }) {
                outlet.tryParked(with: row)
            } else {
                outlet.parked.free(key)
            }
        }
        let freed = outlet.parked.freed
        let rows = try retrying { try store.unsent(store.ownLanes, .only(freed), notAmong: self.outlet.eventIDs) }
        outlet.add(rows)
        // What is left of them follows with the next turn.
        if rows.isEmpty { outlet.parked.readBack(freed) } else { nextRelay = .now }
    }

    private func tellOfQueues() {
        for news in outlet.parked.takeNews() {
            switch news {
            case .parked(let key, let cause):
                logger.warning(
                    "a queue takes no messages: those for it wait", metadata: ["queue": "\(key)", "cause": "\(cause.rawValue)"])
            case .freed(let key): logger.notice("a queue takes messages again", metadata: ["queue": "\(key)"])
            }
        }
    }

    /// The database session stands, and this lane's name is its own.
    private func keepName() throws {
        try retrying {}
        heedLoss()
    }

    /// A lane that did not turn for longer than its lease has lost its name, and with it what it had not sent.
    private func heedLoss() {
        guard let store, store.takeLoss() else { return }
        outlet.forget()
        logger.warning("this lane stood still: others send what it had not sent", metadata: ["new name": "\(store.lease.name)"])
        logger[metadataKey: "lane"] = "\(store.lease.name)"
    }

    // MARK: Handling a batch

    private func carry(_ batch: LaneConsumer.Batch) throws {
        try handle(batch.parcels)
        try outlet.flush()
        try settings.interrupt?(.afterPublish)
        listening.heard(batch.markers, at: .wall())
        try consumer?.acknowledge(batch)
    }

    private func handle(_ parcels: [Parcel]) throws {
        // In the order in which they came: what was sent earlier is heard earlier.
        var trusted: [Parcel] = []
        let parcels = Parcel.gathered(parcels)
        for parcel in parcels {
            guard parcel.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount else {
                trusted.append(parcel)
                continue
            }
            try processInPieces(trusted)
            trusted = []
            try processAlone(parcel)
            try consumer?.serve()
            try outlet.serve()
        }
        try processInPieces(trusted)
    }

    /// Each piece has a transaction that loads no more than the budget.
    private func processInPieces(_ parcels: [Parcel]) throws {
        for piece in desk.pieces(of: parcels, loadingAtMost: settings.batchBytesMax, limits: settings.limits) {
            try process(Array(piece))
            // What is sent and not confirmed is in memory too.
            let isMuch = outlet.unconfirmedBytes > settings.batchBytesMax
            try outlet.flush(confirmsWithin: isMuch ? LaneSettings.confirmTimeoutSeconds : 0)
            try consumer?.serve()
        }
    }

    /// A message that keeps coming back may be what stops the worker: it is taken alone, and each attempt is noted before it
    /// is made, so that its neighbours are not blamed.
    private func processAlone(_ parcel: Parcel) throws {
        guard let store else { return }
        let attempts = try retrying { try store.noteAttempt(parcel) }
        if attempts > LaneSettings.attemptsMax {
            try process([parcel], burying: Burial(code: "stops_the_worker", text: "the worker stopped each time it read this message"))
        } else {
            try process([parcel])
        }
        try retrying { try store.forgetAttempt(parcel) }
    }

    /// Carries parcels through the transaction, however often it takes; those that cannot be carried end as dead letters, alone.
    private func process(_ parcels: [Parcel], burying burial: Burial? = nil, errand: Errand? = nil) throws {
        var keys: Set<InboxKey> = []
        let firsts = try prepare(parcels.filter { keys.insert($0.key).inserted })
        var timesTooCostly = 0
        var backoff = AMQP.Backoff(initialSeconds: 0.05, maximumSeconds: 2)
        while true {
            do {
                try transact(firsts, burying: burial, errand: errand)
                break
            } catch let error as PostgreSQLError where error.isTransient {
                if error.isTooCostly, store?.answers() == true { timesTooCostly += 1 }
                if timesTooCostly >= 3, errand == nil, burial == nil, !firsts.isEmpty {
                    try divide(firsts, because: Burial(code: "too_costly", text: "the database stopped the work on this message each time"))
                    break
                }
                try wait(backoff.next(), because: error)
            } catch is StaleCase {
                try wait(backoff.next(), because: StaleCase())
            } catch let error as AMQPError {
                throw error
            } catch {
                logger.error("batch failed", metadata: ["messages": "\(firsts.count)", "cause": "\(error)"])
                guard !firsts.isEmpty, burial == nil else { throw error }
                try divide(firsts, because: Burial(code: "cannot_be_handled", text: "the office could not handle this message", detail: "\(error)"))
                break
            }
        }
        // The same act twice in one batch: the second meets the first's verdict.
        if firsts.count < parcels.count {
            var seen: Set<InboxKey> = []
            try process(parcels.filter { !seen.insert($0.key).inserted })
        }
    }

    /// Does what can be done of each message before its transaction, once; heartbeats are served meanwhile.
    private func prepare(_ parcels: [Parcel]) throws -> [Parcel] {
        guard let store else { return parcels }
        var servedAt = ContinuousClock.now
        return try parcels.map { parcel in
            if ContinuousClock.now - servedAt > .milliseconds(100) {
                try consumer?.serve()
                try outlet.serve()
                servedAt = .now
            }
            return store.prepared(parcel)
        }
    }

    private func transact(_ parcels: [Parcel], burying burial: Burial?, errand: Errand?) throws {
        guard let store else { return }
        try store.ensureOpen()
        heedLoss()
        // An errand leaves out cases that others hold, so what became of letters is written without one.
        let settled = errand == nil ? outlet.takeSettled() : LaneOutlet.Settled()
        do {
            let buried = burial.map { burial in Dictionary(parcels.map { ($0.key, burial) }) { first, _ in first } } ?? [:]
            outlet.add(try store.transact(parcels, burying: buried, settling: settled, errand: errand))
        } catch {
            outlet.putBack(settled)
            mayHaveCommittedUnknowingly = true
            throw error
        }
    }

    /// Finds the one message that its neighbours must not suffer for.
    private func divide(_ parcels: [Parcel], because burial: Burial) throws {
        if parcels.count == 1 { return try process(parcels, burying: burial) }
        let middle = parcels.count / 2
        try process(Array(parcels[..<middle]))
        try process(Array(parcels[middle...]))
    }

    /// Waits for the database, deliveries kept, heartbeats served.
    private func wait(_ seconds: Double, because cause: any Error) throws {
        guard !stop.isRaised else { throw LaneFault(reason: "asked to stop while the database was away") }
        logger.notice("waiting for the database", metadata: ["cause": "\(cause)"])
        try consumer?.serve(for: seconds)
        try outlet.serve()
    }

    /// Called while the database is waited for: both connections to the broker are kept. What fails is thrown by the next turn.
    /// False once the lane was asked to stop and has waited long enough: what it waits for comes again.
    private func serveMeanwhile() -> Bool {
        do {
            try consumer?.serve()
            try outlet.serve()
        } catch {
            faultMeanwhile = error
        }
        guard stop.isRaised else { return true }
        let since = stopSeenAt ?? .now
        stopSeenAt = since
        return (ContinuousClock.now - since).seconds < LaneSettings.drainSeconds
    }

    private func retrying<T>(_ work: () throws -> T) throws -> T {
        var backoff = AMQP.Backoff(initialSeconds: 0.05, maximumSeconds: 2)
        while true {
            do {
                try store?.ensureOpen()
                return try work()
            } catch let error as PostgreSQLError where error.isTransient {
                try wait(backoff.next(), because: error)
            }
        }
    }

    // MARK: Ending

    /// Takes no new deliveries, finishes those it holds, writes what was confirmed.
    private func drain() {
        guard let consumer, let store else { return }
        do {
            try consumer.cancel()
            let end = ContinuousClock.now + .seconds(LaneSettings.drainSeconds)
            while ContinuousClock.now < end, !outlet.isBehind {
                // What was under way when the consumers ended still comes.
                let batches = try consumer.receive(upTo: settings.batchSizeMax, waiting: LaneSettings.underWaySeconds)
                guard !batches.isEmpty else { break }
                for batch in batches { try carry(batch) }
            }
            try outlet.flush(confirmsWithin: LaneSettings.confirmTimeoutSeconds)
            try process([])
            try store.endLease()
            logger.info("lane drained")
        } catch {
            // Nothing is lost: what was not finished comes again.
            logger.notice("lane ended before it was drained", metadata: ["cause": "\(error)"])
        }
    }
}

extension PostgreSQLError {
    /// Stopped for its cost: statement time-out, out of resources, or a transaction that waited too long for our own decisions.
    var isTooCostly: Bool { sqlState == "57014" || sqlState == "25P03" || sqlState?.hasPrefix("53") == true }
}
