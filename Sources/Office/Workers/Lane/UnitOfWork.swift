import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// The work of one transaction, in three parts: the cases it may change, loaded under their locks; what goes out; and
/// what becomes of the acts that came. Decisions only change this value, and see of the office what stands beside it;
/// nothing of it happens before the lane writes and commits it.
struct UnitOfWork {
    /// Constant for a decision; the loader sets it.
    var office: OfficeContext
    var cases = Cases()
    var outgoing = Outgoing()
    var answers = Answers()

    init(office: OfficeContext) { self.office = office }

    /// Business time.
    var now: Instant { office.now }

    func file(of handoff: HandoffID) -> CaseFile? { cases.file(of: handoff) }

    // MARK: Sending

    /// Puts a message for a unit, a source or a person into the outbox, if the barrier admits it (invariant 5).
    /// - Returns: the body's digest, or `nil` where the barrier stood.
    @discardableResult
    mutating func send<Payload: Codable & Sendable>(
        _ type: MessageType, to addressee: Party, subject: String, inReplyTo: String? = nil, data: Payload,
        reports: [ReportID], handoff: HandoffID? = nil, eventID: UUID? = nil, at time: Instant? = nil,
        queue: String? = nil, contentType: String = "application/json"
    ) -> [UInt8]? {
        let id = eventID ?? UUID.version7(at: office.wall)
        let event = CloudEvent(
            id: id.lowercased, source: .office(office.worker), type: type,
            subject: subject, time: time ?? now, inreplyto: inReplyTo, datacontenttype: contentType, data: data)
        return outgoing.send(
            event, id: id, to: addressee, reports: reports, handoff: handoff, queue: queue, past: cases, in: office)
    }

    /// Tells another worker of this office: ids and sizes only.
    mutating func notify(
        _ worker: Worker, _ type: MessageType, report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil,
        express: Bool = false
    ) {
        send(
            type, to: .office(worker), subject: report.description,
            data: InternalReference(report: report, handoff: handoff, bytes: bytes), reports: [report],
            queue: express ? Topology.Queue.routingExpress : Topology.Queue.routing)
    }

    /// Whether the barrier lets a message leave; `Outgoing` asks the same.
    func admits(_ addressee: Party, type: MessageType, reports: [ReportID]) -> Bool {
        cases.admits(addressee, type: type, reports: reports, in: office)
    }

    /// The office's own notices are rows: for every supervisor whom the barrier lets see the case.
    mutating func notifySupervisors(_ kind: String, of handoff: HandoffID, rule: String, _ file: CaseFile) {
        outgoing.notifySupervisors(kind, of: handoff, rule: rule, file, past: cases, in: office)
    }

    // MARK: Verdicts

    /// The id of the answer to an act: the same whenever it is answered (invariant 2).
    static func replyID(to key: InboxKey, variant: String = "") -> UUID {
        var bytes = Array(SHA256.hash(data: Array("reply|\(key.sender)|\(key.eventID)|\(variant)".utf8)).prefix(16))
        bytes[6] = 0x80 | (bytes[6] & 0x0F)
        bytes[8] = 0x80 | (bytes[8] & 0x3F)
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    /// Answers an act that was taken, and keeps the answer for repeats.
    mutating func answer<Payload: Codable & Sendable>(
        _ key: InboxKey, to sender: Party, _ type: MessageType, subject: String, data: Payload, reports: [ReportID],
        handoff: HandoffID? = nil, queue: String? = nil
    ) {
        let sent = outgoing.rows.count
        send(
            type, to: sender, subject: subject, inReplyTo: key.eventID, data: data, reports: reports, handoff: handoff,
            eventID: UnitOfWork.replyID(to: key), queue: queue)
        if let reply = outgoing.row(after: sent) { answers.settle(key, .taken, reply: reply) }
    }

    /// Refuses an act, with the reason, and keeps the answer for repeats (invariant 10).
    mutating func refuse(
        _ key: InboxKey, from sender: Party?, type: String?, subject: String, inReplyTo: String?, problems: [Problem],
        variant: String = "", reports: [ReportID] = []
    ) {
        let sent = outgoing.rows.count
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
        answers.refuse(key, because: problems, reply: outgoing.row(after: sent))
    }

    /// Where the barrier keeps a source from its report, the refusal is a bare receipt like any other.
    mutating func refuse(_ inbound: InboundMessage, _ problems: [Problem], variant: String = "") {
        if let report = receiptOnly(inbound) {
            let sent = outgoing.rows.count
            giveReceipt(inbound, about: report, variant: variant)
            guard variant.isEmpty else { return }
            return answers.refuse(inbound.key, because: problems, reply: outgoing.row(after: sent))
        }
        refuse(
            inbound.key, from: inbound.sender, type: inbound.type, subject: inbound.subject,
            inReplyTo: inbound.inReplyTo, problems: problems, variant: variant)
    }

    // MARK: Trying

    /// What stood before an act was tried on a case. Counts, not copies: an act must not cost what the batch holds.
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

    /// Takes back what an act that failed half-way had put down.
    mutating func takeBack(_ act: InboxKey, to before: Before) {
        cases.files[before.report] = before.file
        cases.notes.takeBack(to: before.notes)
        outgoing.takeBack(to: before.rows)
        answers.takeBack(act, to: before.settlement)
    }

    // MARK: Writing

    /// Everything to be written beside the cases, in bulk.
    func commands(lane: String, deleting sent: [UUID]) -> [any Command] {
        cases.commands(at: now) + answers.commands(at: office.wall)
            + outgoing.commands(from: lane, of: office, deleting: sent)
    }
}
