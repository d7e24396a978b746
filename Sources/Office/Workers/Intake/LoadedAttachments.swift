import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

extension UnitOfWork {
    /// Loads the announced attachments of the reports of these parts and the parts received so far. If a manifest
    /// among them closes an attachment, also computes the size and digest of its parts together.
    mutating func loadAttachments(of parts: [AttachmentPartReceived], from database: Database) throws {
        let reports = reportsBySubmission
        func report(of received: AttachmentPartReceived) -> (id: ReportID, isSealed: Bool)? {
            received.inbound.submission.flatMap { reports[$0] }
        }
        let touched = parts.compactMap(report)
        let sealed = Set(touched.lazy.filter(\.isSealed).map(\.id)).sorted()
        let (passedUp, announced) = try database.pipeline(
            ReadSealedAttachments(reports: sealed),
            ReadAnnouncedAttachments(reports: Set(touched.lazy.filter { !$0.isSealed }.map(\.id)).sorted()))
        for row in passedUp.rows { cases.attachments.passedUp[row.report] = (row.parts, row.bytes) }
        for row in announced.rows { cases.attachments.announced[.init(report: row.reportID, id: row.attachment)] = row }
        announceNew(Set(touched.map(\.id)))

        let asked = parts.compactMap { received in
            report(of: received).map { (received, attachment(of: received, $0.id)) }
        }.filter { cases.attachments.announced[$1] != nil }
        guard !asked.isEmpty else { return }
        let known = Set(asked.map(\.1)).map { ($0.report, attachment: $0.id) }
        for row in try database.run(ReadAttachmentPartDigests(attachments: known)).rows {
            cases.attachments.here[.init(report: row.key.reportID, id: row.key.attachment), default: [:]][
                row.key.part] =
                .init(
                    digest: row.digest, bytes: row.bytes)
        }
        try loadTogether(asked, from: database)
    }

    /// Loads the attachments of a report that were begun before `before` and are not complete.
    mutating func loadUnfinishedAttachments(
        of report: ReportID, before: Instant, from database: Database
    ) throws {
        guard cases.files[report] != nil else { return }
        cases.attachments.unfinished = try database.run(ReadUnfinishedAttachments(before: before, of: report)).rows.map
        {
            .init(report: $0.report, id: $0.attachment)
        }
    }

    /// The locked reports, and those that this transaction will register, by sender and submission id.
    private var reportsBySubmission: [SubmissionKey: (id: ReportID, isSealed: Bool)] {
        var reports = cases.reportsBySubmission.mapValues { (id: $0.id, isSealed: $0.verdict == .passedUp) }
        for case .new(let draft, _) in cases.submissions.values {
            reports[draft.submission] = (draft.id, draft.readable == nil)
        }
        return reports
    }

    /// Adds the attachments announced by those of these reports that this transaction will register.
    private mutating func announceNew(_ touched: Set<ReportID>) {
        for case .new(let draft, _) in cases.submissions.values where touched.contains(draft.id) {
            guard let readable = draft.readable else { continue }
            for (attachment, key) in zip(readable.content.attachments, readable.attachments) {
                cases.attachments.announced[.init(report: draft.id, id: key.id)] = AnnouncedAttachment(
                    reportID: draft.id, attachment: key.id, bytes: attachment.bytes, isWhole: false)
            }
        }
    }

    /// Applies the parts to a copy of the book, as the decision will, and puts the parts together when a manifest
    /// closes an attachment.
    private mutating func loadTogether(
        _ asked: [(received: AttachmentPartReceived, attachment: AttachmentBook.Attachment)], from database: Database
    ) throws {
        let closed = Set(asked.lazy.filter { $0.received.part.count != nil }.map(\.attachment))
        guard !closed.isEmpty else { return }
        var book = cases.attachments
        var arrived: [AttachmentBook.Attachment: [Int: AttachmentPart]] = [:]
        for (received, attachment) in asked where closed.contains(attachment) {
            do {
                if let bytes = try received.part.checkedBytes() {
                    let number = received.part.part ?? 0
                    if try book.keep(number, part(number, bytes, of: attachment), of: attachment) {
                        arrived[attachment, default: [:]][number] = received.part
                    }
                } else if !book.isWhole(attachment), let count = received.part.count {
                    var together: AttachmentBook.Together?
                    if try book.hasParts(count, of: attachment) {
                        together = try putTogether(
                            attachment, count: count, arrived[attachment] ?? [:], from: database)
                        cases.attachments.together[received.inbound.key] = together
                    }
                    try book.close(attachment, sha256: received.sha256, holding: together)
                }
            } catch is Problem {
                // The decision finds the same problem and notifies the sender.
            }
        }
    }

    /// The size and digest of all parts, read 16 at a time so that a large attachment is never in memory as a
    /// whole. A part that arrived in this transaction replaces the stored one, which is dropped.
    private func putTogether(
        _ attachment: AttachmentBook.Attachment, count: Int, _ arrived: [Int: AttachmentPart], from database: Database
    ) throws -> AttachmentBook.Together {
        var hash = SHA256()
        var bytes = 0
        for first in stride(from: 1, through: count, by: 16) {
            let run = first...min(first + 15, count)
            let stored = try database.run(
                ReadAttachmentParts(report: attachment.report, attachment: attachment.id, parts: run)
            ).rows
            let boxes = Dictionary(stored.map { ($0.key.part, $0.box) }) { first, _ in first }
            for number in run {
                let part: [UInt8]
                if let here = try arrived[number]?.checkedBytes() {
                    part = here
                } else if let box = boxes[number] {
                    part = try office.boxes.open(
                        box, of: .attachmentPart(attachment: attachment.id, part: number, of: attachment.report))
                } else {
                    return AttachmentBook.Together(bytes: bytes, sha256: [])
                }
                hash.update(data: part)
                bytes += part.count
            }
        }
        return AttachmentBook.Together(bytes: bytes, sha256: Array(hash.finalize()))
    }
}
