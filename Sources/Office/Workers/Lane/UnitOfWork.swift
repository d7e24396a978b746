import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation

/// The work of one transaction: the cases it may change, loaded under their locks, and all that shall be written and
/// sent. Decisions only change this value; nothing of it happens before the lane writes and commits it.
struct UnitOfWork {
    let worker: Worker
    var directory: OfficeDirectory
    let rulebook: Rulebook
    let vault: Vault
    let digestKey: DigestKey
    /// Business time, told once the locks are held: what waited for a case must not tell of a moment before what it
    /// waited for.
    var now: Instant
    /// Wall time, for what is transport.
    let wall: Instant

    var files: [ReportID: CaseFile] = [:]
    /// Cases that are only answered about, read without a lock.
    var answeredAbout: [ReportID: CaseFile] = [:]
    /// Which report a handoff belongs to.
    var reportOf: [HandoffID: ReportID] = [:]
    var held: [ReportID: [HeldMessage]] = [:]
    /// Masked texts, accused and allegations, where the worker needs them.
    var contents: [ReportID: Submission] = [:]

    var newReports: [CaseWrites.NewReport] = []
    private(set) var letters: [OutboxRow] = []
    private(set) var settlements: [InboxKey: Settlement] = [:]
    var deadLetters: [DeadLetter] = []
    var newlyHeld: [HeldMessage] = []
    var noLongerHeld: Set<InboxKey> = []
    /// Held by this transaction, and settled by it.
    var releasedUnwritten: Set<InboxKey> = []
    /// Of stored ones, whether what they waited for has come.
    var heldMarks: [InboxKey: Bool] = [:]
    /// How much is held of each sender of an act, this transaction's among it.
    var heldOf: [String: (count: Int, bytes: Int)] = [:]
    /// The bytes of stored ones that may be tried in this transaction.
    var boxes: [InboxKey: VaultBox] = [:]
    private(set) var notes: [HandoffNote] = []
    /// Acts whose notes stand in the books, or will: each is written once.
    var noted: Set<InboxKey> = []
    /// How much was said of each handoff, this transaction's acts among it.
    var notesOf: [HandoffID: (count: Int, bytes: Int)] = [:]
    var notices: [PersonNotice] = []
    var clockSteps: [ClockStepTaken] = []
    var attachments = AttachmentBook()
    /// What intake loaded of the submissions of this transaction.
    var submissions: [InboxKey: LoadedSubmission] = [:]
    /// Open dead letters of each sender of this transaction's dead ones, and how many were not kept beside them.
    var openLettersOf: [String: Int] = [:]
    var unkept: [String: Int] = [:]
    var letterSettlements: [DeadLetterSettlement] = []
    /// How often dead letters came that lie here already.
    var cameAgain: [InboxKey: Int] = [:]
    /// What the operator is told once it stands: what was set aside, and why.
    var faults: [String] = []
    /// Why acts were refused, or ended as dead letters, in this transaction.
    var problems: [InboxKey: [Problem]] = [:]
    var limits = Limits.standard
    /// Of held messages, in this transaction.
    var heldBytesMax = Int.max

    init(
        worker: Worker, directory: OfficeDirectory, rulebook: Rulebook, vault: Vault, digestKey: DigestKey,
        now: Instant, wall: Instant
    ) {
        self.worker = worker
        self.directory = directory
        self.rulebook = rulebook
        self.vault = vault
        self.digestKey = digestKey
        self.now = now
        self.wall = wall
    }

    var officeName: String { Party.office(worker).description }

    func file(of handoff: HandoffID) -> CaseFile? { reportOf[handoff].flatMap { files[$0] } }

    // MARK: What the ledger commits to

    /// A commitment to bytes that a party sent or got: see `DigestKey.salt`.
    func commitment(to sha256: [UInt8], of report: ReportID, for party: Party) -> String {
        Commitment.make(sha256, salt: digestKey.salt(of: report, for: party.description))
    }

