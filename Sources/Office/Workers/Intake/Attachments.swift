import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation

/// A received part of an attachment, or the manifest that closes it.
struct AttachmentPartReceived {
    let part: AttachmentPart
    let inbound: InboundMessage

    var sha256: [UInt8] { [UInt8](hexadecimal: part.sha256) ?? [] }
}

extension UnitOfWork {
    /// Takes the parts of attachments that were announced with reports, and the manifests that close them.
    ///
    /// A part that came before is a repeat; with other bytes it is refused. Only the parts beyond the manifest's
    /// count are dropped. If the parts together are not the announced attachment, all of them are dropped, so that
    /// they can be sent again. If the report was passed up sealed, each part is sealed and passed up too, and is
    /// not stored; only the superior can check the attachment.
    mutating func takeParts(_ parts: [AttachmentPartReceived], _ sealing: Sealing) throws {
        guard !parts.isEmpty else { return }
        let reports = cases.reportsBySubmission
        for received in parts {
            let (part, inbound) = (received.part, received.inbound)
            do {
                guard let report = inbound.submission.flatMap({ reports[$0] }) else {
                    throw Problem(
                        code: "unknown_report", path: "subject",
                        text:
                            """
                            no report of yours with this id is accepted; send papers after report.accepted, each \
                            part under a new id
                            """
                    )
                }
                if report.verdict == .passedUp {
                    try sealing.passUp(part, inbound, of: report.id, in: &self)
                    if part.count != nil { answerAttachment(of: report.id, inbound) }
                } else {
                    try take(received, of: report.id)
                }
                answers.take(inbound.key)
            } catch let problem as Problem {
                refuse(inbound, [problem])
            }
        }
    }

    /// Drops the parts of attachments that were not closed in time. The report is locked, so none of them becomes
    /// complete meanwhile.
    mutating func dropUnfinishedAttachments() {
        for unfinished in cases.attachments.unfinished { cases.attachments.drop(unfinished) }
    }

    func attachment(of received: AttachmentPartReceived, _ report: ReportID) -> AttachmentBook.Attachment {
        AttachmentBook.Attachment(report: report, id: office.digestKey.attachment(received.sha256, of: report))
    }

    /// The keyed digest and the size of a part.
    func part(_ number: Int, _ bytes: [UInt8], of attachment: AttachmentBook.Attachment) -> AttachmentBook.Part {
        AttachmentBook.Part(
            digest: office.digestKey.part(Array(SHA256.hash(data: bytes)), of: attachment.id, number: number),
            bytes: bytes.count)
    }

    private mutating func take(_ received: AttachmentPartReceived, of report: ReportID) throws {
        let (part, inbound, attachment) = (received.part, received.inbound, attachment(of: received, report))
        guard cases.attachments.announced[attachment] != nil else { throw Problem.unknownAttachment }
        if let bytes = try part.checkedBytes() {
            let number = part.part ?? 0
            guard try cases.attachments.keep(number, self.part(number, bytes, of: attachment), of: attachment) else {
                return
            }
            return try store(number, bytes, of: attachment)
        }
        if !cases.attachments.isWhole(attachment) { try close(attachment, received, count: part.count ?? 0) }
        answerAttachment(of: report, inbound)
    }

    private mutating func store(_ number: Int, _ bytes: [UInt8], of attachment: AttachmentBook.Attachment) throws {
        guard let part = cases.attachments.here[attachment]?[number] else { return }
        cases.attachments.store(
            StoredAttachmentPart(
                key: AttachmentPartKey(reportID: attachment.report, attachment: attachment.id, part: number),
                digest: part.digest,
                box: try office.boxes.seal(
                    bytes, for: .attachmentPart(attachment: attachment.id, part: number, of: attachment.report))))
    }

    private mutating func close(
        _ attachment: AttachmentBook.Attachment, _ received: AttachmentPartReceived, count: Int
    ) throws {
        let act = received.inbound.key
        var together: AttachmentBook.Together?
        if try cases.attachments.hasParts(count, of: attachment) {
            guard let loaded = cases.attachments.together[act] else { throw NotLoaded() }
            together = loaded
        }
        try cases.attachments.close(attachment, sha256: received.sha256, holding: together)
        guard var file = cases.files[attachment.report] else { return }
        let source = Party.source(file.report.source)
        file.record(
            .attachmentReceived(
                act: office.commitment(
                    toAct: InboxKey(sender: source.description, eventID: act.eventID), of: attachment.report),
                commitment: office.commitment(to: received.sha256, of: attachment.report, for: source)),
            at: now, by: office.name)
        cases.files[attachment.report] = file
    }

    private mutating func answerAttachment(of id: ReportID, _ inbound: InboundMessage) {
        guard let report = cases.files[id]?.report, let sender = inbound.sender else { return }
        guard receiptOnly(inbound) == nil else {
            return answer(
                inbound.key, to: sender, .reportReceived, subject: inbound.subject, data: Nothing(),
                about: .reports([id]))
        }
        let pending = cases.attachments.pending(of: id)
        answer(
            inbound.key, to: sender, .reportAccepted, subject: inbound.subject,
            data: ReportAccepted(
                number: report.displayNumber, state: report.verdict, rule: report.rule,
                authority: report.authorityAtRegistration,
                papersPending: pending > 0 ? pending : nil),
            about: .reports([id]))
    }
}

extension AttachmentPart {
    /// The bytes of a part; `nil` for a manifest.
    /// - Throws: a `Problem` if the message is neither a valid part nor a valid manifest.
    func checkedBytes(limits: Limits = .standard) throws(Problem) -> [UInt8]? {
        switch (part, content, count) {
        case (let number?, let content?, nil):
            guard (1...limits.attachmentPartsMax).contains(number) else {
                throw Problem(
                    code: "bad_value", path: "data.part",
                    text: "parts are counted from 1 to \(limits.attachmentPartsMax)")
            }
            guard let data = Data(base64Encoded: content) else {
                throw Problem(code: "bad_value", path: "data.content", text: "the bytes must be written in Base64")
            }
            return [UInt8](data)
        case (nil, nil, let count?):
            guard (1...limits.attachmentPartsMax).contains(count) else {
                throw Problem(
                    code: "bad_value", path: "data.count", text: "a paper has 1 to \(limits.attachmentPartsMax) parts")
            }
            return nil
        default: throw .neitherPartNorManifest
        }
    }
}
