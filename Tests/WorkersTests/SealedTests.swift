import AMQP
import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("The sealed pass-through", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SealedTests {
    private static let marker = "密件标记甲乙丙丁"

    private func sealedSubmission(unit: String? = nil) -> Submission {
        Sample.accusation(
            "反映某领导\(SealedTests.marker)插手工程，收受贿赂。", name: "某领导\(SealedTests.marker)", unit: unit, level: "central",
            reporters: [Reporter(name: "钱进来", phone: "13900001111")])
    }

    /// Opens what came to the superior, follows it to its end, and looks for what may not have stayed behind.
    private func passThrough(_ office: OfficeUnderTest, opening key: Curve25519.KeyAgreement.PrivateKey) throws {
        let (letter, superior) = (try office.source(), try office.unit("superior"))
        let id = UUID().uuidString
        let act = letter.prepare(.reportSubmitted, id: id, subject: id, sealedSubmission())
        try letter.publish(act)
        let answer = try letter.heard()
        #expect(answer.type == MessageType.reportAccepted.rawValue)
        #expect(answer.number?.hasPrefix("S2") == true)
        #expect(answer.data["state"] as? String == "passed_up")

        let delivery = try superior.next(superior.express)
        let event = try JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(delivery.body))
        #expect(event.datacontenttype == MediaType.sealed)
        #expect(event.data.number == answer.number)
        let opened = try event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
        #expect(opened == act.body)
        #expect(throws: (any Error).self) { try event.data.open(with: key, id: event.id, type: event.type, subject: "another") }

        let arrived = Arrived(
            handoff: event.subject, digest: Array(SHA256.hash(data: delivery.body)).hexadecimal, number: event.data.number, submission: id)
        try superior.sign(arrived)
        try superior.decide(arrived)
        try superior.conclude(arrived)
        #expect(try superior.heard().type == MessageType.conclusionAccepted.rawValue)
        #expect(try office.texts("SELECT state FROM handoff") == ["closed"])
        #expect(try office.texts("SELECT state FROM report") == ["passed_up"])
        for table in ["report_text", "accused", "allegation", "attachment", "vault", "barred_root", "repeat_key"] {
            #expect(try office.count("SELECT count(*) FROM \(table)") == 0, "\(table)")
        }
        #expect(try office.texts("SELECT coalesce(matter_kind, '') || coalesce(region, '') || real_name FROM report") == ["false"])
        #expect(try office.places(of: Array(SealedTests.marker.utf8)).isEmpty)
        #expect(try office.places(of: Array("13900001111".utf8)).isEmpty)
        #expect(try office.places(of: act.body).isEmpty)
        #expect(!office.log.lines.contains { $0.contains(SealedTests.marker) })
        // A repeat changes nothing and is told the same.
        try office.settle()
        let books = try office.books()
        try letter.publish(act)
        #expect(try letter.heard().delivery.body == answer.delivery.body)
        #expect(try office.books() == books)
        try office.expectWholeLedger()
    }

    @Test("what only a superior may handle passes through sealed to the superior's key, and leaves nothing behind")
    func ownKey() throws {
        let office = try OfficeUnderTest()
        let key = Curve25519.KeyAgreement.PrivateKey()
        let hexadecimal = Array(key.publicKey.rawRepresentation).hexadecimal
        try office.change("UPDATE unit SET sealing_key = decode('\(hexadecimal)', 'hex') WHERE id = 'superior'")
        try office.startAll()
        try passThrough(office, opening: key)
        try office.close()
    }

    @Test("a superior without a key gets it as sealed mail")
    func mailKey() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        try passThrough(office, opening: office.mailKey)
        try office.close()
    }

    @Test("a superior's key that cannot be used never falls back: the report is refused, nothing is kept, and the log says so")
    func unusableKey() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        for key in ["abcd", String(repeating: "00", count: 32)] {
            try office.stopLanes()
            try office.change("UPDATE unit SET sealing_key = decode('\(key)', 'hex') WHERE id = 'superior'")
            try office.startAll()
            try letter.submit(sealedSubmission())
            #expect(try letter.heard().problem == "superior_key_unusable", "\(key.count)")
        }
        #expect(try office.count("SELECT (SELECT count(*) FROM report) + (SELECT count(*) FROM dead_letter)") == 0)
        #expect(try office.places(of: Array(SealedTests.marker.utf8)).isEmpty)
        try office.close()
    }

    @Test("papers announced with a sealed report are not unknown: their source is told to send them to the superior")
    func papers() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        var report = sealedSubmission()
        let sha256 = String(repeating: "ab", count: 32)
        report.attachments = [Casework.Attachment(name: "单据.pdf", bytes: 3, sha256: sha256)]
        let id = try letter.submit(report)
        #expect(try letter.heard().data["state"] as? String == "passed_up")
        for part in [AttachmentPart(sha256: sha256, part: 1, content: [1, 2, 3]), AttachmentPart(sha256: sha256, count: 1)] {
            try letter.send(.attachmentPart, subject: id, part)
            #expect(try letter.heard().problem == "papers_of_sealed")
        }
        #expect(try office.count("SELECT count(*) FROM attachment_part") == 0)
        try office.close()
    }

    @Test("a source whose own unit the sealed report is about gets a bare receipt")
    func mutedSource() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let subordinate = try office.source("subordinate")
        let id = UUID().uuidString
        let act = subordinate.prepare(.reportSubmitted, id: id, subject: id, sealedSubmission(unit: "c01"))
        try subordinate.publish(act)
        let receipt = try subordinate.heard()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty)
        try subordinate.publish(act)
        #expect(try subordinate.heard().delivery.body == receipt.delivery.body)
        #expect(try office.count("SELECT count(*) FROM barred_root") == 0)
        try office.close()
    }

    @Test("when a sealed report waits too long one person is told: the first whom the barrier admitted when it came in")
    func custodian() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        try office.change("INSERT INTO recusal (person, accused_name, reason) VALUES ('qian', '孙某某', '亲属')")
        try office.start(.intake)
        let letter = try office.source()
        for name in ["某领导", "钱督查", "孙某某同志"] {
            try letter.submit(Sample.accusation("反映\(name)收受贿赂。", name: name, level: "central"))
            #expect(try letter.heard().data["state"] as? String == "passed_up")
        }
        try office.start(.deadlines, clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        try office.wait(for: ["3"], "SELECT count(*) FROM person_notice")
        #expect(
            try office.texts(
                "SELECT n.person FROM person_notice n JOIN report r ON r.id = n.report_id ORDER BY r.number") == ["qian", "wang", "wang"])
        try office.close()
    }
}
