import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL

/// One straight line on one thread: receive what has arrived, decide it in one transaction, send what follows,
/// acknowledge.
///
///     receive → prepare → BEGIN → claim → lock → load → decide → write → COMMIT → publish, confirmed → acknowledge
///
/// It holds no state that matters: killed at any instruction, nothing is lost. What was not acknowledged comes again
/// and meets its verdict in the inbox; what was not confirmed lies in the outbox and is sent by the lane's relay.
final class Lane {
    let desk: any Desk
    let settings: LaneSettings
    private let name: String
    /// One lane of a process also looks after what dead lanes left in the outbox.
    private let relays: Bool
    let stop: StopSignal
    private(set) var logger: Logger

    private(set) var store: LaneStore?
    private(set) var consumer: LaneConsumer?
    var outboxPublisher: OutboxPublisher
    /// What this lane has heard of the queue in which it would learn that what was held is valid.
    private(set) var listening = Listening()
    private var nextRelay = ContinuousClock.now
    /// More of the sweep may be due: the lane does not sleep.
    var hadSweep = false
    var nextSweep = ContinuousClock.now
    /// Reports whose sweep failed for itself, and until when they are left alone.
    var aside: [ReportID: ContinuousClock.Instant] = [:]
    private var mayHearCommands = true
    /// A transaction failed, perhaps only after it was committed: then its rows of the outbox are nobody's but in the
    /// database.
    private var mayHaveCommittedUnknowingly = false
    /// What befell a connection to the broker while the database was waited for.
    private var faultMeanwhile: (any Error)?
    private var stopSeenAt: ContinuousClock.Instant?

    var batchWatch = FaultWatch("messages")
    var sweepWatch = FaultWatch("sweep")
    var relayWatch = FaultWatch("relay")
    /// What became of earlier rows and could not be written, and when it is tried again.
    var unwritten = OutboxPublisher.Settled()
    var writtenAgainAt = ContinuousClock.now

    init(_ desk: any Desk, settings: LaneSettings, name: String, relays: Bool, stop: StopSignal, logger: Logger) {
        self.desk = desk
        self.settings = settings
        self.name = name
        self.relays = relays
        self.stop = stop
        self.logger = logger
        self.logger[metadataKey: "lane"] = "\(name)"
        outboxPublisher = OutboxPublisher(settings.broker, worker: desk.worker, name: name)
    }

    /// Runs until the flag is raised, whatever happens to broker and database meanwhile.
    func run() {
        var backoff = AMQP.Backoff(initialSeconds: 0.1, maximumSeconds: FaultWatch.secondsBetweenAttempts)
        var (interruptions, toldAt) = (0, ContinuousClock.now)
        while !stop.isStopped {
            do {
                try connect()
                while !stop.isStopped {
                    try turn()
                    backoff.reset()
                    interruptions = 0
                }
            } catch {
                interruptions += 1
                if interruptions == 1 || (ContinuousClock.now - toldAt).inSeconds >= FaultWatch.secondsBetweenReminders
                {
                    logger.log(.laneInterrupted(error, attempts: interruptions))
                    toldAt = .now
                }
                disconnect()
                // What the database refuses may be the fault of this connection, such as one to a server that only
                // reads.
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
        try outboxPublisher.connect()
        if consumer == nil {
            consumer = try LaneConsumer(settings, desk: desk, name: name)
            listening = Listening()
            logger.log(.laneReady)
        }
    }

    private func disconnect() {
        consumer?.close()
        consumer = nil
        outboxPublisher.disconnect()
        faultMeanwhile = nil
    }

    /// Sleeps, but not through the call to stop.
    private func pause(_ seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while !stop.isStopped, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.05) }
    }

    // MARK: One turn

    private func turn() throws {
        guard let consumer else { return }
        try heedBroker()
        try keepName()
        try send()
        try outboxPublisher.lookAfterConfirms()
        tellOfQueues()
        // The broker does not take messages: nothing new is begun, both connections are kept.
        guard !outboxPublisher.isBehind else { return try consumer.serve(for: LaneSettings.idleSeconds) }

        try retrying { try store?.refreshPolicy() }
        // Where more clocks may be due, the lane does not sleep.
        let batches = try consumer.receive(
            upTo: settings.batchSizeMax, waiting: hadSweep ? 0 : LaneSettings.idleSeconds)
        for batch in batches { try carry(batch) }
        if batches.isEmpty {
            try outboxPublisher.serve()
            if !outboxPublisher.settled.isEmpty { try settleLetters() }
        }
        try runSweep()
        try relay()
    }

