import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL

/// The database side of a lane: one connection, and the one transaction that every batch goes through.
final class LaneStore {
    let settings: LaneSettings
    private let logger: Logger
    let desk: any Desk
    /// This lane's name, which rows of the outbox carry, and its hold on it.
    private(set) var lease: LaneLease
    private(set) var database: Database
    private(set) var directory: OfficeDirectory
    /// `nil`: it is known to be out of date.
    private var directoryReadAt: ContinuousClock.Instant?
    private var policy: ActivePolicy
    private var policyReadAt: ContinuousClock.Instant
    /// Transactions since the connection was made, and at which one plans are made anew.
    private var transactionCount = 0
    private var replanAt = 4
    /// How many of its reports the last sweep found free.
    private(set) var reportsOfSweep = 0
    /// Lanes that died, whose leases this one holds until their rows are out.
    var adopted: Set<String> = []
    /// Called about once a second while the database is waited for; false gives the connection up.
    var whileWaiting: () -> Bool = { true } { didSet { database.whileWaiting = whileWaiting } }
    private let doubt: ReplicationDoubt

    /// Throws until the database answers, is migrated, and knows the office.
    init(_ settings: LaneSettings, desk: any Desk, laneName: String, logger: Logger) throws {
        self.settings = settings
        self.desk = desk
        self.logger = logger
        doubt = ReplicationDoubt()
        database = try LaneStore.connect(settings, laneName: laneName, logger, doubt)
        try SecretCheck.demand(settings.vault, settings.digestKey, in: database)
        directory = try OfficeDirectory.read(database)
        policy = try ActivePolicy.active(database)
        policyReadAt = .now
        lease = try LaneLease(laneName, of: desk.worker, seconds: settings.leaseSeconds, in: database)
    }

    func close() { database.close() }

    /// The next use makes a new connection.
    func disconnect() { database.close() }

