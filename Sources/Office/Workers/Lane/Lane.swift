import AMQP
import Basics
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
    let desk: any Desk
    let settings: LaneSettings
    private let name: String
    /// One lane of a process also looks after what dead lanes left in the outbox.
    private let relays: Bool
    let stop: StopFlag
    private(set) var logger: Logger

    private(set) var store: LaneStore?
    private(set) var consumer: LaneConsumer?
    var outlet: LaneOutlet
    /// What this lane has heard of the queue in which it would learn that what was held is valid.
    private(set) var listening = Listening()
    private var nextRelay = ContinuousClock.now
    /// More of the errand may be due: the lane does not sleep.
    var hadErrand = false
    var nextErrand = ContinuousClock.now
    /// Reports whose errand failed for itself, and until when they are left alone.
    var aside: [ReportID: ContinuousClock.Instant] = [:]
    private var mayHearCommands = true
    /// A transaction failed, perhaps only after it was committed: then its rows of the outbox are nobody's but in the database.
    private var mayHaveCommittedUnknowingly = false
    /// What befell a connection to the broker while the database was waited for.
    private var faultMeanwhile: (any Error)?
    private var stopSeenAt: ContinuousClock.Instant?

    var batchWatch = FaultWatch("messages")
    var errandWatch = FaultWatch("errand")
    var relayWatch = FaultWatch("relay")
    /// What became of letters and could not be written, and when it is tried again.
    var unwritten = LaneOutlet.Settled()
    var writtenAgainAt = ContinuousClock.now

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
        var backoff = AMQP.Backoff(initialSeconds: 0.1, maximumSeconds: FaultWatch.secondsBetweenAttempts)
        var (interruptions, toldAt) = (0, ContinuousClock.now)
        while !stop.isRaised {
            do {
                try connect()
                while !stop.isRaised {
                    try turn()
                    backoff.reset()
                    interruptions = 0
                }
            } catch {
                interruptions += 1
                if interruptions == 1 || (ContinuousClock.now - toldAt).seconds >= FaultWatch.secondsBetweenReminders {
                    logger.warning("lane interrupted", metadata: ["attempts": "\(interruptions)", "cause": "\(Fault.words(error))"])
                    toldAt = .now
                }
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
        try heedBroker()
        try keepName()
        try send()
        try outlet.lookAfterConfirms()
        tellOfQueues()
        // The broker does not take messages: nothing new is begun, both connections are kept.
        guard !outlet.isBehind else { return try consumer.serve(for: LaneSettings.idleSeconds) }

        try retrying { try store?.refreshPolicy() }
        // Where more clocks may be due, the lane does not sleep.
        let batches = try consumer.receive(upTo: settings.batchSizeMax, waiting: hadErrand ? 0 : LaneSettings.idleSeconds)
        for batch in batches { try carry(batch) }
        if batches.isEmpty {
            try outlet.serve()
            if !outlet.settled.isEmpty { try settleLetters() }
        }
        try runErrand()
        try relay()
    }

    /// What befell a connection to the broker meanwhile begins the lane anew: what it holds comes again.
    func heedBroker() throws {
        if let fault = faultMeanwhile { throw fault }
    }

    /// Sends what would otherwise stay: what dead lanes left, own rows that this lane does not know of, and what queues take again.
    /// What cannot be read now is read at a later turn.
    private func relay() throws {
        guard let store, ContinuousClock.now >= nextRelay else { return }
        nextRelay = ContinuousClock.now + .seconds(LaneSettings.relayIntervalSeconds)
        writeAgain()
        try attempt(watchedBy: \.relayWatch) {
            if let queue = desk.markedQueue, try store.holdsMessages(), let marker = listening.nextMarker(at: .wall()) {
                try outlet.send(marker: marker, to: queue)
            }
            if relays {
                let dead = try store.adoptDeadLanes()
                if !dead.isEmpty {
                    logger.info("sending what a dead lane left", metadata: ["lanes": "\(dead.joined(separator: " "))"])
                }
            }
            let lanes = store.adopted + (mayHaveCommittedUnknowingly ? [store.lease.name] : [])
            let rows = try store.unsent(lanes, .allBut(outlet.parked.keys), notAmong: knownEventIDs)
            outlet.add(rows, justWritten: false)
            if rows.isEmpty {
                mayHaveCommittedUnknowingly = false
                try store.endAdoption()
            }
            try readBack(store)
        }
    }

    /// Tries each parked queue with one row when it is time, and takes up what was kept back for those that take messages again.
    private func readBack(_ store: LaneStore) throws {
        for key in outlet.parked.due(at: .now).prefix(LaneSettings.trialsMax) {
            if let row = try store.oldestUnsent(for: key, notAmong: knownEventIDs) {
                if try store.barred(among: [row.eventID]).isEmpty { outlet.tryParked(with: row) } else { outlet.withdraw(row) }
            } else {
                outlet.parked.free(key)
            }
        }
        let freed = outlet.parked.freed
        let rows = try store.unsent(store.ownLanes, .only(freed), notAmong: knownEventIDs)
        outlet.add(rows, justWritten: false)
        // What is left of them follows with the next turn.
        if rows.isEmpty { outlet.parked.readBack(freed) } else { nextRelay = .now }
    }

    /// The one exit: what has waited for longer than a moment goes through the barrier once more.
    private func send(confirmsWithin seconds: Double = 0) throws {
        let asked = outlet.toBeAsked
        if !asked.isEmpty, let store { outlet.withdraw(try retrying { try store.barred(among: asked) }) }
        try outlet.flush(confirmsWithin: seconds)
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
        let before = mayHearCommands
        defer { mayHearCommands = before }
        // A queue is acknowledged up to a message: of commands those in hand come first.
        if batch.isOfCommands { mayHearCommands = false }
        try handle(batch.parcels)
        try send()
        try settings.interrupt?(.afterPublish)
        try heedBroker()
        listening.heard(batch.markers, at: .wall())
        try consumer?.acknowledge(batch)
    }

    /// While a batch of others is tried again or divided, persons do not wait for its end.
    func hearCommands() throws {
        guard mayHearCommands, !outlet.isBehind, let batch = try consumer?.receiveCommands(upTo: settings.batchSizeMax) else { return }
        if !batch.isEmpty { try carry(batch) }
    }

    private func handle(_ parcels: [Parcel]) throws {
        // In the order in which they came: what was sent earlier is heard earlier.
        var trusted: [Parcel] = []
        let parcels = Parcel.gathered(parcels)
        var last: [Parcel] = []
        let noted = try attempted(among: parcels)
        for parcel in parcels {
            guard parcel.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount else {
                trusted.append(parcel)
                continue
            }
            // What was at hand when a worker stopped waits until others of its kind have been tried and the worker lives.
            guard !noted.contains(parcel.key) else {
                last.append(parcel)
                continue
            }
            try processInPieces(trusted)
            trusted = []
            try processAlone(parcel, isNoted: false)
        }
        try processInPieces(trusted)
        for parcel in last { try processAlone(parcel, isNoted: true) }
    }

    /// Each piece has a transaction that loads no more than the budget.
    private func processInPieces(_ parcels: [Parcel]) throws {
        for piece in desk.pieces(of: parcels, loadingAtMost: settings.batchBytesMax, limits: settings.limits) {
            try process(Array(piece))
            try keepName()
            // What is sent and not confirmed is in memory too.
            let isMuch = outlet.unconfirmedBytes > settings.batchBytesMax
            try send(confirmsWithin: isMuch ? LaneSettings.confirmTimeoutSeconds : 0)
            try consumer?.serve()
        }
    }

    /// Does what can be done of each message before its transaction, once; heartbeats are served meanwhile.
    func prepare(_ parcels: [Parcel]) throws -> [Parcel] {
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

    /// The whole of one transaction: its rows are the outlet's once it is committed.
    func transact(_ parcels: [Parcel], burying burial: Burial? = nil, settling settled: LaneOutlet.Settled, errand: Errand? = nil) throws {
        guard let store else { return }
        do {
            try store.ensureOpen()
            heedLoss()
            let buried = burial.map { burial in Dictionary(parcels.map { ($0.key, burial) }) { first, _ in first } } ?? [:]
            outlet.add(try store.transact(parcels, burying: buried, settling: settled, errand: errand), justWritten: true)
        } catch {
            mayHaveCommittedUnknowingly = true
            throw error
        }
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
            try send(confirmsWithin: LaneSettings.confirmTimeoutSeconds)
            try settleLetters()
            try store.endLease()
            logger.info("lane drained")
        } catch {
            // Nothing is lost: what was not finished comes again.
            logger.notice("lane ended before it was drained", metadata: ["cause": "\(Fault.words(error))"])
        }
    }
}
