import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// The work of one transaction, in three parts: the cases that it may change, loaded under their locks; the
/// outgoing messages; and the results for the received acts. Decisions only change this value, and use only its
/// `office` besides. Nothing takes effect before the lane writes and commits it.
struct UnitOfWork {
    /// Constant during a decision; set when the data is loaded.
    var office: OfficeContext
    var cases = Cases()
    var outgoing = Outgoing()
    var answers = Answers()

    init(office: OfficeContext) { self.office = office }

    /// Business time.
    var now: Instant { office.now }

    func file(of handoff: HandoffID) -> CaseFile? { cases.file(of: handoff) }

    // MARK: Sending

    /// Adds a message to the outbox, if the barrier admits it (invariant 5).
    /// - Returns: the SHA-256 of the body, or `nil` if the barrier stopped the message.
    @discardableResult
    mutating func send<Payload: Codable & Sendable>(
        _ type: MessageType, to addressee: Party, subject: String, inReplyTo: String? = nil, data: Payload,
        about concern: Concern, handoff: HandoffID? = nil, eventID: UUID? = nil, at time: Instant? = nil,
        queue: String? = nil, contentType: String = "application/json"
    ) -> [UInt8]? {
        let id = eventID ?? UUID.version7(at: office.wall)
        let event = office.event(
            type, id: id, subject: subject, inReplyTo: inReplyTo, at: time, contentType: contentType, data: data)
        return outgoing.send(
            event, id: id, to: addressee, about: concern, handoff: handoff, queue: queue, past: cases, in: office)
    }

    /// Notifies another worker of this office, with ids and sizes only.
    mutating func notify(
        _ worker: Worker, _ type: MessageType, report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil,
        express: Bool = false
    ) {
        send(
            type, to: .office(worker), subject: report.description,
            data: InternalReference(report: report, handoff: handoff, bytes: bytes), about: .reports([report]),
            queue: express ? Topology.Queue.routingExpress : Topology.Queue.routing)
    }

    /// Whether the barrier admits a message; `Outgoing` uses the same check.
    func admits(_ addressee: Party, type: MessageType, about concern: Concern) -> Bool {
        cases.admits(addressee, type: type, about: concern, in: office)
    }

    /// Adds notices for the supervisors whom the barrier admits to the case. Notices within the office are
    /// database rows, not messages.
    mutating func notifySupervisors(_ kind: String, of handoff: HandoffID, rule: String, _ file: CaseFile) {
        outgoing.notifySupervisors(kind, of: handoff, rule: rule, file, past: cases, in: office)
    }

    /// Adds notices for all supervisors about a duty.
    mutating func notifySupervisors(_ kind: String, of clock: ClockID?, rule: String) {
        outgoing.notifySupervisors(kind, of: clock, rule: rule, in: office)
    }

    // MARK: Verdicts
    //
    // What the sender of an act hears (invariant 10), by its verdict:
    // - taken: `answer`, for a submission `acknowledgeRegistration` (`IntakeDesk`);
    //   silence on an act of a unit means the same;
    // - refused: `report.rejected` or `message.refused` with the reasons (`refuse`);
    // - held: nothing until it is tried again (`DeferredMessages`);
    // - dead: a refusal for each sending (`keepAsDeadLetter`, `DeadLetterReasons`).
    // A source that is barred from its own report hears the bare receipt instead of any of them (`giveReceipt`).

