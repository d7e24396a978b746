import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import Observability
import PostgreSQL

/// One loop on one thread: it receives messages, decides them in one transaction, publishes the results and
/// acknowledges.
///
///     receive → prepare → BEGIN → claim → lock → load → decide → write → COMMIT → publish → acknowledge
///
/// A lane may be killed at any instruction, and nothing is lost. A message that was not acknowledged is delivered
/// again and finds its verdict in the inbox. A row that was not confirmed is in the outbox, and a relay sends it.
final class Lane {
    let desk: any Desk
    let settings: LaneSettings
    let name: String
    /// Whether this lane also sends the outbox rows of dead lanes: one lane of a process does.
    private let relays: Bool
    let stop: StopSignal
    private(set) var logger: Logger
    let sign: LaneSign
    let metrics: WorkerMetrics

    private(set) var store: LaneStore?
    private(set) var consumer: LaneConsumer?
    var outboxPublisher: OutboxPublisher
    /// How far this lane has read the queues of the acts that deferred messages wait for.
    var listening: [UnitID: Listening] = [:]
    var sharing = QueueSharing()
    private var nextRelay = ContinuousClock.now
    /// Whether more of the sweep may be due: then the lane does not sleep.
    var hadSweep = false
    var nextSweep = ContinuousClock.now
    /// Items of a sweep that failed alone, and the end of the time for which they are left out.
    var aside: [SweepItem: ContinuousClock.Instant] = [:]
    private var mayHearCommands = true
    /// A transaction failed, perhaps after its commit: then its outbox rows are only in the database, and must be
    /// read back.
    private var mayHaveCommittedUnknowingly = false
    /// The error of a connection to the broker while the lane waited for the database.
    private var faultMeanwhile: (any Error)?
    private var stopSeenAt: ContinuousClock.Instant?
    /// How long the last batches took.
    private var lastSeconds = 0.0
    /// Whether the lane has read its queues at some time: then a refused password may be one that is being changed.
    var hasListened = false
    var refusals = 0
    /// Since when the broker takes no messages.
    var blockedSince: ContinuousClock.Instant?

    var batchWatch = FaultWatch("messages")
    var sweepWatch = FaultWatch("sweep")
    var relayWatch = FaultWatch("relay")
    var queueWatch = FaultWatch("queues of parties")
    /// The outcomes of outbox rows that could not be written, and when they are tried again.
    var unwritten = OutboxPublisher.Settled()
    var writtenAgainAt = ContinuousClock.now

    init(
        _ desk: any Desk, settings: LaneSettings, name: String, relays: Bool, stop: StopSignal, logger: Logger,
        sign: LaneSign = WorkerBoard().addLane(), metrics: WorkerMetrics? = nil
    ) {
        self.desk = desk
        self.settings = settings
        self.name = name
        self.relays = relays
        self.stop = stop
        self.logger = logger
        self.sign = sign
        self.metrics = metrics ?? .none(desk.worker)
        self.logger[metadataKey: "lane"] = "\(name)"
        outboxPublisher = OutboxPublisher(settings.brokerNow, worker: desk.worker, name: name)
        outboxPublisher.metrics = self.metrics
    }

    /// Runs until `stop` is set, whatever happens to the broker and the database.
    func run() {
        var backoff = AMQP.Backoff(initialSeconds: 0.1, maximumSeconds: FaultWatch.secondsBetweenAttempts)
        var pace = FaultPace()
        while !stop.isStopped {
            do {
                try connect()
                while !stop.isStopped {
                    try turn()
                    backoff.reset()
                    if pace.attempts > 0 { pace = FaultPace() }
                }
            } catch {
                sign.waits(
                    for: error is AMQPError ? .broker : Fault(error, after: 0, statementSeconds: 0).wait,
                    Fault.words(error))
                if pace.tells(error, isNew: pace.attempts == 0) {
                    logger.log(.laneInterrupted(error, attempts: pace.attempts))
                }
                disconnect()
                // The error may be due to this database connection, such as one to a read-only server.
                if !(error is AMQPError) { store?.disconnect() }
                if refuses(error) { stop.stop() } else { pause(backoff.next()) }
            }
        }
        drain()
        disconnect()
        store?.close()
    }