    private static func connect(
        _ settings: LaneSettings, laneName: String, _ logger: Logger, _ doubt: ReplicationDoubt
    ) throws -> Database {
        var connection = settings.database
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

    /// BEGIN → claim → lock → load → decide → write → COMMIT. Returns what is to be sent.
    /// - Parameters:
    ///   - messages: where two have the same key, both are repeats of an act that was decided.
    ///   - givenUp: those that are not decided any more but kept as dead letters, and why.
    ///   - settled: what became of earlier rows.
    func transact(
        _ received: [InboundMessage], keeping givenUp: [InboxKey: DeadLetterReason] = [:],
        settling settled: OutboxPublisher.Settled = .init(), sweep: Sweep? = nil
    ) throws -> [OutboxRow] {
        for _ in 1...2 {
            do {
                return try attempt(received, keeping: givenUp, settling: settled, sweep: sweep)
            } catch let error as PostgreSQLError where error.isBarrier {
                // Units, sources or persons changed after they were last read: decided anew on what is so now.
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
        try refreshDirectory()
        try refreshPlans()
        var unitOfWork = UnitOfWork(office: office(atWall: wall))

        let received = arrived.map(known)
        let fresh = try claim(received, in: &unitOfWork)
        try countDeadLetters(of: fresh.filter { givenUp[$0.key] != nil || $0.isDead }, in: &unitOfWork)
        let kept = fresh.filter { givenUp[$0.key] == nil }
        let words = try loadDeadLetterCommands(
            kept.filter(\.isAboutDeadLetter), confirmed: settled.confirmed, in: &unitOfWork)
        let decided = kept.filter { !$0.isAboutDeadLetter } + words.compactMap(\.replayed)
        let heard = decided.filter { $0.isHeard(by: desk.worker) }
        try load(decided, settled, sweep, words, into: &unitOfWork)
        unitOfWork.office.now = settings.clock.instant(atWall: .wall())
        try desk.load(heard, into: &unitOfWork, from: database)
        try sweep?.load(&unitOfWork, database)

        // From here on nothing is asked of the database: what was loaded is all that decides.
        for inbound in fresh {
            guard let deadLetterReason = givenUp[inbound.key] else { continue }
            // The letter stays where it is; a word about it need not be kept.
            if inbound.isAboutDeadLetter { unitOfWork.refuse(inbound, [deadLetterReason.problem]); continue }
            try unitOfWork.keepAsDeadLetter(inbound, deadLetterReason.problem, detail: deadLetterReason.detail)
        }
        for inbound in decided { try setAside(inbound, on: &unitOfWork) }
        try desk.decide(heard, on: &unitOfWork)
        if let sweep {
            reportsOfSweep = unitOfWork.cases.files.count
            try sweep.work(&unitOfWork)
        }
        for word in words { try unitOfWork.conclude(word) }
        try unitOfWork.apply(settled)
        try unitOfWork.outgoing.checkSizes(settings.limits)

        try database.write(
            unitOfWork.cases.writes, with: unitOfWork.commands(lane: lease.name, deleting: settled.all.map(\.eventID)))
        if !received.isEmpty { try settings.interrupt?(.beforeCommit) }
        try commit()
        for fault in unitOfWork.answers.faults { logger.log(.setAside(fault)) }
        if !received.isEmpty { try settings.interrupt?(.afterCommit) }
        return unitOfWork.outgoing.rows
    }

    /// What can be done of a message before BEGIN. What fails here fails again in the transaction, where it is judged.
    func prepared(_ inbound: InboundMessage) -> InboundMessage {
        guard inbound.prepared == nil else { return inbound }
        var inbound = inbound
        inbound.prepared = try? desk.prepare(inbound, in: office(atWall: .wall()))
        return inbound
    }

    /// What is known of the office at this moment.
    private func office(atWall wall: Instant) -> OfficeContext {
        OfficeContext(
            worker: desk.worker, directory: directory, rulebook: policy.rulebook, vault: settings.vault,
            digestKey: settings.digestKey, now: settings.clock.instant(atWall: wall), wall: wall,
            limits: settings.limits, deferredBytesMax: settings.deferredBytesMax)
    }

    /// What a stranger sends is kept, and decided by nobody.
    func known(_ inbound: InboundMessage) -> InboundMessage {
        guard let sender = inbound.sender, !directory.knows(sender) else { return inbound }
        return inbound.fromStranger
    }

    /// What is not claimed was known before: it gets its verdict again, and goes no further.
    private func claim(_ received: [InboundMessage], in unitOfWork: inout UnitOfWork) throws -> [InboundMessage] {
        let (_, claimed) = try database.pipeline(
            Begin(),
            ClaimInbox(
                keys: received.map(\.key), digests: received.map(\.digest), subjects: received.map(\.subject),
                receivedAt: unitOfWork.office.wall))
        guard claimed.rows.count < received.count else { return received }
        // Another session committed these, perhaps without its standby; nothing may be written here that would wait for
        // it.
        doubt.isOpen = true
        let own = Set(claimed.rows)
        guard received.count(where: { own.contains($0.key) }) == own.count else { throw UndecidedRepeats() }
        let repeats = try loadRepeats(received.filter { !own.contains($0.key) }, into: &unitOfWork)
        for known in repeats { try unitOfWork.answerAgain(known) }
        return received.filter { own.contains($0.key) }
    }

    /// Settles what the desk does not hear.
    private func setAside(_ inbound: InboundMessage, on unitOfWork: inout UnitOfWork) throws {
        if inbound.key.eventID == settings.trapMessageID { abort() }
        switch inbound.content {
        case .message: if !inbound.isHeard(by: desk.worker) { unitOfWork.refuse(inbound, [.wrongWorker]) }
        case .refused(let refused): unitOfWork.refuse(inbound, refused.problems)
        case .dead(let problem, _): try unitOfWork.keepAsDeadLetter(inbound, problem)
        }
    }

    /// What is committed here may lack its copy on the standby: when the wait for it was cancelled, when nobody learned
    /// how the commit ended, or when it was another's and meets us as a repeat. A later commit that is waited for in
    /// full confirms the earlier ones, since the log keeps their order.
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
        // On a connection that is gone there is nothing to roll back; the caller sees that it is gone.
        do { try database.rollback() } catch { database.close() }
    }

    // MARK: Between transactions

    /// Whether the connection stands; if not, a new one is made. The lease on the lane's name goes with it, unless it
    /// was lost.
    func ensureOpen() throws {
        guard !database.isOpen else { return try lease.renewIfDue(in: database) }
        database = try LaneStore.connect(settings, laneName: lease.name, logger, doubt)
        database.whileWaiting = whileWaiting
        (transactionCount, replanAt) = (0, 4)
        adopted = []
        try lease.renew(in: database)
    }

    /// Whether the lane's name was lost: what it had to send is the relay's.
    func takeLoss() -> Bool { lease.takeLoss() }

    func noteAttempt(_ inbound: InboundMessage) throws -> Int {
        try database.run(NoteAttempt(digest: inbound.digest, at: .wall())).rows.first ?? 1
    }

    func forgetAttempt(_ inbound: InboundMessage) throws {
        try database.run(ForgetAttempt(digest: inbound.digest))
    }

    /// Of these messages, those of which attempts are noted.
    func withAttempts(_ received: [InboundMessage]) throws -> Set<InboxKey> {
        let noted = Set(try database.run(ReadAttempts(digests: received.map(\.digest))).rows)
        return Set(received.filter { noted.contains($0.digest) }.map(\.key))
    }

    func sweep(listening: Listening, except aside: [ReportID]) throws -> Sweep? {
        let now = settings.clock.instant(atWall: .wall())
        return try desk.sweep(reading: database, at: SweepTimes(now: now, listening: listening), except: aside)
    }

    /// Whether anything waits that a marker may help to give up.
    func hasDeferredMessages() throws -> Bool { try database.run(HasDeferredMessages()).rows.first ?? false }

    /// A plan that was made while tables were small may read all of an index, and would go on doing so while they grow,
    /// until their statistics are next gathered. So plans are made anew, ever more rarely.
    private func refreshPlans() throws {
        transactionCount += 1
        guard transactionCount == replanAt else { return }
        replanAt *= 4
        try database.execute("DISCARD PLANS")
    }

    /// What the office decides by, as it stands now. Between batches: where the policy cannot be read, nothing is
    /// decided, and no message is to blame.
    func refreshPolicy() throws {
        guard (ContinuousClock.now - policyReadAt).inSeconds > LaneSettings.policyIntervalSeconds else { return }
        if let changed = try ActivePolicy.read(database, unless: policy.number) {
            policy = changed
            logger.log(.policyChanged(to: "\(changed.policy.name)@\(changed.policy.version)"))
        }
        policyReadAt = .now
    }

    private func refreshDirectory() throws {
        if let directoryReadAt,
            (ContinuousClock.now - directoryReadAt).inSeconds <= LaneSettings.directoryIntervalSeconds
        {
            return
        }
        directoryReadAt = .now
        do {
            directory = try OfficeDirectory.read(database)
        } catch let error as PostgreSQLError where Fault(error, after: 0, statementSeconds: 0).suspects {
            // A row that this program cannot read is no message's doing: what was known before holds on.
            logger.log(.directoryUnreadable(error))
        }
    }
}

/// Acts that came several times and that the inbox does not know any more: to be taken one by one.
struct UndecidedRepeats: Error {}

/// Whether a commit may not be on the standby yet that it should be on.
final class ReplicationDoubt {
    var isOpen = false

    /// "canceling wait for synchronous replication": PostgreSQL gives this warning no SQLSTATE of its own.
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
    /// The database held the barrier where the rules let something through.
    fileprivate var isBarrier: Bool {
        ["outbox_addressee_not_barred", "handoff_unit_not_barred", "person_notice_not_barred"].contains(constraintName)
    }
}

extension OutboxRow {
    /// Whether its confirm is an event of its handoff's state machine.
    var movesHandoff: Bool { handoffID != nil && type == MessageType.handoffDispatched.rawValue }
}
