import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Papers that travel in parts",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PaperTests {
    private struct Paper {
        let bytes: [UInt8]
        let pieces: [[UInt8]]
        let sha256: String

        init(_ count: Int, pieces number: Int) {
            let all = (0..<count).map { _ in UInt8.random(in: 0...255) }
            let size = (count + number - 1) / number
            bytes = all
            pieces = stride(from: 0, to: count, by: size).map { start in Array(all[start..<min(start + size, count)]) }
            sha256 = Array(SHA256.hash(data: all)).hexadecimal
        }

        var attachment: Casework.Attachment {
            Casework.Attachment(name: "转账记录.pdf", mediaType: "application/pdf", bytes: bytes.count, sha256: sha256)
        }
    }

    /// A report with these papers, registered; its id is the subject of their parts.
    private func submit(
        _ papers: [Paper], from source: PartyClient, unit: String? = nil
    ) throws -> (id: String, answer: ReceivedMessage) {
        var report = Submission.new(unit: unit)
        report.attachments = papers.map(\.attachment)
        let id = try source.submit(report)
        return (id, try source.receive())
    }

    private func send(
        _ paper: Paper, _ number: Int, of report: String, by source: PartyClient, bytes: [UInt8]? = nil,
        id: String = UUID().uuidString
    ) throws {
        try source.send(
            .attachmentPart, id: id, subject: report,
            AttachmentPart(sha256: paper.sha256, part: number, content: bytes ?? paper.pieces[number - 1]))
    }

    private func close(
        _ paper: Paper, of report: String, by source: PartyClient, count: Int? = nil
    ) throws -> ReceivedMessage {
        let id = try source.send(
            .attachmentPart, subject: report, AttachmentPart(sha256: paper.sha256, count: count ?? paper.pieces.count))
        let answer = try source.receive()
        #expect(answer.inReplyTo == id && answer.subject == report)
        return answer
    }

    @Test("a report is registered at once with papers pending; parts in any order and a manifest complete a paper")
    func completesPaper() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let (first, second) = (Paper(500_000, pieces: 4), Paper(10, pieces: 1))
        let (report, accepted) = try submit([first, second], from: source)
        #expect(accepted.type == MessageType.reportAccepted.rawValue)
        #expect(accepted.data["papersPending"] as? Int == 2)
        for number in [3, 1, 4, 2] { try send(first, number, of: report, by: source) }
        let half = try close(first, of: report, by: source)
        #expect(half.type == MessageType.reportAccepted.rawValue && half.data["papersPending"] as? Int == 1)
        try send(second, 1, of: report, by: source)
        let all = try close(second, of: report, by: source)
        #expect(all.data["papersPending"] == nil && all.number == accepted.number)
        #expect(try office.count("SELECT count(*) FROM attachment WHERE received_at IS NOT NULL") == 2)
        #expect(try office.places(of: Array(first.bytes.prefix(64))).isEmpty, "no paper lies in clear")
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%paper_received%'") == 2)
        // A second manifest, and a part that comes late: repeats.
        #expect(try close(first, of: report, by: source).data["papersPending"] == nil)
        try send(first, 2, of: report, by: source)
        #expect(try source.receiveUntilDecided().isEmpty)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("missing parts are named, a doubled part is a repeat, and an altered one is refused; the first stays")
    func handlesMissingDoubledAndAlteredParts() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let paper = Paper(3_000, pieces: 3)
        let (report, _) = try submit([paper], from: source)
        try send(paper, 1, of: report, by: source)
        let early = try close(paper, of: report, by: source)
        #expect(early.problem == "parts_missing" && early.problemText?.contains("part 2, 3 did not come") == true)
        let id = UUID().uuidString
        for _ in 1...2 { try send(paper, 2, of: report, by: source, id: id) }
        try send(paper, 2, of: report, by: source)
        try send(paper, 2, of: report, by: source, bytes: [1, 2, 3])
        #expect(try source.receive().problem == "part_differs")
        try send(paper, 2, of: report, by: source, bytes: [1, 2, 3], id: id)
        #expect(try source.receive().problem == "id_reused")
        #expect(try source.receiveUntilDecided().isEmpty)
        try send(paper, 3, of: report, by: source)
        #expect(try close(paper, of: report, by: source).type == MessageType.reportAccepted.rawValue)
        try office.close()
    }

    @Test("parts that do not form the announced paper are dropped together, and can be sent again")
    func dropsPartsOfAnotherPaper() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let paper = Paper(2_000, pieces: 2)
        let (report, _) = try submit([paper], from: source)
        try send(paper, 1, of: report, by: source)
        try send(paper, 2, of: report, by: source, bytes: Array(paper.pieces[1].reversed()))
        #expect(try close(paper, of: report, by: source).problem == "wrong_digest")
        #expect(try office.count("SELECT count(*) FROM attachment_part") == 0)
        for number in 1...2 { try send(paper, number, of: report, by: source) }
        // All is here: a part too many is refused, and harms none.
        try send(paper, 3, of: report, by: source, bytes: [7])
        #expect(try source.receive().problem == "too_large")
        #expect(try close(paper, of: report, by: source).type == MessageType.reportAccepted.rawValue)
        try office.close()
    }

    @Test("parts are accepted up to the announced bytes; wrong ones in the way are dropped at the paper's end")
    func limitsPartsToAnnouncedBytes() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let paper = Paper(2_000, pieces: 2)
        let (report, _) = try submit([paper], from: source)
        // Another paper's bytes, as many as were announced.
        try send(paper, 1, of: report, by: source, bytes: Array(repeating: 7, count: 2_000))
        for number in 2...9 {
            try send(paper, number, of: report, by: source, bytes: [1])
            #expect(try source.receive().problem == "too_large")
        }
        #expect(try office.count("SELECT sum(octet_length(sealed)) FROM attachment_part") < 2_100)
        #expect(try close(paper, of: report, by: source).problem == "wrong_digest")
        for number in 1...2 { try send(paper, number, of: report, by: source) }
        #expect(try close(paper, of: report, by: source).type == MessageType.reportAccepted.rawValue)
        #expect(try office.count("SELECT count(*) FROM attachment WHERE first_part_at IS NOT NULL") == 0)
        try office.close()
    }

    @Test("papers whose sum is too large are refused at submission, however large the numbers")
    func refusesTooManyBytesOfPapers() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        var report = Submission.new()
        func papers(_ count: Int, _ bytes: Int) -> [Casework.Attachment] {
            (1...count).map { _ in
                Casework.Attachment(
                    name: "a", mediaType: "application/pdf", bytes: bytes, sha256: Paper(1, pieces: 1).sha256)
            }
        }
        let most = Limits.standard.attachmentBytesMax
        for (attachments, isTaken) in [(papers(4, most), true), (papers(5, most), false), (papers(2, .max), false)] {
            report.attachments = attachments
            try source.submit(report)
            #expect((try source.receive().problem == "too_large") != isTaken)
            report = .new()
        }
        try office.close()
    }

    @Test("parts of an unfinished paper are dropped after their retention time, and whole papers never")
    func dropsUnfinishedPapers() throws {
        let office = try OfficeUnderTest()
        let lane = try office.start(.intake)
        let source = try office.source()
        let (open, whole) = (Paper(2_000, pieces: 2), Paper(100, pieces: 1))
        let (report, _) = try submit([open, whole], from: source)
        try send(open, 1, of: report, by: source)
        try send(whole, 1, of: report, by: source)
        _ = try close(whole, of: report, by: source)
        #expect(try office.count("SELECT count(*) FROM attachment_part") == 2)
        try lane.stop()
        // As long as they are kept, and a day.
        let later = Double(Limits.standard.paperPartsKeptSeconds + 86_400)
        let passed = BusinessClock(wallOrigin: .wall(), businessOrigin: .wall().adding(seconds: later), rate: 1)
        try office.start(.intake, clock: passed)
        try office.wait(for: ["1"], "SELECT count(*) FROM attachment_part")
        #expect(try office.count("SELECT count(*) FROM attachment WHERE received_at IS NOT NULL") == 1)
        // It can be sent again.
        #expect(try close(open, of: report, by: source).problem == "parts_missing")
        for number in 1...2 { try send(open, number, of: report, by: source) }
        #expect(try close(open, of: report, by: source).type == MessageType.reportAccepted.rawValue)
        try office.close()
    }

    @Test("a part beyond the manifest's count is dropped alone, early or late: the paper is complete without it")
    func dropsStrayPart() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let papers = [Paper(2_000, pieces: 2), Paper(2_000, pieces: 2)]
        let (report, _) = try submit(papers, from: source)
        for paper in papers {
            // The first paper has two: one that is stored when the manifest comes, and one that is refused.
            if paper.sha256 == papers[0].sha256 {
                try send(paper, 7, of: report, by: source, bytes: [7])
                #expect(try close(paper, of: report, by: source).problem == "parts_missing")
            }
            for number in 1...2 { try send(paper, number, of: report, by: source) }
            // All bytes are here by now.
            try send(paper, 3, of: report, by: source, bytes: [7])
            #expect(try source.receive().problem == "too_large")
            #expect(try close(paper, of: report, by: source).type == MessageType.reportAccepted.rawValue)
        }
        #expect(
            try office.texts("SELECT part || ' ' || count(*) FROM attachment_part GROUP BY part ORDER BY part") == [
                "1 2", "2 2",
            ])
        #expect(try office.count("SELECT count(*) FROM attachment WHERE received_at IS NOT NULL") == 2)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("parts of no report, another's, an unannounced paper, and with a missing or wrong number are refused")
    func refusesForeignParts() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, web) = (try office.source(), try office.source("web"))
        let (paper, other) = (Paper(100, pieces: 1), Paper(100, pieces: 1))
        let (report, _) = try submit([paper], from: source)
        func problem(_ data: AttachmentPart, _ subject: String, by source: PartyClient) throws -> String? {
            try source.send(.attachmentPart, subject: subject, data)
            return try source.receive().problem
        }
        #expect(
            try problem(AttachmentPart(sha256: paper.sha256, count: 1), "no-report", by: source) == "unknown_report")
        #expect(try problem(AttachmentPart(sha256: paper.sha256, count: 1), report, by: web) == "unknown_report")
        #expect(try problem(AttachmentPart(sha256: other.sha256, count: 1), report, by: source) == "unknown_paper")
        #expect(try problem(AttachmentPart(sha256: "", count: 1), report, by: source) == "unknown_paper")
        for number in [0, -1, Limits.standard.attachmentPartsMax + 1, Int.max] {
            #expect(
                try problem(AttachmentPart(sha256: paper.sha256, part: number, content: [1]), report, by: source)
                    == "bad_value")
            #expect(try problem(AttachmentPart(sha256: paper.sha256, count: number), report, by: source) == "bad_value")
        }
        #expect(
            try problem(AttachmentPart(sha256: paper.sha256, part: 1, content: paper.bytes + [1]), report, by: source)
                == "too_large")
        var odd = AttachmentPart(sha256: paper.sha256, count: 1)
        odd.part = 1
        #expect(try problem(odd, report, by: source) == "bad_value")
        odd = AttachmentPart(sha256: paper.sha256, part: 1, content: [])
        odd.content = "no base64!"
        #expect(try problem(odd, report, by: source) == "bad_value")
        try office.close()
    }

    @Test("a source that got a bare receipt gets nothing more for its papers")
    func answersPapersWithReceiptOnly() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        // The source is of the unit that the accused belongs to.
        let source = try office.source("subordinate")
        let paper = Paper(100, pieces: 1)
        let (report, receipt) = try submit([paper], from: source, unit: "c01")
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        try send(paper, 1, of: report, by: source)
        let answer = try close(paper, of: report, by: source)
        #expect(answer.type == MessageType.reportReceived.rawValue && answer.data.isEmpty)
        // Whatever it does, a manifest brings the bare receipt and a piece nothing: of a paper that nobody announced,
        // with parts that did not come, with other bytes, under an id that was used, with a body of the report that is
        // another one.
        let other = Paper(200, pieces: 2)
        try send(other, 1, of: report, by: source)
        let id = UUID().uuidString
        try send(paper, 1, of: report, by: source, bytes: [1, 2, 3], id: id)
        try send(paper, 1, of: report, by: source, bytes: [4, 5, 6], id: id)
        #expect(try source.receiveUntilDecided().isEmpty)
        let unknown = try close(other, of: report, by: source)
        #expect(unknown.type == MessageType.reportReceived.rawValue && unknown.data.isEmpty)
        try source.submit(.new(), id: report)
        let second = try source.receive()
        #expect(second.type == MessageType.reportReceived.rawValue && second.data.isEmpty)
        try office.close()
    }
}
