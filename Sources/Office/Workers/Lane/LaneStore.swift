import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import Observability
import PostgreSQL

/// The database side of a lane: one connection, and the transaction that processes every batch.
final class LaneStore {
    let settings: LaneSettings
    let logger: Logger
    let metrics: WorkerMetrics
    let desk: any Desk
    /// The lease of this lane's name, which is stored in its outbox rows.
    private(set) var lease: LaneLease
    private(set) var database: Database
    private(set) var directory: OfficeDirectory
    /// `nil` if the directory is not up to date.
    private var directoryReadAt: ContinuousClock.Instant?
    private var policy: ActivePolicy
    private var policyReadAt: ContinuousClock.Instant
    /// The number of transactions on this connection; at `replanAt` the query plans are discarded.
    private var transactionCount = 0
    private var replanAt = 4
    /// The number of subjects that the last sweep could lock.
    private(set) var subjectsOfSweep = 0
    /// Dead lanes whose leases this lane holds until their rows are sent.
    var adopted: Set<String> = []
    /// Outbox rows whose stored bodies cannot be opened: logged once, and left out until the lane starts again.
    var unreadable: Set<UUID> = []
    /// Called about once a second while the lane waits for the database; `false` closes the connection.
    var whileWaiting: () -> Bool = { true } { didSet { database.whileWaiting = whileWaiting } }
    private let doubt: ReplicationDoubt

    /// Connects to the database and reads the directory and the policy.
    /// - Throws: if the database does not answer, is not migrated, was written with other secrets, or has no
    ///   active policy.
    init(
        _ settings: LaneSettings, desk: any Desk, laneName: String, logger: Logger, metrics: WorkerMetrics? = nil
    ) throws {
        var settings = settings
        settings.boxes = settings.boxes.held(by: desk.worker)
        self.settings = settings
        self.desk = desk
        self.logger = logger
        self.metrics = metrics ?? .none(desk.worker)
        doubt = ReplicationDoubt()
        database = try LaneStore.connect(settings, laneName: laneName, logger, doubt)
        try SecretCheck.demand(of: settings, in: database)
        directory = try OfficeDirectory.read(database)
        policy = try ActivePolicy.active(database)
        policyReadAt = .now
        lease = try LaneLease(laneName, of: desk.worker, seconds: settings.leaseSeconds, in: database)
    }

    func close() { database.close() }

    /// Closes the connection; the next use makes a new one.
    func disconnect() { database.close() }

    private static func connect(
        _ settings: LaneSettings, laneName: String, _ logger: Logger, _ doubt: ReplicationDoubt
    ) throws -> Database {
        var connection = settings.databaseNow
        connection.applicationName = "bihuan \(laneName)"
        connection.isGuarded = true
        let database = try Database(connection)
        database.onNotice = { notice in
            doubt.take(notice)
            logger.log(.databaseNotice(severity: notice.severity, code: notice.sqlState))
        }
        try database.execute(PlannerSettings.sql)
        return database
    }

    // MARK: The transaction

    /// Runs one transaction: BEGIN → claim → lock → load → decide → write → COMMIT.
    /// - Parameters:
    ///   - received: the messages. If two have the same key, both are repeats of an act that was decided.
    ///   - givenUp: the messages that are not decided but kept as dead letters, with the reasons.
    ///   - settled: the outcomes of earlier outbox rows.
    /// - Returns: the outbox rows to send.
    func transact(
        _ received: [InboundMessage], keeping givenUp: [InboxKey: DeadLetterReason] = [:],
        settling settled: OutboxPublisher.Settled = .init(), sweep: Sweep? = nil
    ) throws -> [OutboxRow] {
        for _ in 1...2 {
            do {
                return try attempt(received, keeping: givenUp, settling: settled, sweep: sweep)
            } catch let error as PostgreSQLError where error.isBarrier {
                // Units, sources or persons changed after they were last read: decide again with the current ones.
                directoryReadAt = nil
            }
        }
        return try attempt(received, keeping: givenUp, settling: settled, sweep: sweep)
    }

    private func attempt(
        _ received: [InboundMessage], keeping givenUp: [InboxKey: DeadLetterReason],
        settling settled: OutboxPublisher.Settled, sweep: Sweep?
    ) throws -> [OutboxRow] {
        do {
            return try transaction(received, keeping: givenUp, settling: settled, sweep: sweep)
        } catch {
            rollBack()
            throw error
        }
    }

