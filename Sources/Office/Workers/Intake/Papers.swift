import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// What a transaction does to papers: pieces that came, papers that are whole, papers whose pieces are of no use.
struct PaperBook {
    struct Paper: Hashable {
        let report: ReportID
        /// A keyed digest of its SHA-256: see `PaperKey`.
        let id: [UInt8]
    }

    fileprivate var announced: [Paper: AnnouncedPaper] = [:]
    /// Digests of the pieces that are here, those of this transaction among them.
    fileprivate var digests: [PaperPartKey: [UInt8]] = [:]
    fileprivate var arrived: [PaperPartKey: PaperPart] = [:]
    /// Of the pieces that are here.
    fileprivate var sizes: [PaperPartKey: Int] = [:]
    fileprivate var whole: Set<Paper> = []
    fileprivate var dropped: Set<Paper> = []
    /// Papers that were closed with fewer parts than came, and how many they have.
    fileprivate var trimmed: [Paper: Int] = [:]

    /// How much was passed up sealed of the papers of reports that are touched, this transaction's among it.
    fileprivate var passedUp: [ReportID: (parts: Int, bytes: Int)] = [:]
    fileprivate var passedUpNow: Set<ReportID> = []

    /// Counts a piece, or a manifest, that is passed up: a source must not fill a superior's queue without end.
    mutating func passUp(_ bytes: Int, of report: ReportID, limits: Limits) throws(Problem) {
        let before = passedUp[report] ?? (0, 0)
        guard before.bytes + bytes <= limits.papersBytesMax,
            before.parts < limits.attachmentsMax * limits.attachmentPartsMax
        else {
            throw Problem(
                code: "too_large", path: "data.content",
                text:
                    """
                    \(before.parts) messages with \(before.bytes) bytes of papers were passed up with this \
                    report; a report has \
                    \(limits.papersBytesMax) bytes of papers at most
                    """)
        }
        passedUp[report] = (before.parts + 1, before.bytes + bytes)
        passedUpNow.insert(report)
    }

    fileprivate func isWhole(_ paper: Paper) -> Bool { whole.contains(paper) || announced[paper]?.isWhole == true }

    fileprivate func pending(of report: ReportID) -> Int {
        announced.keys.count { $0.report == report && !isWhole($0) }
    }

    fileprivate func parts(of paper: Paper) -> [PaperPartKey] {
        digests.keys.filter { $0.reportID == paper.report && $0.paper == paper.id }
    }

    fileprivate mutating func drop(_ paper: Paper) {
        dropped.insert(paper)
        for key in parts(of: paper) {
            digests[key] = nil
            arrived[key] = nil
            sizes[key] = nil
        }
    }

    fileprivate mutating func trim(_ paper: Paper, to count: Int) {
        trimmed[paper] = count
        for key in parts(of: paper) where key.part > count {
            digests[key] = nil
            arrived[key] = nil
            sizes[key] = nil
        }
    }

    fileprivate func bytes(of paper: Paper) -> Int { parts(of: paper).reduce(0) { $0 + (sizes[$1] ?? 0) } }

    /// Dropped first: what came after a drop is to stay.
    func commands(at now: Instant) -> [any Command] {
        var commands: [any Command] = []
        if !dropped.isEmpty { commands.append(DeletePaperParts(papers: dropped.map { ($0.report, $0.id) })) }
        if !trimmed.isEmpty { commands.append(DeleteStrayParts(papers: trimmed.map { ($0.report, $0.id, $1) })) }
        if !arrived.isEmpty { commands.append(InsertPaperParts(parts: arrived.values.sorted { $0.key < $1.key })) }
        let begun = Set(arrived.keys.map { Paper(report: $0.reportID, id: $0.paper) }).subtracting(whole)
        if !begun.isEmpty { commands.append(MarkPapersBegun(papers: begun.map { ($0.report, $0.id) }, at: now)) }
        if !passedUpNow.isEmpty {
            commands.append(
                WriteSealedPapers(
                    papers: passedUpNow.sorted().compactMap { id in passedUp[id].map { (id, $0.parts, $0.bytes) } }))
        }
        if !whole.isEmpty { commands.append(MarkPapersReceived(papers: whole.map { ($0.report, $0.id) }, at: now)) }
        return commands
    }
}

