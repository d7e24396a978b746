import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "The identity stays in the vault",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct IdentityTests {
    @Test("the reporter's name, phone and address are only stored encrypted: in no table, delivery or log")
    func identityIsOnlyInTheVault() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let reporter = Reporter(
            name: "欧阳不平", organ: "清河镇第三中学", phone: "13812345678", idNumber: "430102198001011234", address: "清河镇和平路18号")
        var submission = Sample.accusation(
            "我叫欧阳不平，电话138-1234-5678，身份证430102198001011234，住清河镇和平路18号，在清河镇第三中学工作。反映副镇长张三贪污公款。",
            reporters: [reporter])
        submission.title = "欧阳不平举报张三"
        submission.allegations[0].act = "欧阳不平所见：贪污公款"
        submission.attachments = [Attachment(name: "欧阳不平的照片.jpg", bytes: 10, sha256: String(repeating: "a", count: 64))]
        let id = try source.submit(submission)
        let accepted = try source.receive()
        #expect(accepted.type == MessageType.reportAccepted.rawValue)
        let delivery = try city.next(city.inbox)
        let dispatched = try JSONDecoder().decode(CloudEvent<HandoffDispatched>.self, from: Data(delivery.body))
        #expect(dispatched.data.text.contains("张三"))
        try city.send(.handoffProgress, subject: dispatched.subject, HandoffProgress(text: "进展"))
        _ = try city.receiveUntilDecided()

        let secrets = ["欧阳不平", "13812345678", "138-1234-5678", "430102198001011234", "和平路18号", "清河镇第三中学"]
        let delivered =
            String(decoding: delivery.body, as: UTF8.self) + String(decoding: accepted.delivery.body, as: UTF8.self)
        for secret in secrets {
            #expect(try office.places(of: Array(secret.utf8)).isEmpty, "\(secret)")
            #expect(!delivered.contains(secret), "\(secret)")
            #expect(!office.log.lines.contains { $0.contains(secret) }, "\(secret)")
        }
        #expect(!office.log.lines.isEmpty)
        // The vault still has the original, bound to its report.
        let database = try office.database()
        defer { database.close() }
        let report = try #require(try office.texts("SELECT report_id::text FROM vault").first.flatMap { ReportID($0) })
        let stored = try #require(try database.run(ReadOriginal(report: report)).rows.first)
        let original = try office.vaultKey.open(stored, of: report)
        let opened = try JSONDecoder().decode(CloudEvent<Submission>.self, from: Data(original))
        #expect(opened.id == id)
        #expect(opened.data.reporters == [reporter])
        try office.close()
    }

    @Test("nothing of an unreadable message is kept, and its answer quotes nothing of it")
    func keepsNothingUnreadable() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        let bodies = [
            "我叫欧阳不平，不是JSON",
            #"""
            {"specversion":"1.0","type":"bihuan.report.submitted.v1","source":"source.letter","data":{"text":"欧阳不\#
            平"}}
            """#,
            #"""
            {"specversion":"1.0","id":"a \#
            b","type":"bihuan.report.submitted.v1","source":"source.letter","subject":"x",\#
            "time":"2026-03-02T00:00:00Z","data":{"text":"反映","reporters":[{"consent":"欧阳不平"}]}}
            """#,
            #"""
            {"specversion":"1.0","id":"ok-1","type":"bihuan.report.submitted.v1","source":"source.letter",\#
            "subject":"ok-1","time":"2026-03-02T00:00:00Z","data":{"text":"反映","reporters":[{"consent":"欧阳不平"}]}}
            """#,
        ]
        for body in bodies {
            try source.publish(
                Array(body.utf8), to: Topology.Exchange.intake, key: key,
                properties: Properties(messageID: UUID().uuidString, userID: source.party.description))
            let answer = try source.receive()
            #expect(!String(decoding: answer.delivery.body, as: UTF8.self).contains("欧阳不平"))
        }
        #expect(try office.places(of: Array("欧阳不平".utf8)).isEmpty)
        #expect(!office.log.lines.contains { $0.contains("欧阳不平") })
        #expect(try office.count("SELECT count(*) FROM dead_letter WHERE sealed IS NULL AND bytes > 0") == 3)
        try office.close()
    }
}
