import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// What a transaction may change: the cases, loaded under their locks, and what hangs on them.
struct Cases {
    var files: [ReportID: CaseFile] = [:]
    /// Cases that are only answered about, read without a lock.
    var answeredAbout: [ReportID: CaseFile] = [:]
    /// The chains of units and the office that are locked.
    private(set) var chains: [LedgerSubject: SubjectChain] = [:]
    /// Which report a handoff belongs to.
    var reportOf: [HandoffID: ReportID] = [:]
    /// Masked texts, accused and allegations, where the worker needs them.
    var contents: [ReportID: Submission] = [:]
    var newReports: [CaseWrites.NewReport] = []
    var clockSteps: [ClockStepTaken] = []
    var notes = NoteBook()
    var deferred = DeferredBook()
    var attachments = AttachmentBook()
    /// What intake loaded of the submissions of this transaction.
    var submissions: [InboxKey: LoadedSubmission] = [:]

    func file(of handoff: HandoffID) -> CaseFile? { reportOf[handoff].flatMap { files[$0] } }

    // MARK: Other subjects

    mutating func load(_ chains: [SubjectChain]) { for chain in chains { self.chains[chain.subject] = chain } }

    /// Enters an event in the chain of a subject.
    /// - Throws: `NotLoaded` where the subject is not locked.
    mutating func record(_ event: LedgerEvent, in subject: LedgerSubject, at now: Instant, by actor: String) throws {
        if subject.kind == .report, let report = ReportID(subject.id), files[report] != nil {
            files[report]?.record(event, at: now, by: actor)
        } else if chains[subject] != nil {
            chains[subject]?.record(event, at: now, by: actor)
        } else {
            throw NotLoaded()
        }
    }

    // MARK: The barrier

    /// The barrier, asked for every message that leaves. A bare receipt says nothing and may go.
    func admits(_ addressee: Party, type: MessageType, reports: [ReportID], in office: OfficeContext) -> Bool {
        // What is about no case keeps none from anybody.
        if reports.isEmpty { return true }
        let cases = reports.compactMap { files[$0] ?? answeredAbout[$0] }
        // A case that is not on the unit of work cannot be checked: it fails closed.
        guard cases.count == reports.count else { return false }
        switch addressee {
        case .office: return true
        case .unit(let unit): return Barrier.admits(unit, to: cases)
        case .source(let source):
            if type == .reportReceived { return true }
            guard !cases.contains(where: { $0.report.receiptOnly && $0.report.source == source }) else { return false }
            guard let unit = office.directory.sources[source]?.unit else { return true }
            return Barrier.admits(unit, to: cases)
        case .person(let id):
            guard let person = office.directory.persons[id] else { return false }
            return cases.allSatisfy { admits(person, to: $0) }
        }
    }

    /// Fails closed: who is accused in a case that is not loaded, or is sealed, nobody here can tell.
    func admits(_ person: PersonRow, to file: CaseFile) -> Bool {
        guard let content = contents[file.report.id], file.report.verdict != .passedUp else { return false }
        return Barrier.admits(
            personNamed: person.name, unit: person.unit, recusedFrom: person.recusedFrom,
            content: content, to: file)
    }

    // MARK: Writing

    /// Everything that is to be written of the cases themselves.
    var writes: CaseWrites {
        var writes = CaseWrites()
        writes.newReports = newReports.map { new in
            var new = new
            if let file = files[new.report.id] { new.report = file.report }
            return new
        }
        // In the order of their ids, as they were locked.
        for id in files.keys.sorted() { if let file = files[id] { writes.collect(file) } }
        for chain in chains.values.sorted(by: { $0.subject.id < $1.subject.id }) { writes.collect(chain) }
        return writes
    }

    /// And of what hangs on them.
    func commands(at now: Instant) -> [any Command] {
        var commands = notes.commands
        if !clockSteps.isEmpty { commands.append(InsertClockSteps(steps: clockSteps)) }
        return commands + deferred.commands + attachments.commands(at: now)
    }
}

/// What acts said of handoffs, as it is kept.
struct NoteBook {
    private(set) var new: [HandoffNote] = []
    /// Acts whose notes are kept, or will be: each is written once.
    private(set) var appliedActs: Set<InboxKey> = []
    /// How much was said of each handoff, this transaction's acts among it.
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