    /// The id of the answer to an act, the same for every repeat (invariant 2).
    static func replyID(to key: InboxKey, variant: String = "") -> UUID {
        var bytes = Array(SHA256.hash(data: Array("reply|\(key.sender)|\(key.eventID)|\(variant)".utf8)).prefix(16))
        bytes[6] = 0x80 | (bytes[6] & 0x0F)
        bytes[8] = 0x80 | (bytes[8] & 0x3F)
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    /// Answers an act that was taken, and stores the answer for repeats. If the barrier stops the answer, nothing is
    /// settled: the desk then says that the act was taken (`Answers.take`).
    mutating func answer<Payload: Codable & Sendable>(
        _ key: InboxKey, to sender: Party, _ type: MessageType, subject: String, data: Payload, about concern: Concern,
        handoff: HandoffID? = nil, queue: String? = nil
    ) {
        let sent = outgoing.rows.count
        send(
            type, to: sender, subject: subject, inReplyTo: key.eventID, data: data, about: concern, handoff: handoff,
            eventID: UnitOfWork.replyID(to: key), queue: queue)
        if let reply = outgoing.row(after: sent) { answers.settle(key, .taken, reply: reply) }
    }

    /// Refuses an act with a reason, and stores the answer for repeats (invariant 10).
    mutating func refuse(
        _ key: InboxKey, from sender: Party?, type: String?, subject: String, inReplyTo: String?, problems: [Problem],
        variant: String = "", about concern: Concern
    ) {
        let sent = outgoing.rows.count
        // An unregistered sender gets an answer too: it may have a queue; otherwise the answer is kept as
        // undeliverable.
        if let sender {
            let id = UnitOfWork.replyID(to: key, variant: variant)
            if type == MessageType.reportSubmitted.rawValue {
                send(
                    .reportRejected, to: sender, subject: subject, inReplyTo: inReplyTo,
                    data: ReportRejected(problems: problems), about: concern, eventID: id)
            } else {
                send(
                    .messageRefused, to: sender, subject: subject, inReplyTo: inReplyTo,
                    data: MessageRefused(refusedType: type, problems: problems),
                    about: concern, eventID: id)
            }
        }
        // A second body under a known id does not change the verdict of the first act.
        guard variant.isEmpty else { return }
        answers.refuse(key, because: problems, reply: outgoing.row(after: sent))
    }

    /// Refuses a message. If the barrier excludes a source from its report, the refusal is a bare receipt like any
    /// other. Any other refusal names no report: one for an unknown handoff must read the same to a stranger and to a
    /// barred unit (`addressed`), and what is refused to an admitted sender answers its own words.
    mutating func refuse(_ inbound: InboundMessage, _ problems: [Problem], variant: String = "") {
        if let report = receiptOnly(inbound) {
            let sent = outgoing.rows.count
            giveReceipt(inbound, about: report, variant: variant)
            guard variant.isEmpty else { return }
            return answers.refuse(inbound.key, because: problems, reply: outgoing.row(after: sent))
        }
        refuse(
            inbound.key, from: inbound.sender, type: inbound.type, subject: inbound.subject,
            inReplyTo: inbound.inReplyTo, problems: problems, variant: variant, about: .noCase)
    }

    /// Demands a verdict on every act that the desk heard (invariant 10): none is taken because a desk forgot it.
    /// - Throws: `Unsettled`, a fault of the desk: the act is tried again and in the end kept as a dead letter.
    func demandVerdicts(on heard: [InboundMessage]) throws {
        for inbound in heard where answers.verdict(of: inbound.key) == nil {
            throw Unsettled(type: inbound.type ?? "", worker: office.worker)
        }
    }

    // MARK: Sources that get only a receipt

    /// The report of a source's message, if it is loaded.
    func report(of inbound: InboundMessage) -> Report? {
        guard let submission = inbound.submission else { return nil }
        func isIt(_ file: CaseFile) -> Bool { file.report.submission == submission }
        return (cases.files.values.first(where: isIt) ?? cases.answeredAbout.values.first(where: isIt))?.report
    }

    /// The report of this message, if the barrier excludes its sender from it; otherwise `nil`.
    func receiptOnly(_ inbound: InboundMessage) -> Report? {
        guard let sender = inbound.sender, let report = report(of: inbound),
            !admits(sender, type: .reportAccepted, about: .reports([report.id]))
        else {
            return nil
        }
        return report
    }

    /// Sends a bare receipt, if the message gets one.
    /// - Returns: whether a receipt was sent.
    @discardableResult
    mutating func giveReceipt(_ inbound: InboundMessage, about report: Report, variant: String = "") -> Bool {
        guard let sender = inbound.sender, inbound.getsReceipt else { return false }
        send(
            .reportReceived, to: sender, subject: inbound.subject, inReplyTo: inbound.inReplyTo, data: Nothing(),
            about: .reports([report.id]), eventID: UnitOfWork.replyID(to: inbound.key, variant: variant),
            at: inbound.type == MessageType.reportSubmitted.rawValue ? report.registeredAt : nil)
        return true
    }

    // MARK: Trying

    /// The state before an act is tried on a case. It has counts, not copies, so that the cost of an act does not
    /// depend on the size of the batch.
    struct Before {
        fileprivate let report: ReportID
        fileprivate let file: CaseFile?
        fileprivate let settlement: Settlement?
        fileprivate let rows: Int
        fileprivate let notes: Int
    }

    func before(_ act: InboxKey, on report: ReportID) -> Before {
        Before(
            report: report, file: cases.files[report], settlement: answers.settlements[act],
            rows: outgoing.rows.count, notes: cases.notes.new.count)
    }

    /// Undoes the changes of an act that failed half-way.
    mutating func takeBack(_ act: InboxKey, to before: Before) {
        cases.files[before.report] = before.file
        cases.notes.takeBack(to: before.notes)
        outgoing.takeBack(to: before.rows)
        answers.takeBack(act, to: before.settlement)
    }

    // MARK: Writing

    /// The commands that write everything except the cases themselves, in bulk.
    func commands(lane: String, deleting sent: [UUID]) -> [any Command] {
        cases.commands(at: now) + answers.commands(at: office.wall)
            + outgoing.commands(from: lane, of: office, deleting: sent)
    }
}

extension InboundMessage {
    /// Whether a source that the barrier excludes from its report gets a bare receipt for this message. This
    /// depends only on the message, never on its verdict: reports and manifests are answered, parts of attachments
    /// are not.
    fileprivate var getsReceipt: Bool {
        guard case .message(let message) = content, case .submitted(.part(let part)) = message.body else { return true }
        return part.count != nil
    }
}

/// A desk has neither taken, refused, deferred nor kept an act: a fault of the office.
struct Unsettled: PlainlyWorded, CustomStringConvertible {
    let type: String
    let worker: Worker
    var description: String { "the \(worker.rawValue) desk gave no verdict on a \(type)" }
}