    // MARK: Connections

    /// Connects to the database first. No consumer is opened before it answers, so that its absence does not raise
    /// the delivery count of a message.
    private func connect() throws {
        if let store {
            try store.ensureOpen()
            try store.refreshPolicy()
        } else {
            store = try LaneStore(settings, desk: desk, laneName: name, logger: logger, metrics: metrics)
            store?.whileWaiting = { [unowned self] in serveMeanwhile() }
        }
        sign.alive()
        try outboxPublisher.connect()
        if consumer == nil {
            consumer = try LaneConsumer(settings, desk: desk, name: name)
            if hasListened { metrics.reconnected(to: "broker") }
            try beginSharing()
        }
    }

    private func disconnect() {
        leaveQueues()
        consumer?.close()
        consumer = nil
        outboxPublisher.disconnect()
        faultMeanwhile = nil
    }

    /// Sleeps until the time is over or the lane is stopped.
    private func pause(_ seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while !stop.isStopped, ContinuousClock.now < end {
            sign.alive()
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    // MARK: One turn

    private func turn() throws {
        guard let consumer else { return }
        sign.alive()
        try heedBroker()
        try keepName()
        try send()
        try outboxPublisher.lookAfterConfirms()
        tellOfQueues()
        // The broker takes no messages: the lane begins nothing new and keeps both connections.
        guard !outboxPublisher.isBehind else {
            noteBlocked()
            return try consumer.serve(for: LaneSettings.idleSeconds)
        }
        noteUnblocked()

        try shareQueues()
        try retrying { try store?.refreshPolicy() }
        // If more of the sweep may be due, the lane does not sleep.
        let batches = try consumer.receive(
            upTo: settings.batchSizeMax, waiting: hadSweep ? 0 : min(LaneSettings.idleSeconds, secondsUntilShare),
            gathering: min(lastSeconds, LaneSettings.gatherSecondsMax))
        let begun = ContinuousClock.now
        for batch in batches { try carry(batch) }
        lastSeconds = (ContinuousClock.now - begun).inSeconds
        if batches.isEmpty {
            try outboxPublisher.serve()
            if !outboxPublisher.settled.isEmpty { try settleLetters() }
        }
        try runSweep()
        try relay()
    }

    /// Throws the error of a broker connection that occurred meanwhile. The lane then starts again, and its
    /// unacknowledged messages are delivered again.
    func heedBroker() throws {
        if let fault = faultMeanwhile { throw fault }
    }

    /// Sends the outbox rows that would otherwise stay: rows of dead lanes, own rows that are not in memory, and
    /// rows for queues that take messages again. Rows that cannot be read now are read at a later turn.
    private func relay() throws {
        guard let store, ContinuousClock.now >= nextRelay else { return }
        nextRelay = ContinuousClock.now + .seconds(LaneSettings.relayIntervalSeconds)
        writeAgain()
        try attempt(watchedBy: \.relayWatch) {
            if desk.defers { try markQueues(of: try store.awaitedUnits()) }
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

    /// Tries each parked queue with one row when it is due, and reads back the rows for the queues that take
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
        // The rest of the rows follows in the next turn.
        if rows.isEmpty { outboxPublisher.parked.readBack(freed) } else { nextRelay = .now }
    }

    /// Publishes the waiting rows. Rows that have waited longer than `LaneSettings.admittedSeconds` go through the
    /// barrier again first.
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

    /// Makes sure that the database session is open and the lane has its name.
    private func keepName() throws {
        try retrying {}
        heedLoss()
    }

    /// A lane that was stopped for longer than its lease has lost its name and its unsent rows: it drops them from
    /// memory.
    private func heedLoss() {
        guard let store, store.takeLoss() else { return }
        outboxPublisher.forget()
        logger.log(.laneStoodStill(newName: store.lease.name))
        logger[metadataKey: "lane"] = "\(store.lease.name)"
    }

    // MARK: Handling a batch

    /// Handles a batch and acknowledges it last (invariant 1): `handle` returns only when every message of the batch is
    /// committed, as itself or as a dead letter (`process`, `Lane+Faults.swift`); else it throws.
    private func carry(_ batch: LaneConsumer.Batch) throws {
        let before = mayHearCommands
        defer { mayHearCommands = before }
        // Acknowledgements cover all messages up to a tag: no further commands before these are acknowledged.
        if batch.isOfCommands { mayHearCommands = false }
        metrics.received(batch.received.map(\.type))
        metrics.took(from: batch.parties, at: Double(Wall.now) / 1e6)
        try handle(batch.received)
        try send()
        try settings.interrupt?(.afterPublish)
        try heedBroker()
        hear(batch.markers)
        // The only acknowledgement.
        try consumer?.acknowledge(batch)
    }

    /// Handles the commands of persons while another batch is tried again or divided, so that they do not wait for
    /// its end.
    func hearCommands() throws {
        guard mayHearCommands, !outboxPublisher.isBehind,
            let batch = try consumer?.receiveCommands(upTo: settings.batchSizeMax)
        else { return }
        if !batch.isEmpty { try carry(batch) }
    }

    private func handle(_ received: [InboundMessage]) throws {
        // In the order of arrival.
        var trusted: [InboundMessage] = []
        let received = InboundMessage.gathered(received)
        var last: [InboundMessage] = []
        let noted = try attempted(among: received)
        for inbound in received {
            guard inbound.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount else {
                trusted.append(inbound)
                continue
            }
            // A message that was being tried when a worker stopped comes last, after the others.
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

    /// Processes messages in pieces: each has its own transaction, which loads at most `batchBytesMax`.
    private func processInPieces(_ received: [InboundMessage]) throws {
        for piece in desk.pieces(of: received, loadingAtMost: settings.batchBytesMax, limits: settings.limits) {
            try process(Array(piece))
            sign.alive()
            try keepName()
            // Unconfirmed rows are in memory too.
            let isMuch = outboxPublisher.unconfirmedBytes > settings.batchBytesMax
            try send(confirmsWithin: isMuch ? LaneSettings.confirmTimeoutSeconds : 0)
            try consumer?.serve()
        }
    }

    /// Does the work on each message that is done once before its transaction, and serves heartbeats meanwhile.
    func prepare(_ received: [InboundMessage]) throws -> [InboundMessage] {
        guard let store else { return received }
        var servedAt = ContinuousClock.now
        return try received.map { inbound in
            if ContinuousClock.now - servedAt > .milliseconds(100) {
                sign.alive()
                try consumer?.serve()
                try outboxPublisher.serve()
                servedAt = .now
            }
            return store.prepared(inbound)
        }
    }

    /// Runs one transaction and gives its outbox rows to the publisher. It returns only after `LaneStore.commit`.
    func transact(
        _ received: [InboundMessage], keepingBecause deadLetterReason: DeadLetterReason? = nil,
        settling settled: OutboxPublisher.Settled, sweep: Sweep? = nil
    ) throws {
        guard let store else { throw LaneFault.noStore }
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

    /// Keeps both broker connections alive while the lane waits for the database. An error is thrown by the next
    /// turn.
    /// - Returns: `false` if the lane is to stop and has waited for `LaneSettings.drainSeconds`; its messages are
    ///   delivered again.
    private func serveMeanwhile() -> Bool {
        sign.alive()
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

    /// Ends the consumers, finishes the delivered messages, and writes the outcomes of outbox rows.
    private func drain() {
        guard let consumer, let store else { return }
        do {
            try consumer.cancel()
            let end = ContinuousClock.now + .seconds(LaneSettings.drainSeconds)
            while ContinuousClock.now < end, !outboxPublisher.isBehind {
                // Messages that were on their way when the consumers ended still arrive.
                let batches = try consumer.receive(upTo: settings.batchSizeMax, waiting: LaneSettings.underWaySeconds)
                guard !batches.isEmpty else { break }
                for batch in batches { try carry(batch) }
            }
            try send(confirmsWithin: LaneSettings.confirmTimeoutSeconds)
            try settleLetters()
            // Only then do other lanes read the queues of this one.
            consumer.close()
            self.consumer = nil
            try store.endLease()
            logger.log(.laneDrained)
        } catch {
            // Nothing is lost: messages that were not acknowledged are delivered again.
            logger.log(.laneEndedEarly(error))
        }
    }
}
