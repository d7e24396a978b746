import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// The data that a transaction may change: the cases, loaded under their locks, and the data that belongs to them.
struct Cases {
    var files: [ReportID: CaseFile] = [:]
    /// Cases that are only needed for answers, read without a lock.
    var answeredAbout: [ReportID: CaseFile] = [:]
    /// The locked ledger chains of units and of the office.
    private(set) var chains: [LedgerSubject: SubjectChain] = [:]
    /// The clocks of duties of units and the office, loaded under their locks.
    var duties = ClockSet()
    /// The versions of the policy by which loaded clocks started, by name: `cn-discipline@1`.
    var rulebooks: [String: Rulebook] = [:]
    /// Up to which periods the clocks of duties are open, as loaded, and as written by this transaction.
    var reached: [DutyOpening] = []
    var openings: [DutyOpening] = []
    /// The approvals that were loaded under the locks of their subjects, or asked for since.
    private(set) var approvals: [ApprovalID: Approval] = [:]
    private var newApprovals: [ApprovalID] = []
    private var decidedApprovals: Set<ApprovalID> = []
    /// The active version of the policy, read under the office's lock for a command about it.
    var activePolicy: String?
    /// Versions of the policy that a person activates.
    var activations: [ActivatePolicyVersion] = []
    /// The report of each handoff.
    var reportOf: [HandoffID: ReportID] = [:]
    /// Masked texts, accused and allegations, if the worker needs them.
    var contents: [ReportID: Submission] = [:]
    private(set) var newReports: [CaseWrites.NewReport] = []
    var newBodies: [HandoffBody] = []
    /// The stored bodies of handoffs that a unit asked for again.
    var bodies: [HandoffID: ReadHandoffBodies.Row] = [:]
    var clockSteps: [ClockStepTaken] = []
    var notes = NoteBook()
    var deferred = DeferredBook()
    var attachments = AttachmentBook()
    /// The submissions of this transaction, as intake loaded them.
    var submissions: [InboxKey: LoadedSubmission] = [:]

    func file(of handoff: HandoffID) -> CaseFile? { reportOf[handoff].flatMap { files[$0] } }

    /// Adds a report to be written: the only way for one to come into being (invariant 3). `DryRun` writes another,
    /// which is always rolled back.
    /// - Throws: `NotIntake` in any worker but intake.
    mutating func register(_ new: CaseWrites.NewReport, by worker: Worker) throws {
        guard worker == .intake else { throw NotIntake(worker: worker) }
        newReports.append(new)
    }

    /// The number of subjects that are locked.
    var subjectCount: Int { files.count + chains.count }
    func isLoaded(_ subject: LedgerSubject) -> Bool {
        subject.reportID.map { files[$0] != nil } ?? (chains[subject] != nil)
    }

    // MARK: Clocks

    mutating func start(_ clock: Clock) {
        if let report = clock.key.reportID { files[report]?.start(clock) } else { duties.start(clock) }
    }

    /// Changes a clock of a report, or (`nil`) of a unit or the office.
    mutating func change(_ clock: ClockID, of report: ReportID?, _ change: (inout Clock) -> Void) {
        if let report { files[report]?.change(clock, change) } else { duties.change(clock, change) }
    }

    // MARK: Approvals

    mutating func load(_ approvals: [Approval]) { for approval in approvals { self.approvals[approval.id] = approval } }

    mutating func ask(_ approval: Approval) {
        approvals[approval.id] = approval
        newApprovals.append(approval.id)
    }

    /// Stores what became of an approval.
    mutating func keep(_ approval: Approval) {
        approvals[approval.id] = approval
        decidedApprovals.insert(approval.id)
    }

    private var approvalCommands: [any Command] {
        let new = newApprovals.compactMap { approvals[$0] }
        let changed = decidedApprovals.subtracting(newApprovals).sorted().compactMap { approvals[$0] }
        return (new.isEmpty ? [] : [InsertApprovals(approvals: new)])
            + (changed.isEmpty ? [] : [UpdateApprovals(approvals: changed)]) + activations
    }

    // MARK: Other subjects

    mutating func load(_ chains: [SubjectChain]) { for chain in chains { self.chains[chain.subject] = chain } }

    /// Appends an event to the ledger chain of a subject.
    /// - Throws: `NotLoaded` if the subject is not locked.
    mutating func record(_ event: LedgerEvent, in subject: LedgerSubject, at now: Instant, by actor: String) throws {
        if subject.kind == .report, let report = ReportID(subject.id), files[report] != nil {
            files[report]?.record(event, at: now, by: actor)
        } else if chains[subject] != nil {
            chains[subject]?.record(event, at: now, by: actor)
        } else {
            throw NotLoaded()
        }
    }

    // MARK: Writing

    /// The changes to the cases themselves.
    var writes: CaseWrites {
        var writes = CaseWrites()
        writes.newReports = newReports.map { new in
            var new = new
            if let file = files[new.report.id] { new.report = file.report }
            return new
        }
        // In the order of the ids, as the cases were locked.
        for id in files.keys.sorted() { if let file = files[id] { writes.collect(file) } }
        writes.collect(duties)
        for chain in chains.values.sorted(by: { $0.subject.id < $1.subject.id }) { writes.collect(chain) }
        return writes
    }

    /// The commands that write the data that belongs to the cases.
    func commands(at now: Instant) -> [any Command] {
        var commands = notes.commands
        commands += approvalCommands
        if !newBodies.isEmpty { commands.append(InsertHandoffBodies(bodies: newBodies)) }
        if !clockSteps.isEmpty { commands.append(InsertClockSteps(steps: clockSteps)) }
        if !openings.isEmpty { commands.append(WriteDutyOpenings(openings: openings, at: now)) }
        return commands + deferred.commands + attachments.commands(at: now)
    }
}

/// Another worker than intake would make a report: a fault of the office.
struct NotIntake: PlainlyWorded, CustomStringConvertible {
    let worker: Worker
    var description: String { "the \(worker.rawValue) worker registers no reports" }
}

/// The notes of acts about handoffs.
struct NoteBook {
    private(set) var new: [HandoffNote] = []
    /// Acts whose notes are stored or will be: each is written once.
    private(set) var appliedActs: Set<InboxKey> = []
    /// The number and bytes of the notes of each handoff, including this transaction's.
    private var amounts: [HandoffID: (count: Int, bytes: Int)] = [:]

    mutating func load(appliedActs: Set<InboxKey>, amounts: [HandoffID: (count: Int, bytes: Int)]) {
        (self.appliedActs, self.amounts) = (appliedActs, amounts)
    }

    func amount(of handoff: HandoffID) -> (count: Int, bytes: Int) { amounts[handoff] ?? (0, 0) }

    mutating func add(_ note: HandoffNote) {
        new.append(note)
        appliedActs.insert(note.key)
        amounts[note.handoffID, default: (0, 0)].count += 1
        amounts[note.handoffID]?.bytes += note.body.utf8.count
    }

    mutating func takeBack(to count: Int) {
        for note in new[count...] {
            appliedActs.remove(note.key)
            amounts[note.handoffID]?.count -= 1
            amounts[note.handoffID]?.bytes -= note.body.utf8.count
        }
        new.removeLast(new.count - count)
    }

    var commands: [any Command] { new.isEmpty ? [] : [InsertHandoffNotes(notes: new)] }
}