    private func transaction(
        _ arrived: [InboundMessage], keeping givenUp: [InboxKey: DeadLetterReason],
        settling settled: OutboxPublisher.Settled, sweep: Sweep?
    ) throws -> [OutboxRow] {
        let wall = Instant.wall()
        let begun = ContinuousClock.now
        try refreshDirectory()
        try refreshPlans()
        var unitOfWork = UnitOfWork(office: office(atWall: wall))

        // Again where the preparation failed or is out of date; now an error is one of this transaction.
        let received = try arrived.map(known).map {
            givenUp[$0.key] == nil ? try prepared($0, in: unitOfWork.office) : $0
        }
        let fresh = try claim(received, in: &unitOfWork)
        try countDeadLetters(of: fresh.filter { givenUp[$0.key] != nil || $0.isDead }, in: &unitOfWork)
        let kept = fresh.filter { givenUp[$0.key] == nil }
        let words = try loadDeadLetterCommands(
            kept.filter(\.isAboutDeadLetter), confirmed: settled.confirmed, in: &unitOfWork)
        let decided =
            try kept.filter { !$0.isAboutDeadLetter }
            + words.compactMap(\.replayed).map { try prepared($0, in: unitOfWork.office) }
        let heard = decided.filter { $0.isHeard(by: desk.worker) }
        try load(decided, settled, sweep, words, into: &unitOfWork)
        // Business time (invariant 11), now that the locks are held. Decisions and statements get it from here.
        unitOfWork.office.now = settings.clock.instant(atWall: .wall())
        try desk.load(heard, into: &unitOfWork, from: database)
        if let sweep { try sweep.load(&unitOfWork, sweep.items, database) }

        // From here on the database is not queried: decisions use only the loaded data.
        for inbound in fresh {
            guard let deadLetterReason = givenUp[inbound.key] else { continue }
            // The dead letter stays as it is; a command about it need not be kept.
            if inbound.isAboutDeadLetter { unitOfWork.refuse(inbound, [deadLetterReason.problem]); continue }
            try unitOfWork.keepAsDeadLetter(inbound, deadLetterReason.problem, detail: deadLetterReason.detail)
        }
        for inbound in decided { try setAside(inbound, on: &unitOfWork) }
        try desk.decide(heard, on: &unitOfWork)
        try unitOfWork.demandVerdicts(on: heard)
        if let sweep {
            subjectsOfSweep = unitOfWork.cases.subjectCount
            try sweep.work(&unitOfWork, sweep.items)
        }
        for word in words { try unitOfWork.conclude(word) }
        try unitOfWork.apply(settled)
        try unitOfWork.outgoing.checkSizes(settings.limits)

        try database.write(
            unitOfWork.cases.writes, with: unitOfWork.commands(lane: lease.name, deleting: settled.all.map(\.eventID)))
        if !received.isEmpty { try settings.interrupt?(.beforeCommit) }
        try commit()
        count(unitOfWork, received, fresh: Set(fresh.map(\.key)), since: begun)
        for fault in unitOfWork.answers.faults { logger.log(.setAside(fault)) }
        if !received.isEmpty { try settings.interrupt?(.afterCommit) }
        return unitOfWork.outgoing.rows.filter { $0.leftTo == nil }
    }

    /// Counts what a transaction committed.
    private func count(
        _ unitOfWork: UnitOfWork, _ received: [InboundMessage], fresh: Set<InboxKey>,
        since begun: ContinuousClock.Instant
    ) {
        for step in unitOfWork.cases.clockSteps { metrics.tookStep(step.action) }
        guard !received.isEmpty else { return }
        metrics.took((ContinuousClock.now - begun).inSeconds, .receivedToCommitted)
        metrics.decided(
            received.map { inbound in
                let verdict = fresh.contains(inbound.key) ? unitOfWork.answers.verdict(of: inbound.key) : nil
                return (inbound.type, verdict?.rawValue ?? (fresh.contains(inbound.key) ? "taken" : "repeated"))
            })
    }

    /// Does the work on a message that is done before BEGIN. An error is ignored: it occurs again in the
    /// transaction, which handles it.
    func prepared(_ inbound: InboundMessage) -> InboundMessage {
        (try? prepared(inbound, in: office(atWall: .wall()))) ?? inbound
    }