extension UnitOfWork {
    /// Takes the pieces of papers that were announced with reports (附件); the closing manifest says that all were sent.
    ///
    /// A piece that came before is a repeat; with other bytes it is refused. Pieces beyond the manifest's count are
    /// dropped alone. Pieces that together are not the paper that was announced are dropped together, so that they can
    /// be sent anew. Of a report that was passed up sealed each piece follows it, sealed too; nothing of it is kept,
    /// and it is the superior who finds whether they make the paper.
    mutating func takePieces(
        _ pieces: [(AttachmentPart, InboundMessage)], _ sealing: Sealing, reading database: Database
    ) throws {
        let reports = Dictionary(
            files.values.map { (UnitOfWork.name(Party.source($0.report.source), $0.report.submissionID), $0.report.id) }
        ) { first, _ in first }
        func report(of inbound: InboundMessage) -> ReportID? {
            reports[UnitOfWork.name(inbound.sender, inbound.subject)]
        }
        let sealed = Set(pieces.compactMap { report(of: $1) }.filter { files[$0]?.report.verdict == .passedUp })
        for row in sealed.isEmpty ? [] : try database.run(ReadSealedPapers(reports: sealed.sorted())).rows {
            papers.passedUp[row.report] = (row.parts, row.bytes)
        }
        try openPapers(
            pieces.compactMap { part, inbound in report(of: inbound).map { self.paper(part.sha256, of: $0) } },
            reading: database)
        for (part, inbound) in pieces {
            do {
                guard let report = report(of: inbound) else {
                    throw Problem(
                        code: "unknown_report", path: "subject",
                        text:
                            """
                            no report of yours with this id is accepted; send papers after report.accepted, each \
                            part under a new id
                            """
                    )
                }
                guard sealed.contains(report) else {
                    try take(part, inbound, of: report, reading: database)
                    continue
                }
                try sealing.passUp(part, inbound, of: report, in: &self)
                if part.count != nil { answerPaper(of: report, inbound) }
            } catch let problem as Problem {
                refuse(inbound, [problem])
            }
        }
    }

    /// Drops the parts of papers that nobody closed in time. The report is locked: none becomes whole meanwhile.
    mutating func dropUnfinishedPapers(of report: ReportID, before: Instant, reading database: Database) throws {
        guard files[report] != nil else { return }
        for paper in try database.run(ReadUnfinishedPapers(before: before, of: report)).rows {
            papers.drop(.init(report: paper.report, id: paper.paper))
        }
    }

    private static func name(_ sender: Party?, _ submission: String) -> String {
        "\(sender?.description ?? "")|\(submission)"
    }

    private func paper(_ sha256: String, of report: ReportID) -> PaperBook.Paper {
        PaperBook.Paper(report: report, id: digestKey.paper([UInt8](hexadecimal: sha256) ?? [], of: report))
    }

    /// Reads what was announced with these reports, and which parts of the papers asked for are here.
    private mutating func openPapers(_ asked: [PaperBook.Paper], reading database: Database) throws {
        let touched = Set(asked.map(\.report))
        for paper in try database.run(ReadAnnouncedPapers(reports: touched.sorted())).rows {
            papers.announced[.init(report: paper.reportID, id: paper.paper)] = paper
        }
        for new in newReports where touched.contains(new.report.id) {
            for (paper, key) in zip(new.content?.attachments ?? [], new.papers) {
                papers.announced[.init(report: new.report.id, id: key.id)] = AnnouncedPaper(
                    reportID: new.report.id, paper: key.id, bytes: paper.bytes, isWhole: false)
            }
        }
        let known = Set(asked).intersection(papers.announced.keys)
        for row in try database.run(ReadPaperPartDigests(papers: known.map { ($0.report, $0.id) })).rows {
            papers.digests[row.key] = row.digest
            papers.sizes[row.key] = row.bytes
        }
    }

    private mutating func take(
        _ part: AttachmentPart, _ inbound: InboundMessage, of report: ReportID, reading database: Database
    ) throws {
        let paper = self.paper(part.sha256, of: report)
        guard let announced = papers.announced[paper] else {
            throw Problem(
                code: "unknown_paper", path: "data.sha256", text: "no paper with this digest is awaited for this report"
            )
        }
        let sha256 = [UInt8](hexadecimal: part.sha256) ?? []
        if let bytes = try part.checkedBytes() { return try keep(part.part ?? 0, bytes, of: paper, announced) }
        let count = part.count ?? 0
        if !papers.isWhole(paper) {
            try close(paper, sha256, announced, count: count, act: inbound.key.eventID, reading: database)
        }
        answerPaper(of: report, inbound)
    }