    /// How the ledger names an act: its id is its sender's own text, and the ledger keeps none.
    func commitment(toAct key: InboxKey, of report: ReportID) -> String {
        Commitment.act(key.eventID, salt: digestKey.salt(of: report, for: key.sender))
    }

    // MARK: Sending

    /// Puts a message for a unit, a source or a person into the outbox, if the barrier admits it (invariant 5).
    /// - Returns: the body's digest, or `nil` where the barrier stood.
    @discardableResult
    mutating func send<Payload: Codable & Sendable>(
        _ type: MessageType, to addressee: Party, subject: String, inReplyTo: String? = nil, data: Payload,
        reports: [ReportID], handoff: HandoffID? = nil, eventID: UUID? = nil, at time: Instant? = nil,
        queue: String? = nil, contentType: String = "application/json"
    ) -> [UInt8]? {
        guard admits(addressee, type: type, reports: reports) else { return nil }
        let id = eventID ?? UUID.version7(at: wall)
        let event = CloudEvent(
            id: id.lowercased, source: .office(worker), type: type, subject: subject, time: time ?? now,
            inreplyto: inReplyTo, datacontenttype: contentType, data: data)
        let body = Wire.encode(event)
        guard let key = queue ?? Topology.Queue.notice(for: addressee) else { return nil }
        let exchange: String
        if case .office = addressee {
            exchange = Topology.Exchange.work
        } else {
            exchange = queue == nil ? Topology.Exchange.notice : Topology.Exchange.handoff
        }
        letters.append(
            OutboxRow(
                eventID: id, exchange: exchange, routingKey: key, type: type.rawValue, subject: subject,
                addressee: addressee.description, reports: reports, handoffID: handoff, body: body))
        return Array(SHA256.hash(data: body))
    }

    /// Tells another worker of this office: ids and sizes only.
    mutating func tell(
        _ worker: Worker, _ type: MessageType, report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil,
        express: Bool = false
    ) {
        send(
            type, to: .office(worker), subject: report.description,
            data: InternalReference(report: report, handoff: handoff, bytes: bytes), reports: [report],
            queue: express ? Topology.Queue.routingExpress : Topology.Queue.routing)
    }

