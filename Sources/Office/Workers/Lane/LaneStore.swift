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
    /// How many of its reports the last errand found free.
    private(set) var reportsOfErrand = 0
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
        // Its words may quote a row, so they are left out.
        database.onNotice = { notice in
            doubt.take(notice)
            logger.log(
                level: notice.level, "notice from the database", metadata: ["severity": "\(notice.severity)", "code": "\(notice.sqlState)"])
        }
        try database.execute(PlannerSettings.sql)
        return database
    }

    // MARK: The transaction

    /// BEGIN → claim → lock → load → decide → write → COMMIT. Returns what is to be sent.
    /// - Parameters:
    ///   - parcels: where two have the same key, both are repeats of an act that was decided.
    ///   - buried: those that are not decided any more but kept as dead letters, and why.
    ///   - settled: what became of earlier letters.
    func transact(
        _ parcels: [Parcel], burying buried: [InboxKey: Burial] = [:], settling settled: LaneOutlet.Settled = .init(),
        errand: Errand? = nil
    ) throws -> [OutboxRow] {
        for _ in 1...2 {
            do {
                return try attempt(parcels, burying: buried, settling: settled, errand: errand)
            } catch let error as PostgreSQLError where error.isBarrier {
                // Units, sources or persons changed after they were last read: decided anew on what is so now.
                directoryReadAt = nil
            }
        }
        return try attempt(parcels, burying: buried, settling: settled, errand: errand)
    }

    private func attempt(
        _ parcels: [Parcel], burying buried: [InboxKey: Burial], settling settled: LaneOutlet.Settled, errand: Errand?
    ) throws -> [OutboxRow] {
        do {
            return try transaction(parcels, burying: buried, settling: settled, errand: errand)
        } catch {
            rollBack()
            throw error
        }
    }

    private func transaction(
        _ arrived: [Parcel], burying buried: [InboxKey: Burial], settling settled: LaneOutlet.Settled, errand: Errand?
    ) throws -> [OutboxRow] {
        let wall = Instant.wall()
        try refreshDirectory()
        try refreshPlans()
        var docket = Docket(
            worker: desk.worker, directory: directory, rulebook: policy.rulebook, vault: settings.vault,
            digestKey: settings.digestKey,
            now: settings.clock.instant(atWall: wall), wall: wall)
        (docket.limits, docket.heldBytesMax) = (settings.limits, settings.heldBytesMax)

        let parcels = arrived.map(known)
        let fresh = try claim(parcels, in: &docket)
        try countDeadLetters(of: fresh.filter { buried[$0.key] != nil || $0.isDead }, in: &docket)
        let kept = fresh.filter { buried[$0.key] == nil }
        let words = try openLetters(kept.filter(\.isAboutDeadLetter), in: &docket)
        let decided = kept.filter { !$0.isAboutDeadLetter } + words.compactMap(\.replayed)
        try load(decided, settled, errand, alsoReports: words.flatMap(\.letter.reports), into: &docket)
        docket.now = settings.clock.instant(atWall: .wall())
        for parcel in fresh {
            guard let burial = buried[parcel.key] else { continue }
            // The letter stays where it is; a word about it need not be kept.
            if parcel.isAboutDeadLetter { docket.refuse(parcel, [burial.problem]); continue }
            try docket.bury(parcel, burial.problem, detail: burial.detail)
        }
        try decide(decided, errand, on: &docket)
        for word in words { docket.conclude(word) }
        try docket.apply(settled)
        try docket.checkSizes()

        try database.write(
            docket.caseWrites, with: docket.commands(lane: lease.name, deleting: settled.all.map(\.eventID)))
        if !parcels.isEmpty { try settings.interrupt?(.beforeCommit) }
        try commit()
        for fault in docket.faults { logger.error("set aside", metadata: ["cause": "\(fault)"]) }
        if !parcels.isEmpty { try settings.interrupt?(.afterCommit) }
        return docket.letters
    }

    /// What can be done of a message before BEGIN. What fails here fails again in the transaction, where it is judged.
    func prepared(_ parcel: Parcel) -> Parcel {
        guard parcel.prepared == nil else { return parcel }
        var parcel = parcel
        let wall = Instant.wall()
        parcel.prepared = try? desk.prepare(
            parcel,
            with: PreparationTools(
                directory: directory, rulebook: policy.rulebook, vault: settings.vault, digestKey: settings.digestKey,
                now: settings.clock.instant(atWall: wall), wall: wall))
        return parcel
    }

    /// What a stranger sends is kept, and decided by nobody.
    func known(_ parcel: Parcel) -> Parcel {
        guard let sender = parcel.sender, !directory.knows(sender) else { return parcel }
        return parcel.fromStranger
    }

    /// What is not claimed was known before: it gets its verdict again, and goes no further.
    private func claim(_ parcels: [Parcel], in docket: inout Docket) throws -> [Parcel] {
        let (_, claimed) = try database.pipeline(
            Begin(),
            ClaimInbox(
                keys: parcels.map(\.key), digests: parcels.map(\.digest), subjects: parcels.map(\.subject), receivedAt: docket.wall))
        guard claimed.rows.count < parcels.count else { return parcels }
        // Another session committed these, perhaps without its standby; nothing may be written here that would wait for it.
        doubt.isOpen = true
        let own = Set(claimed.rows)
        guard parcels.count(where: { own.contains($0.key) }) == own.count else { throw UndecidedRepeats() }
        try answerAgain(parcels.filter { !own.contains($0.key) }, in: &docket)
        return parcels.filter { own.contains($0.key) }
    }

    private func decide(_ parcels: [Parcel], _ errand: Errand?, on docket: inout Docket) throws {
        for parcel in parcels {
            if parcel.key.eventID == settings.trapMessageID { abort() }
            switch parcel.content {
            case .message: continue
            case .refused(let refused): docket.refuse(parcel, refused.problems)
            case .dead(let problem, _): try docket.bury(parcel, problem)
            }
        }
        try desk.decide(parcels, on: &docket, reading: database)
        if let errand {
            reportsOfErrand = docket.files.count
            try errand.work(&docket, database)
        }
    }

    /// What is committed here may lack its copy on the standby: when the wait for it was cancelled, when nobody learned how the
    /// commit ended, or when it was another's and meets us as a repeat. A later commit that is waited for in full confirms the earlier ones, since the log keeps their order.
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

    /// Whether the connection stands; if not, a new one is made. The lease on the lane's name goes with it, unless it was lost.
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

    func noteAttempt(_ parcel: Parcel) throws -> Int {
        try database.run(NoteAttempt(digest: parcel.digest, at: .wall())).rows.first ?? 1
    }

    func forgetAttempt(_ parcel: Parcel) throws {
        try database.run(ForgetAttempt(digest: parcel.digest))
    }

    /// Of these parcels, those of which attempts are noted.
    func withAttempts(_ parcels: [Parcel]) throws -> Set<InboxKey> {
        let noted = Set(try database.run(ReadAttempts(digests: parcels.map(\.digest))).rows)
        return Set(parcels.filter { noted.contains($0.digest) }.map(\.key))
    }

    func errand(listening: Listening, except aside: [ReportID]) throws -> Errand? {
        let now = settings.clock.instant(atWall: .wall())
        return try desk.errand(reading: database, at: ErrandTimes(now: now, listening: listening), except: aside)
    }

    /// Whether anything waits that a marker may help to give up.
    func holdsMessages() throws -> Bool { try database.run(HoldsMessages()).rows.first ?? false }

    /// A plan that was made while tables were small may read all of an index, and would go on doing so while they grow, until
    /// their statistics are next gathered. So plans are made anew, ever more rarely.
    private func refreshPlans() throws {
        transactionCount += 1
        guard transactionCount == replanAt else { return }
        replanAt *= 4
        try database.execute("DISCARD PLANS")
    }

    /// What the office decides by, as it stands now. Between batches: where the policy cannot be read, nothing is decided, and no
    /// message is to blame.
    func refreshPolicy() throws {
        guard (ContinuousClock.now - policyReadAt).seconds > LaneSettings.policyIntervalSeconds else { return }
        if let changed = try ActivePolicy.read(database, unless: policy.number) {
            policy = changed
            logger.notice("another policy decides", metadata: ["policy": "\(changed.policy.name)@\(changed.policy.version)"])
        }
        policyReadAt = .now
    }

    private func refreshDirectory() throws {
        if let directoryReadAt, (ContinuousClock.now - directoryReadAt).seconds <= LaneSettings.directoryIntervalSeconds { return }
        directoryReadAt = .now
        do {
            directory = try OfficeDirectory.read(database)
        } catch let error as PostgreSQLError where Fault(error, after: 0, statementSeconds: 0).suspects {
            // A row that this program cannot read is no message's doing: what was known before holds on.
            logger.error("the directory cannot be read", metadata: ["cause": "\(Fault.words(error))"])
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

extension ServerNotice {
    fileprivate var level: Logger.Level {
        switch severity {
        case "WARNING": .warning
        case "NOTICE": .notice
        case "DEBUG": .debug
        default: .info
        }
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

extension Docket {
    /// Everything to be written beside the cases, in bulk.
    func commands(lane: String, deleting sent: [UUID]) -> [any Command] {
        var commands: [any Command] = []
        if !notes.isEmpty { commands.append(InsertHandoffNotes(notes: notes)) }
        if !clockSteps.isEmpty { commands.append(InsertClockSteps(steps: clockSteps)) }
        if !notices.isEmpty { commands.append(InsertPersonNotices(notices: notices)) }
        if !newlyHeld.isEmpty { commands.append(InsertHeldMessages(messages: newlyHeld)) }
        if !heldMarks.isEmpty { commands.append(MarkHeldMessages(heldMarks)) }
        if !noLongerHeld.isEmpty { commands.append(DeleteHeldMessages(keys: noLongerHeld.sorted())) }
        if !deadLetters.isEmpty { commands.append(InsertDeadLetters(letters: deadLetters)) }
        if !unkept.isEmpty { commands.append(CountUnkeptLetters(unkept, at: wall)) }
        if !cameAgain.isEmpty { commands.append(CountLettersAgain(cameAgain)) }
        if !letterSettlements.isEmpty { commands.append(SettleDeadLetters(letterSettlements)) }
        commands += papers.commands(at: now)
        if !settlements.isEmpty { commands.append(SettleInbox(settlements.values.sorted { $0.key < $1.key })) }
        // First: an answer that goes again has the same id, and the barrier judges only rows that are entered.
        if !sent.isEmpty { commands.append(DeleteOutbox(eventIDs: sent)) }
        if !letters.isEmpty {
            commands.append(InsertOutbox(rows: letters, worker: worker.rawValue, lane: lane, createdAt: wall))
        }
        return commands
    }
}