    private func prepared(_ inbound: InboundMessage, in office: OfficeContext) throws -> InboundMessage {
        guard !(inbound.prepared?.holds(in: office) ?? false) else { return inbound }
        var inbound = inbound
        inbound.prepared = try desk.prepare(inbound, in: office)
        return inbound
    }

    /// The data of the office at this moment, with the business time.
    func office(atWall wall: Instant) -> OfficeContext {
        OfficeContext(
            worker: desk.worker, directory: directory, rulebook: policy.rulebook, vault: settings.vault,
            boxes: settings.boxes, digestKey: settings.digestKey, now: settings.clock.instant(atWall: wall), wall: wall,
            limits: settings.limits, deferredBytesMax: settings.deferredBytesMax)
    }

    /// The message itself, or, if its sender is not registered, one that is kept and not decided.
    func known(_ inbound: InboundMessage) -> InboundMessage {
        guard let sender = inbound.sender, !directory.knows(sender) else { return inbound }
        return inbound.fromStranger
    }

    /// Claims the messages in the inbox (invariant 2). A message that cannot be claimed is a repeat: it gets its
    /// verdict again. An act is known by its `InboxKey`: the sender for whom the broker vouches, and the event id. An
    /// act whose row was pruned is claimed anew, and stopped later: by `HandoffState.apply`, by its note
    /// (`UnitOfWork.note`, `Acts.swift`), or by the row of its report (`UnitOfWork.repeatSubmission`).
    /// - Returns: the messages that were claimed.
    private func claim(_ received: [InboundMessage], in unitOfWork: inout UnitOfWork) throws -> [InboundMessage] {
        let (_, claimed) = try database.pipeline(
            Begin(),
            ClaimInbox(
                keys: received.map(\.key), digests: received.map(\.digest), subjects: received.map(\.subject),
                receivedAt: unitOfWork.office.wall))
        guard claimed.rows.count < received.count else { return received }
        // Another session committed these, perhaps without the standby. This transaction may write nothing, and
        // then its commit does not wait for the standby.
        doubt.isOpen = true
        let own = Set(claimed.rows)
        guard received.count(where: { own.contains($0.key) }) == own.count else { throw UndecidedRepeats() }
        let repeats = try loadRepeats(received.filter { !own.contains($0.key) }, into: &unitOfWork)
        for known in repeats { try unitOfWork.answerAgain(known) }
        return received.filter { own.contains($0.key) }
    }

    /// Settles a message that the desk does not decide.
    private func setAside(_ inbound: InboundMessage, on unitOfWork: inout UnitOfWork) throws {
        if inbound.key.eventID == settings.trapMessageID { abort() }
        switch inbound.content {
        case .message: if !inbound.isHeard(by: desk.worker) { unitOfWork.refuse(inbound, [.wrongWorker]) }
        case .refused(let refused): unitOfWork.refuse(inbound, refused.problems)
        case .dead(let problem, _): try unitOfWork.keepAsDeadLetter(inbound, problem)
        }
    }

    /// Commits, and makes sure that the standby has the commit.
    ///
    /// A commit may be missing on the standby if the wait for it was cancelled, if the lane did not learn the
    /// result of the commit, or if another session made it and it is found here as a repeat. A later commit with a
    /// complete wait confirms the earlier ones, because the log keeps their order.
    private func commit() throws {
        do {
            try database.commit()
        } catch {
            doubt.isOpen = doubt.isOpen || error.isConnectionLost
            throw error
        }
        while doubt.isOpen {
            doubt.isOpen = false
            do {
                try lease.renew(in: database)
            } catch {
                doubt.isOpen = true
                throw error
            }
        }
    }

    func rollBack() {
        // On a lost connection there is nothing to roll back; the caller finds it closed.
        do { try database.rollback() } catch { database.close() }
    }

    // MARK: Between transactions

    /// Makes a new connection if the old one is closed, and renews the lease of the lane's name. If the name was
    /// lost, the lane gets a new one.
    func ensureOpen() throws {
        guard !database.isOpen else { return try lease.renewIfDue(in: database) }
        database = try LaneStore.connect(settings, laneName: lease.name, logger, doubt)
        database.whileWaiting = whileWaiting
        metrics.reconnected(to: "database")
        (transactionCount, replanAt) = (0, 4)
        adopted = []
        try lease.renew(in: database)
    }