    /// What befell a connection to the broker meanwhile begins the lane anew: what it holds comes again.
    func heedBroker() throws {
        if let fault = faultMeanwhile { throw fault }
    }

    /// Sends what would otherwise stay: what dead lanes left, own rows that this lane does not know of, and what queues
    /// take again. What cannot be read now is read at a later turn.
    private func relay() throws {
        guard let store, ContinuousClock.now >= nextRelay else { return }
        nextRelay = ContinuousClock.now + .seconds(LaneSettings.relayIntervalSeconds)
        writeAgain()
        try attempt(watchedBy: \.relayWatch) {
            if let queue = desk.markedQueue, try store.hasDeferredMessages(),
                let marker = listening.nextMarker(at: .wall())
            {
                try outboxPublisher.send(marker: marker, to: queue)
            }
            if relays {
                let dead = try store.adoptDeadLanes()
                if !dead.isEmpty { logger.log(.deadLanesAdopted(dead)) }
            }
            let lanes = store.adopted + (mayHaveCommittedUnknowingly ? [store.lease.name] : [])
            let rows = try store.unsent(lanes, .allBut(outboxPublisher.parked.keys), notAmong: knownEventIDs)
            outboxPublisher.add(rows, justWritten: false)
            if rows.isEmpty {
                mayHaveCommittedUnknowingly = false
                try store.endAdoption()
            }
            try readBack(store)
        }
    }

    /// Tries each parked queue with one row when it is time, and takes up what was kept back for those that take
    /// messages again.
    private func readBack(_ store: LaneStore) throws {
        for key in outboxPublisher.parked.due(at: .now).prefix(LaneSettings.trialsMax) {
            if let row = try store.oldestUnsent(for: key, notAmong: knownEventIDs) {
                if try store.barred(among: [row.eventID]).isEmpty {
                    outboxPublisher.tryParked(with: row)
                } else {
                    outboxPublisher.withdraw(row)
                }
            } else {
                outboxPublisher.parked.free(key)
            }
        }
        let freed = outboxPublisher.parked.freed
        let rows = try store.unsent(store.ownLanes, .only(freed), notAmong: knownEventIDs)
        outboxPublisher.add(rows, justWritten: false)
        // What is left of them follows with the next turn.
        if rows.isEmpty { outboxPublisher.parked.readBack(freed) } else { nextRelay = .now }
    }

    /// The one exit: what has waited for longer than a moment goes through the barrier once more.
    private func send(confirmsWithin seconds: Double = 0) throws {
        let asked = outboxPublisher.toBeAsked
        if !asked.isEmpty, let store { outboxPublisher.withdraw(try retrying { try store.barred(among: asked) }) }
        try outboxPublisher.flush(confirmsWithin: seconds)
    }