    /// The barrier, asked for every message that leaves. A bare receipt says nothing and may go.
    func admits(_ addressee: Party, type: MessageType, reports: [ReportID]) -> Bool {
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
            guard let unit = directory.sources[source]?.unit else { return true }
            return Barrier.admits(unit, to: cases)
        case .person(let id):
            guard let person = directory.persons[id] else { return false }
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

    mutating func add(_ note: HandoffNote) {
        notes.append(note)
        noted.insert(note.key)
        notesOf[note.handoffID, default: (0, 0)].count += 1
        notesOf[note.handoffID]?.bytes += note.body.utf8.count
    }

    /// Holds the office to the limit that it sets others. What comes in is refused where it could not be handed on, so
    /// a message over the limit is a fault of ours: the act that asks for it is kept as a dead letter, and nothing of
    /// it is written or sent.
    func checkSizes(limits: Limits = .standard) throws {
        for letter in letters where letter.body.count > limits.messageBytesMax {
            throw Oversize(type: letter.type, addressee: letter.addressee, bytes: letter.body.count)
        }
    }

    // MARK: Verdicts

    /// The id of the answer to an act: the same whenever it is answered (invariant 2).
    static func replyID(to key: InboxKey, variant: String = "") -> UUID {
        var bytes = Array(SHA256.hash(data: Array("reply|\(key.sender)|\(key.eventID)|\(variant)".utf8)).prefix(16))
        bytes[6] = 0x80 | (bytes[6] & 0x0F)
        bytes[8] = 0x80 | (bytes[8] & 0x3F)
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    mutating func settle(_ key: InboxKey, _ verdict: Verdict, reply: OutboxRow? = nil) {
        settlements[key] = Settlement(
            key: key, verdict: verdict, replyType: reply?.type, reply: reply?.body, reportID: reply?.reports.first)
    }

    /// Takes back what an act that failed half-way had put down.
    mutating func undo(_ key: InboxKey, to settlement: Settlement?, letters count: Int, notes notesCount: Int) {
        settlements[key] = settlement
        letters.removeLast(letters.count - count)
        for note in notes[notesCount...] {
            noted.remove(note.key)
            notesOf[note.handoffID]?.count -= 1
            notesOf[note.handoffID]?.bytes -= note.body.utf8.count
        }
        notes.removeLast(notes.count - notesCount)
    }

    /// Answers an act that was taken, and keeps the answer for repeats.
    mutating func answer<Payload: Codable & Sendable>(
        _ key: InboxKey, to sender: Party, _ type: MessageType, subject: String, data: Payload, reports: [ReportID],
        handoff: HandoffID? = nil, queue: String? = nil
    ) {
        let sent = letters.count
        send(
            type, to: sender, subject: subject, inReplyTo: key.eventID, data: data, reports: reports, handoff: handoff,
            eventID: UnitOfWork.replyID(to: key), queue: queue)
        if letters.count > sent { settle(key, .taken, reply: letters[sent]) }
    }

    /// Refuses an act, with the reason, and keeps the answer for repeats.
    mutating func refuse(
        _ key: InboxKey, from sender: Party?, type: String?, subject: String, inReplyTo: String?, problems: [Problem],
        variant: String = "", reports: [ReportID] = []
    ) {
        let sent = letters.count
        // Also one whom the office does not know: it may have a queue, and without one the answer is kept as
        // undeliverable.
        if let sender {
            let id = UnitOfWork.replyID(to: key, variant: variant)
            if type == MessageType.reportSubmitted.rawValue {
                send(
                    .reportRejected, to: sender, subject: subject, inReplyTo: inReplyTo,
                    data: ReportRejected(problems: problems), reports: reports, eventID: id)
            } else {
                send(
                    .messageRefused, to: sender, subject: subject, inReplyTo: inReplyTo,
                    data: MessageRefused(refusedType: type, problems: problems),
                    reports: reports, eventID: id)
            }
        }
        // A second body under a known id leaves the first act's verdict alone.
        guard variant.isEmpty else { return }
        self.problems[key] = problems
        settle(key, .refused, reply: letters.count > sent ? letters[sent] : nil)
    }

    /// Where the barrier keeps a source from its report, the refusal is a bare receipt like any other.
    mutating func refuse(_ inbound: InboundMessage, _ problems: [Problem], variant: String = "") {
        if let report = receiptOnly(inbound) {
            let sent = letters.count
            giveReceipt(inbound, about: report, variant: variant)
            guard variant.isEmpty else { return }
            self.problems[inbound.key] = problems
            return settle(inbound.key, .refused, reply: letters.count > sent ? letters[sent] : nil)
        }
        refuse(
            inbound.key, from: inbound.sender, type: inbound.type, subject: inbound.subject,
            inReplyTo: inbound.inReplyTo, problems: problems, variant: variant)
    }

    /// Sends the office's own message once more, as it was.
    mutating func sendAgain(_ row: OutboxRow) { letters.append(row) }

    /// Everything that is to be written of cases.
    var caseWrites: CaseWrites {
        var writes = CaseWrites()
        writes.newReports = newReports.map { new in
            var new = new
            if let file = files[new.report.id] { new.report = file.report }
            return new
        }
        // In the order of their ids, as they were locked.
        for id in files.keys.sorted() { if let file = files[id] { writes.collect(file) } }
        return writes
    }
}

extension Problem {
    static func tooManyDeadLetters(_ count: Int) -> Problem {
        Problem(
            code: "too_many_dead_letters",
            text:
                """
                \(count) messages of yours wait for a person at the office already; this one was not kept: mend \
                it, and send it again
                """
        )
    }
}

/// A message of the office's own over the limit of all messages.
struct Oversize: PlainlyWorded, CustomStringConvertible {
    let type: String
    let addressee: String
    let bytes: Int
    var description: String { "\(type) to \(addressee) would have \(bytes) bytes, more than a message may" }
}
