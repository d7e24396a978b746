import Basics
import BrokerTopology
import CaseStore
import Casework
public import Contract
import Crypto
import Foundation

/// The sealed pass-through: a report that only a superior may handle is not copied, excerpted or stored. The
/// original bytes are sealed in memory to the superior's key; the database stores only envelope number, digest,
/// times and actors.
public struct Sealing: Sendable {
    /// The key for superiors without their own key. Its private half is kept elsewhere.
    let mailKey: SealingKey

    public init(mailKey: SealingKey) { self.mailKey = mailKey }

    /// The superior's own key, or `mailKey` if it has none. `nil` if its own key is invalid: `mailKey` never
    /// replaces it.
    private func key(of superior: UnitRow) -> SealingKey? {
        guard let own = superior.sealingKey else { return mailKey }
        return SealingKey(rawRepresentation: own)
    }

    /// Whether the superior's key is valid.
    func canSeal(to superior: UnitRow) -> Bool { key(of: superior) != nil }

    func passUp(
        _ inbound: InboundMessage, _ reportID: ReportID, ruling: SealingRuling, to superior: UnitRow,
        in unitOfWork: inout UnitOfWork
    ) throws {
        guard var file = unitOfWork.cases.files[reportID] else { return }
        let rulebook = unitOfWork.office.rulebook
        var handoff = Handoff(
            id: HandoffID.make(at: unitOfWork.office.wall), reportID: reportID, attempt: 1, unit: superior.id,
            kind: ruling.handoffKind, state: .released,
            express: rulebook.handoffKinds[ruling.handoffKind]?.express ?? false, rule: ruling.rule.description,
            digest: [], releasedAt: unitOfWork.now)
        guard
            let sent = try send(
                .handoffDispatched, inbound, of: file.report, with: handoff, to: superior, in: &unitOfWork)
        else { return }
        handoff.digest = sent.digest
        file.open(
            handoff,
            clocks: rulebook.clocks(startedBy: .released, handoffKind: ruling.handoffKind, at: unitOfWork.now),
            otherwise: rulebook.noClockReason(handoffKind: ruling.handoffKind))
        file.record(
            .passedUp(
                handoff: handoff.id, unit: superior.id, key: sent.key, rule: ruling.rule.description,
                commitment: unitOfWork.office.commitment(to: sent.digest, of: reportID, for: .unit(superior.id))),
            at: unitOfWork.now, by: unitOfWork.office.name)
        unitOfWork.cases.files[reportID] = file
        unitOfWork.cases.reportOf[handoff.id] = reportID
    }

    /// Passes a part of an attachment, or its manifest, up to the unit that got the report. The superior puts the
    /// parts together.
    /// - Throws: a `Problem` if the handoff takes no more attachments, the superior's key is invalid, or the part
    ///   is not valid or too large.
    func passUp(
        _ part: AttachmentPart, _ inbound: InboundMessage, of report: ReportID, in unitOfWork: inout UnitOfWork
    ) throws {
        guard let file = unitOfWork.cases.files[report],
            let handoff = file.handoffs.max(by: { $0.attempt < $1.attempt }),
            handoff.takesAttachments,
            let superior = unitOfWork.office.directory.units[handoff.unit]
        else { throw Problem.attachmentsOfSealed }
        guard canSeal(to: superior) else {
            unitOfWork.tellOfKey(of: superior)
            throw Problem.superiorKeyUnusable
        }
        guard [UInt8](hexadecimal: part.sha256)?.count == 32 else {
            throw Problem(code: "bad_value", path: "data.sha256", text: "must be 64 hexadecimal digits")
        }
        let bytes = try part.checkedBytes()?.count ?? 0
        if let problem = ForwardingSize.problem(withSealedPart: inbound.body.count) { throw problem }
        try unitOfWork.cases.attachments.passUp(bytes, of: report, limits: unitOfWork.office.limits)
        guard
            let sent = try send(.attachmentPart, inbound, of: file.report, with: handoff, to: superior, in: &unitOfWork)
        else {
            throw Problem.attachmentsOfSealed
        }
        if part.count != nil { unitOfWork.recordPassedUp(part, inbound, of: report, with: handoff.id, key: sent.key) }
    }

    /// Seals the whole message and sends it to the handoff's queue.
    /// - Returns: `nil` if there is no valid key, or the barrier stopped the message.
    private func send(
        _ type: MessageType, _ inbound: InboundMessage, of report: Report, with handoff: Handoff, to superior: UnitRow,
        in unitOfWork: inout UnitOfWork
    ) throws -> (digest: [UInt8], key: String)? {
        guard let key = key(of: superior) else { return nil }
        let eventID = UUID.version7(at: unitOfWork.office.wall)
        let sealed = try SealedData.seal(
            inbound.body, contentType: inbound.contentType ?? MediaType.cloudEvents, number: report.displayNumber,
            to: key, id: eventID.lowercased, type: type, subject: handoff.id.description)
        return unitOfWork.send(
            type, to: .unit(superior.id), subject: handoff.id.description, data: sealed, about: .reports([report.id]),
            handoff: handoff.id, eventID: eventID,
            queue: Topology.Queue.handoff(to: superior.id, express: handoff.express), contentType: MediaType.sealed
        ).map { ($0, key.id) }
    }
}

extension Handoff {
    /// Whether attachments may follow the sealed report. They may also after the superior has closed the handoff.
    fileprivate var takesAttachments: Bool {
        switch state {
        case .released, .dispatched, .signed, .inHand, .caseFiled, .concluded, .closed: true
        case .awaitingApproval, .returned, .recalled, .undeliverable: false
        }
    }
}

extension UnitOfWork {
    mutating func tellOfKey(of superior: UnitRow) {
        answers.report(
            """
            the sealing key of unit \(superior.id) cannot be used: what only it may handle is refused until it \
            has another
            """
        )
    }

    fileprivate mutating func recordPassedUp(
        _ part: AttachmentPart, _ inbound: InboundMessage, of report: ReportID, with handoff: HandoffID, key: String
    ) {
        guard var file = cases.files[report] else { return }
        file.record(
            .attachmentPassedUp(
                handoff: handoff, key: key, act: office.commitment(toAct: inbound.key, of: report),
                commitment: office.commitment(
                    to: [UInt8](hexadecimal: part.sha256) ?? [], of: report, for: .source(file.report.source))),
            at: now, by: office.name)
        cases.files[report] = file
    }
}

extension Problem {
    fileprivate static let attachmentsOfSealed = Problem(
        code: "papers_of_sealed", path: "subject",
        text:
            """
            the report went sealed to a superior, which does not have it now, and nothing of its papers is kept \
            here: send them to the superior, \
            with the report's number
            """)
}