    private mutating func keep(
        _ number: Int, _ bytes: [UInt8], of paper: PaperBook.Paper, _ announced: AnnouncedPaper
    ) throws {
        guard bytes.count <= announced.bytes else {
            throw Problem(
                code: "too_large", path: "data.content",
                text: "this part alone is longer than the paper that was announced")
        }
        // It is here already, and whole.
        if papers.isWhole(paper) { return }
        let key = PaperPartKey(reportID: paper.report, paper: paper.id, part: number)
        let digest = digestKey.part(Array(SHA256.hash(data: bytes)), of: paper.id, number: number)
        if let earlier = papers.digests[key] {
            guard earlier == digest else {
                throw Problem(
                    code: "part_differs", path: "data.part",
                    text: "part \(number) came before with other bytes; the first one stands")
            }
            return
        }
        let here = papers.bytes(of: paper)
        // The last part may make too many of them, which the manifest tells: of wrong parts the sender learns by
        // closing.
        guard here < announced.bytes || bytes.isEmpty else {
            throw Problem(
                code: "too_large", path: "data.content",
                text:
                    """
                    all \(announced.bytes) bytes that were announced are here; if they are wrong, close the \
                    paper, which drops them
                    """
            )
        }
        papers.digests[key] = digest
        papers.sizes[key] = bytes.count
        papers.arrived[key] = PaperPart(
            key: key, digest: digest,
            box: try vault.seal(bytes, context: Vault.context(paper: paper.id, part: number, of: paper.report)))
    }

    private mutating func close(
        _ paper: PaperBook.Paper, _ sha256: [UInt8], _ announced: AnnouncedPaper, count: Int, act: String,
        reading database: Database
    ) throws {
        // What is beyond the count leaves room for what is missing.
        if papers.parts(of: paper).contains(where: { $0.part > count }) { papers.trim(paper, to: count) }
        let here = papers.parts(of: paper).map(\.part)
        let missing = Set(1...count).subtracting(here).sorted()
        let hasRoom = papers.bytes(of: paper) < announced.bytes || announced.bytes == 0
        guard missing.isEmpty || !hasRoom else {
            let numbers =
                missing.prefix(20).map(String.init).joined(separator: ", ") + (missing.count > 20 ? " and more" : "")
            throw Problem(
                code: "parts_missing", path: "data.count",
                text: "part \(numbers) did not come; send what is missing, then close again under a new id")
        }
        guard try missing.isEmpty && matches(paper, sha256, announced, count: count, reading: database) else {
            papers.drop(paper)
            throw Problem(
                code: Refusal.wrongDigest.rawValue, path: "data.sha256",
                text:
                    """
                    the parts together are not the paper that was announced; all of them were dropped, send them \
                    again under new ids
                    """
            )
        }
        papers.whole.insert(paper)
        guard var file = files[paper.report] else { return }
        let source = Party.source(file.report.source)
        file.record(
            .paperReceived(
                act: commitment(toAct: InboxKey(sender: source.description, eventID: act), of: paper.report),
                commitment: commitment(to: sha256, of: paper.report, for: source)),
            at: now, by: officeName)
        files[paper.report] = file
    }

    private mutating func answerPaper(of id: ReportID, _ inbound: InboundMessage) {
        guard let report = files[id]?.report, let sender = inbound.sender else { return }
        guard receiptOnly(inbound) == nil else {
            return answer(
                inbound.key, to: sender, .reportReceived, subject: inbound.subject, data: Nothing(), reports: [id])
        }
        let pending = papers.pending(of: id)
        answer(
            inbound.key, to: sender, .reportAccepted, subject: inbound.subject,
            data: ReportAccepted(
                number: report.displayNumber, state: report.verdict, rule: report.rule, authority: report.authority,
                papersPending: pending > 0 ? pending : nil),
            reports: [id])
    }

    /// Length and digest over all parts, a few at a time, so that a large paper does not stand in memory.
    private func matches(
        _ paper: PaperBook.Paper, _ sha256: [UInt8], _ announced: AnnouncedPaper, count: Int, reading database: Database
    ) throws -> Bool {
        var hash = SHA256()
        var bytes = 0
        for first in stride(from: 1, through: count, by: 16) {
            let run = first...min(first + 15, count)
            let stored = try database.run(ReadPaperParts(report: paper.report, paper: paper.id, parts: run)).rows
            let boxes = Dictionary(stored.map { ($0.key.part, $0.box) }) { first, _ in first }
            for number in run {
                let key = PaperPartKey(reportID: paper.report, paper: paper.id, part: number)
                guard let box = papers.arrived[key]?.box ?? boxes[number] else { return false }
                let piece = try vault.open(box, context: Vault.context(paper: paper.id, part: number, of: paper.report))
                hash.update(data: piece)
                bytes += piece.count
            }
        }
        return bytes == announced.bytes && Array(hash.finalize()) == sha256
    }
}

extension AttachmentPart {
    /// The bytes of a piece; `nil` of the manifest that closes a paper.
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
        default:
            throw Problem(
                code: "bad_value", path: "data",
                text: "either part and content, of one piece, or count, of the manifest that closes the paper")
        }
    }
}
