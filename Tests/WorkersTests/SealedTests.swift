import AMQP
import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "The sealed pass-through", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SealedTests {
    private static let marker = "密件标记甲乙丙丁"

    private func sealedSubmission(unit: String? = nil) -> Submission {
        Sample.accusation(
            "反映某领导\(SealedTests.marker)插手工程，收受贿赂。", name: "某领导\(SealedTests.marker)", unit: unit, level: "central",
            reporters: [Reporter(name: "钱进来", phone: "13900001111")])
    }

    /// Opens the superior's message, follows it to its end, and searches for traces that must not stay behind.
    private func passThrough(_ office: OfficeUnderTest, opening key: Curve25519.KeyAgreement.PrivateKey) throws {
        let (source, superior) = (try office.source(), try office.unit("superior"))
        let id = UUID().uuidString
        let act = source.prepare(.reportSubmitted, id: id, subject: id, sealedSubmission())
        try source.publish(act)
        let answer = try source.receive()
        #expect(answer.type == MessageType.reportAccepted.rawValue)
        #expect(answer.number?.hasPrefix("S2") == true)
        #expect(answer.data["state"] as? String == "passed_up")

        let delivery = try superior.next(superior.express)
        let event = try JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(delivery.body))
        #expect(event.datacontenttype == MediaType.sealed)
        #expect(event.data.number == answer.number)
        let opened = try event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
        #expect(opened == act.body)
        #expect(throws: (any Error).self) {
            try event.data.open(with: key, id: event.id, type: event.type, subject: "another")
        }

        let arrived = Arrived(
            handoff: event.subject, digest: Array(SHA256.hash(data: delivery.body)).hexadecimal,
            number: event.data.number, submission: id)
        try superior.sign(arrived)
        try superior.decide(arrived)
        try superior.conclude(arrived)
        #expect(try superior.receive().type == MessageType.conclusionAccepted.rawValue)
        #expect(try office.texts("SELECT state FROM handoff") == ["closed"])
        #expect(try office.texts("SELECT state FROM report") == ["passed_up"])
        for table in ["report_text", "accused", "allegation", "attachment", "vault", "barred_root", "repeat_key"] {
            #expect(try office.count("SELECT count(*) FROM \(table)") == 0, "\(table)")
        }
        #expect(
            try office.texts("SELECT coalesce(matter_kind, '') || coalesce(region, '') || real_name FROM report") == [
                "false"
            ])
        #expect(try office.places(of: Array(SealedTests.marker.utf8)).isEmpty)
        #expect(try office.places(of: Array("13900001111".utf8)).isEmpty)
        #expect(try office.places(of: act.body).isEmpty)
        #expect(!office.log.lines.contains { $0.contains(SealedTests.marker) })
        // A repeat changes nothing and gets the same answer.
        try office.settle()
        let digests = try office.tableDigests()
        try source.publish(act)
        #expect(try source.receive().delivery.body == answer.delivery.body)
        #expect(try office.tableDigests() == digests)
        try office.expectWholeLedger()
    }

    @Test("a matter only for a superior passes through sealed to the superior's key, and leaves nothing behind")
    func sealsToSuperiorsKey() throws {
        let office = try OfficeUnderTest()
        let key = Curve25519.KeyAgreement.PrivateKey()
        let hexadecimal = Array(key.publicKey.rawRepresentation).hexadecimal
        try office.change("UPDATE unit SET sealing_key = decode('\(hexadecimal)', 'hex') WHERE id = 'superior'")
        try office.startAll()
        try passThrough(office, opening: key)
        try office.close()
    }

    @Test("a superior without a key gets it as sealed mail")
    func sendsSealedMailWithoutKey() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        try passThrough(office, opening: office.mailKey)
        try office.close()
    }

    @Test("an unusable superior's key has no fallback: the report is refused, nothing kept, and the log says so")
    func refusesReportUnderUnusableKey() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        for key in ["abcd", String(repeating: "00", count: 32)] {
            try office.stopLanes()
            try office.change("UPDATE unit SET sealing_key = decode('\(key)', 'hex') WHERE id = 'superior'")
            try office.startAll()
            try source.submit(sealedSubmission())
            #expect(try source.receive().problem == "superior_key_unusable", "\(key.count)")
        }
        #expect(try office.count("SELECT (SELECT count(*) FROM report) + (SELECT count(*) FROM dead_letter)") == 0)
        #expect(try office.places(of: Array(SealedTests.marker.utf8)).isEmpty)
        try office.close()
    }

    // MARK: Papers

    private struct Paper {
        let bytes = Array("账页标记戊己庚辛".utf8) + (0..<3_000).map { _ in UInt8.random(in: 0...255) }
        var sha256: String { Array(SHA256.hash(data: bytes)).hexadecimal }
        var parts: [AttachmentPart] {
            [
                AttachmentPart(sha256: sha256, part: 1, content: Array(bytes[..<1_000])),
                AttachmentPart(sha256: sha256, part: 2, content: Array(bytes[1_000...])),
            ]
        }
        var closing: AttachmentPart { AttachmentPart(sha256: sha256, count: 2) }
    }

    /// A sealed report with a paper, which is not sent yet.
    private func submit(
        _ paper: Paper, from source: PartyClient, unit: String? = nil
    ) throws -> (id: String, answer: ReceivedMessage) {
        var report = sealedSubmission(unit: unit)
        report.attachments = [Casework.Attachment(name: "单据.pdf", bytes: paper.bytes.count, sha256: paper.sha256)]
        return (try source.submit(report), try source.receive())
    }

    @Test("a sealed report's papers follow it sealed: the superior joins them, the source is answered, nothing stays")
    func sealsPapersOfSealedReport() throws {
        let office = try OfficeUnderTest()
        let key = Curve25519.KeyAgreement.PrivateKey()
        let hexadecimal = Array(key.publicKey.rawRepresentation).hexadecimal
        try office.change("UPDATE unit SET sealing_key = decode('\(hexadecimal)', 'hex') WHERE id = 'superior'")
        try office.startAll()
        let (source, superior, paper) = (try office.source(), try office.unit("superior"), Paper())
        let (id, answer) = try submit(paper, from: source)
        let handoff = try ReceivedMessage(try superior.next(superior.express))
        try office.settle()
        #expect(try office.sealedWaiting() == 1)
        let acts = (paper.parts + [paper.closing]).map { source.prepare(.attachmentPart, subject: id, $0) }
        for act in acts { try source.publish(act) }
        let whole = try source.receive()
        #expect(whole.type == MessageType.reportAccepted.rawValue && whole.inReplyTo == acts[2].id)
        #expect(whole.number == answer.number && whole.data["papersPending"] == nil)

        #expect(try openedPaper(of: acts, at: superior, key, handoff.subject, number: answer.number) == paper.bytes)
        try office.settle()
        // The superior may be done with the envelope before the last paper comes.
        let arrived = Arrived(handoff: handoff.subject, digest: handoff.delivery.digest, number: "", submission: id)
        try superior.sign(arrived)
        try superior.decide(arrived)
        try superior.conclude(arrived)
        #expect(try superior.receive().type == MessageType.conclusionAccepted.rawValue)
        #expect(try office.sealedWaiting() == 0)
        try source.send(.attachmentPart, subject: id, paper.parts[0])
        #expect(try ReceivedMessage(try superior.next(superior.express)).type == MessageType.attachmentPart.rawValue)
        try office.settle()
        // A repeat is answered as before, and nothing goes up again.
        let digests = try office.tableDigests()
        try source.publish(acts[2])
        #expect(try source.receive().delivery.body == whole.delivery.body)
        #expect(try office.tableDigests() == digests)
        #expect(try superior.nextIfAny(superior.express) == nil)

        try expectNothingStays(of: paper, in: office)
        #expect(
            try office.texts("SELECT parts || ' ' || bytes FROM sealed_papers") == ["4 \(paper.bytes.count + 1_000)"])
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%paper_passed_up%'") == 1)
        try office.expectWholeLedger()
        try office.close()
    }

    /// The paper that the superior puts together from its deliveries, each of which must be the act as it was sent.
    private func openedPaper(
        of acts: [PreparedAct], at superior: PartyClient, _ key: Curve25519.KeyAgreement.PrivateKey,
        _ handoff: String, number: String?
    ) throws -> [UInt8] {
        var together: [UInt8] = []
        for act in acts {
            let delivery = try superior.next(superior.express)
            let event = try JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(delivery.body))
            #expect(
                event.type == .attachmentPart && event.subject == handoff
                    && event.datacontenttype == MediaType.sealed)
            #expect(event.data.number == number)
            let opened = try event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
            #expect(opened == act.body)
            guard case .submitted(.part(let part)) = try Message(reading: opened, typeHint: nil).body else { continue }
            if let content = part.content { together += try #require(Data(base64Encoded: content)) }
        }
        return together
    }

    /// No table keeps the paper, or a digest of it.
    private func expectNothingStays(of paper: Paper, in office: OfficeUnderTest) throws {
        for table in ["attachment", "attachment_part", "dead_letter"] {
            #expect(try office.count("SELECT count(*) FROM \(table)") == 0, "\(table)")
        }
        let sha256 = try #require([UInt8](hexadecimal: paper.sha256))
        let secrets: [[UInt8]] = [
            Array("账页标记".utf8), Array(paper.sha256.utf8), sha256, Array(paper.bytes[..<64]),
            Array((paper.parts[0].content ?? "").utf8.prefix(64)),
        ]
        for secret in secrets { #expect(try office.places(of: secret).isEmpty) }
    }

    @Test("a sealed report's papers go as sealed mail to a superior without a key, and an unusable key refuses them")
    func sendsPapersByAvailableKey() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, superior, paper) = (try office.source(), try office.unit("superior"), Paper())
        let id = try submit(paper, from: source).id
        _ = try superior.next(superior.express)
        let act = source.prepare(.attachmentPart, subject: id, paper.parts[0])
        try source.publish(act)
        let event = try superior.event(superior.express, as: SealedData.self)
        #expect(
            try event.data.open(with: office.mailKey, id: event.id, type: event.type, subject: event.subject)
                == act.body)

        try office.stopLanes()
        try office.change("UPDATE unit SET sealing_key = decode('abcd', 'hex') WHERE id = 'superior'")
        try office.startAll()
        try source.send(.attachmentPart, subject: id, paper.closing)
        #expect(try source.receive().problem == "superior_key_unusable")
        #expect(office.log.lines.contains { $0.contains("the sealing key of unit superior cannot be used") })
        try office.close()
    }

    @Test("a sealed report's papers have the usual limits; a part too large once sealed is refused with the limit")
    func limitsPapersOfSealedReport() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, paper) = (try office.source(), Paper())
        let id = try submit(paper, from: source).id
        var wrong = AttachmentPart(sha256: paper.sha256, part: 1, content: [1])
        wrong.content = "不是"
        let cases: [(AttachmentPart, String, String)] = [
            (
                AttachmentPart(sha256: paper.sha256, part: 1, content: [UInt8](repeating: 7, count: 150 << 10)),
                "too_large", "131072"
            ),
            (AttachmentPart(sha256: paper.sha256, part: 0, content: [1]), "bad_value", "counted from 1"),
            (AttachmentPart(sha256: paper.sha256, count: 0), "bad_value", "1 to"),
            (AttachmentPart(sha256: "ab", count: 1), "bad_value", "64 hexadecimal"), (wrong, "bad_value", "Base64"),
        ]
        for (part, code, words) in cases {
            try source.send(.attachmentPart, subject: id, part)
            let refusal = try source.receive()
            #expect(refusal.problem == code && refusal.problemText?.contains(words) == true, "\(code)")
        }
        #expect(try office.count("SELECT count(*) FROM sealed_papers") == 0)
        try source.send(
            .attachmentPart, subject: id,
            AttachmentPart(sha256: paper.sha256, part: 1, content: [UInt8](repeating: 7, count: 128 << 10)))
        try office.wait(for: ["1 131072"], "SELECT parts || ' ' || bytes FROM sealed_papers")
        try office.change(
            """
            INSERT INTO sealed_papers SELECT id, 5, \(Limits.standard.papersBytesMax) FROM report ON CONFLICT \
            (report_id) DO UPDATE SET bytes = excluded.bytes
            """
        )
        try source.send(.attachmentPart, subject: id, paper.parts[1])
        #expect(try source.receive().problem == "too_large")
        try office.close()
    }

    @Test("a source that must learn nothing of a sealed report gets a bare receipt for a manifest, nothing for a part")
    func answersMutedPapersWithReceipt() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (subordinate, superior, paper) = (try office.source("subordinate"), try office.unit("superior"), Paper())
        let (id, receipt) = try submit(paper, from: subordinate, unit: "c01")
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        for part in paper.parts + [AttachmentPart(sha256: paper.sha256, part: 0, content: [1])] {
            try subordinate.send(.attachmentPart, subject: id, part)
        }
        for closing in [paper.closing, AttachmentPart(sha256: paper.sha256, count: 0)] {
            try subordinate.send(.attachmentPart, subject: id, closing)
            let received = try subordinate.receive()
            #expect(received.type == MessageType.reportReceived.rawValue && received.data.isEmpty)
        }
        for _ in 1...4 { _ = try superior.next(superior.express) }
        try office.close()
    }

    @Test("a superior's return of a sealed report is refused, and no fault of the office is recorded")
    func refusesReturnOfSealedReport() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, superior) = (try office.source(), try office.unit("superior"))
        try source.submit(sealedSubmission())
        let handoff = try ReceivedMessage(try superior.next(superior.express))
        try superior.sign(
            Arrived(handoff: handoff.subject, digest: handoff.delivery.digest, number: "", submission: ""))
        try superior.send(
            .handoffReturned, subject: handoff.subject, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"))
        #expect(try superior.receive().problem == "return_not_approved")
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a source whose own unit the sealed report is about gets a bare receipt")
    func answersMutedSourceWithReceipt() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let subordinate = try office.source("subordinate")
        let id = UUID().uuidString
        let act = subordinate.prepare(.reportSubmitted, id: id, subject: id, sealedSubmission(unit: "c01"))
        try subordinate.publish(act)
        let receipt = try subordinate.receive()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty)
        try subordinate.publish(act)
        #expect(try subordinate.receive().delivery.body == receipt.delivery.body)
        #expect(try office.count("SELECT count(*) FROM barred_root") == 0)
        try office.close()
    }

    @Test("a sealed report that waits too long is announced to one person whom the barrier admitted at its arrival")
    func notifiesOneCustodian() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        try office.change("INSERT INTO recusal (person, accused_name, reason) VALUES ('qian', '孙某某', '亲属')")
        try office.start(.intake)
        let source = try office.source()
        let accused =
            (1...20).map { Accused(name: "某领导", position: "职务\($0)", level: "central") } + [
                Accused(name: "钱督查", level: "central"), Accused(name: "孙某某同志", level: "central"),
                Accused(name: "某领导", position: "钱督查", level: "central"),
            ]
        for one in accused {
            var report = Sample.accusation("反映\(one.name)收受贿赂。", name: one.name, level: "central")
            report.accused = [one]
            try source.submit(report)
            #expect(try source.receive().data["state"] as? String == "passed_up")
        }
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        try office.wait(for: ["23"], "SELECT count(*) FROM person_notice")
        let notified = try office.texts(
            "SELECT n.person FROM person_notice n JOIN report r ON r.id = n.report_id ORDER BY r.number")
        #expect(notified.suffix(3) == ["wang", "wang", "wang"])
        // A reader who sees wang cannot conclude that qian was excluded.
        #expect(Set(notified.prefix(20)) == ["qian", "wang"])
        try office.close()
    }
}

extension OfficeUnderTest {
    /// As `bihuan status` counts them.
    fileprivate func sealedWaiting() throws -> Int {
        let database = try database()
        defer { database.close() }
        return try database.run(CountSealedUnsigned()).rows.first ?? -1
    }
}