    /// Stores whether the lane reads queues of parties, and so has a share of them.
    func reads(_ reads: Bool) throws { try lease.renew(reads: reads, in: database) }

    /// Whether the lane's name was lost: then a relay sends its rows.
    func takeLoss() -> Bool { lease.takeLoss() }

    func noteAttempt(_ inbound: InboundMessage) throws -> Int {
        try database.run(NoteAttempt(digest: inbound.digest, at: .wall())).rows.first ?? 1
    }

    func forgetAttempt(_ inbound: InboundMessage) throws {
        try database.run(ForgetAttempt(digest: inbound.digest))
    }

    /// The keys of these messages for which attempts are recorded.
    func withAttempts(_ received: [InboundMessage]) throws -> Set<InboxKey> {
        let noted = Set(try database.run(ReadAttempts(digests: received.map(\.digest))).rows)
        return Set(received.filter { noted.contains($0.digest) }.map(\.key))
    }

    /// Finds the desk's sweep for the business time of now, which the query gets as a parameter.
    func sweep(listening: [UnitID: Listening], except aside: [SweepItem]) throws -> Sweep? {
        settings.vault.endEpoch(at: .wall())
        let times = SweepTimes(
            now: settings.clock.instant(atWall: .wall()), listening: listening, rulebook: policy.rulebook,
            lane: lease.name)
        return try desk.sweep(reading: database, at: times, except: aside)
    }

    /// The units whose signature a deferred message waits for: a marker in their queues is useful.
    func awaitedUnits() throws -> [UnitID] { try database.run(ReadAwaitedUnits()).rows }

    /// Discards the query plans at growing intervals. A plan that was made for small tables may read a whole
    /// index, and would still do so when the tables are large, until their statistics are gathered again.
    private func refreshPlans() throws {
        transactionCount += 1
        guard transactionCount == replanAt else { return }
        replanAt *= 4
        try database.execute("DISCARD PLANS")
    }

    /// Reads the active policy again, between batches. If it cannot be read, nothing is decided and no message is
    /// blamed.
    func refreshPolicy() throws {
        guard (ContinuousClock.now - policyReadAt).inSeconds > LaneSettings.policyIntervalSeconds else { return }
        if let changed = try ActivePolicy.read(database, unless: policy.number) {
            policy = changed
            logger.log(.policyChanged(to: changed.policy.versionName))
        }
        policyReadAt = .now
    }

    func refreshDirectory() throws {
        if let directoryReadAt,
            (ContinuousClock.now - directoryReadAt).inSeconds <= LaneSettings.directoryIntervalSeconds
        {
            return
        }
        directoryReadAt = .now
        do {
            directory = try OfficeDirectory.read(database, unless: directory)
        } catch let error as PostgreSQLError where Fault(error, after: 0, statementSeconds: 0).suspects {
            // No message is to blame for a row that this program cannot read: the old directory stays in use.
            logger.log(.directoryUnreadable(error))
        }
    }
}

/// Some acts came several times, and their inbox rows were pruned: they must be processed one by one.
struct UndecidedRepeats: Error {}

/// Whether a commit may be missing on the standby.
final class ReplicationDoubt {
    var isOpen = false

    /// Takes the warning "canceling wait for synchronous replication", for which PostgreSQL has no separate SQLSTATE.
    func take(_ notice: ServerNotice) {
        if notice.severity == "WARNING", notice.sqlState == "01000" { isOpen = true }
    }
}

extension InboundMessage {
    fileprivate func isHeard(by worker: Worker) -> Bool {
        guard case .message(let message) = content else { return false }
        return message.envelope.type.definition.readers.contains(worker)
    }
}

extension PostgreSQLError {
    /// Whether a constraint of the database stopped something that the barrier in the rules had admitted.
    fileprivate var isBarrier: Bool {
        ["outbox_addressee_not_barred", "handoff_unit_not_barred", "person_notice_not_barred"].contains(constraintName)
    }
}

extension OutboxRow {
    /// Whether a confirm of the row is an event of its handoff's state machine.
    var movesHandoff: Bool { handoffID != nil && type == MessageType.handoffDispatched.rawValue }
}