    private func tellOfQueues() {
        for news in outboxPublisher.parked.takeNews() {
            switch news {
            case .parked(let key, let cause): logger.log(.queueParked(key, cause))
            case .freed(let key): logger.log(.queueFreed(key))
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
        outboxPublisher.forget()
        logger.log(.laneStoodStill(newName: store.lease.name))
        logger[metadataKey: "lane"] = "\(store.lease.name)"
    }

    // MARK: Handling a batch

    /// Handles a batch and acknowledges it last: after the commit, and never before (invariant 1).
    private func carry(_ batch: LaneConsumer.Batch) throws {
        let before = mayHearCommands
        defer { mayHearCommands = before }
        // A queue is acknowledged up to a message: of commands those in hand come first.
        if batch.isOfCommands { mayHearCommands = false }
        try handle(batch.received)
        try send()
        try settings.interrupt?(.afterPublish)
        try heedBroker()
        listening.heard(batch.markers, at: .wall())
        try consumer?.acknowledge(batch)
    }

    /// While a batch of others is tried again or divided, persons do not wait for its end.
    func hearCommands() throws {
        guard mayHearCommands, !outboxPublisher.isBehind,
            let batch = try consumer?.receiveCommands(upTo: settings.batchSizeMax)
        else { return }
        if !batch.isEmpty { try carry(batch) }
    }

    private func handle(_ received: [InboundMessage]) throws {
        // In the order in which they came: what was sent earlier is heard earlier.
        var trusted: [InboundMessage] = []
        let received = InboundMessage.gathered(received)
        var last: [InboundMessage] = []
        let noted = try attempted(among: received)
        for inbound in received {
            guard inbound.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount else {
                trusted.append(inbound)
                continue
            }
            // What was at hand when a worker stopped waits until others of its kind have been tried and the worker
            // lives.
            guard !noted.contains(inbound.key) else {
                last.append(inbound)
                continue
            }
            try processInPieces(trusted)
            trusted = []
            try processAlone(inbound, isNoted: false)
        }
        try processInPieces(trusted)
        for inbound in last { try processAlone(inbound, isNoted: true) }
    }

    /// Each piece has a transaction that loads no more than the budget.
    private func processInPieces(_ received: [InboundMessage]) throws {
        for piece in desk.pieces(of: received, loadingAtMost: settings.batchBytesMax, limits: settings.limits) {
            try process(Array(piece))
            try keepName()
            // What is sent and not confirmed is in memory too.
            let isMuch = outboxPublisher.unconfirmedBytes > settings.batchBytesMax
            try send(confirmsWithin: isMuch ? LaneSettings.confirmTimeoutSeconds : 0)
            try consumer?.serve()
        }
    }

    /// Does what can be done of each message before its transaction, once; heartbeats are served meanwhile.
    func prepare(_ received: [InboundMessage]) throws -> [InboundMessage] {
        guard let store else { return received }
        var servedAt = ContinuousClock.now
        return try received.map { inbound in
            if ContinuousClock.now - servedAt > .milliseconds(100) {
                try consumer?.serve()
                try outboxPublisher.serve()
                servedAt = .now
            }
            return store.prepared(inbound)
        }
    }

    /// The whole of one transaction: its rows are the outlet's once it is committed.
    func transact(
        _ received: [InboundMessage], keepingBecause deadLetterReason: DeadLetterReason? = nil,
        settling settled: OutboxPublisher.Settled, sweep: Sweep? = nil
    ) throws {
        guard let store else { return }
        do {
            try store.ensureOpen()
            heedLoss()
            let givenUp =
                deadLetterReason.map { deadLetterReason in
                    Dictionary(received.map { ($0.key, deadLetterReason) }) { first, _ in first }
                } ?? [:]
            outboxPublisher.add(
                try store.transact(received, keeping: givenUp, settling: settled, sweep: sweep), justWritten: true)
        } catch {
            mayHaveCommittedUnknowingly = true
            throw error
        }
    }

    /// Called while the database is waited for: both connections to the broker are kept. What fails is thrown by the
    /// next turn. False once the lane was asked to stop and has waited long enough: what it waits for comes again.
    private func serveMeanwhile() -> Bool {
        do {
            try consumer?.serve()
            try outboxPublisher.serve()
        } catch {
            faultMeanwhile = error
        }
        guard stop.isStopped else { return true }
        let since = stopSeenAt ?? .now
        stopSeenAt = since
        return (ContinuousClock.now - since).inSeconds < LaneSettings.drainSeconds
    }

    // MARK: Ending

    /// Takes no new deliveries, finishes those it holds, writes what was confirmed.
    private func drain() {
        guard let consumer, let store else { return }
        do {
            try consumer.cancel()
            let end = ContinuousClock.now + .seconds(LaneSettings.drainSeconds)
            while ContinuousClock.now < end, !outboxPublisher.isBehind {
                // What was under way when the consumers ended still comes.
                let batches = try consumer.receive(upTo: settings.batchSizeMax, waiting: LaneSettings.underWaySeconds)
                guard !batches.isEmpty else { break }
                for batch in batches { try carry(batch) }
            }
            try send(confirmsWithin: LaneSettings.confirmTimeoutSeconds)
            try settleLetters()
            try store.endLease()
            logger.log(.laneDrained)
        } catch {
            // Nothing is lost: what was not finished comes again.
            logger.log(.laneEndedEarly(error))
        }
    }
}
