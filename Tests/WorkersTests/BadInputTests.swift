import AMQP
import BrokerTopology
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite("Bad input", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BadInputTests {
    private func bytes(
        _ client: PartyClient, id: String = UUID().uuidString, source: String = "source.letter",
        type: String = MessageType.reportSubmitted.rawValue, specversion: String = "1.0"
    ) throws -> [UInt8] {
        let act = client.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        var json = try #require(try JSONSerialization.jsonObject(with: Data(act.body)) as? [String: Any])
        json["source"] = source
        json["type"] = type
        json["specversion"] = specversion
        return [UInt8](try JSONSerialization.data(withJSONObject: json))
    }

    @Test("a source's mistake is answered with its reason, kept where it is no act, and stops nobody")
    func answersEachMistakeOfSource() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        func expect(
            _ body: [UInt8], key: String = key, user: String? = "source.letter", problem: String, dead: Bool,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let messageID = UUID().uuidString
            let before = try office.count("SELECT count(*) FROM dead_letter")
            try source.publish(
                body, to: Topology.Exchange.intake, key: key, properties: Properties(messageID: messageID, userID: user)
            )
            let answer = try source.receive(sourceLocation: sourceLocation)
            #expect(answer.problem == problem, sourceLocation: sourceLocation)
            let kept = try office.count("SELECT count(*) FROM dead_letter") - before
            #expect(kept == (dead ? 1 : 0), sourceLocation: sourceLocation)
            if dead {
                #expect(
                    try office.texts(
                        """
                        SELECT sender || answered FROM dead_letter WHERE reason = '\(problem)' ORDER BY id DESC \
                        LIMIT 1
                        """
                    ) == ["source.lettertrue"], sourceLocation: sourceLocation)
            }
            if answer.inReplyTo == messageID { #expect(answer.subject == messageID, sourceLocation: sourceLocation) }
        }
        try expect(Array("no json".utf8), problem: "not_json", dead: true)
        try expect([], problem: "not_json", dead: true)
        try expect([0xFF, 0xFE, 0x00], problem: "not_utf8", dead: true)
        try expect(Array(String(repeating: "[", count: 100_000).utf8), problem: "too_deep", dead: true)
        try expect([UInt8](repeating: 0x20, count: 300_000), problem: "too_large", dead: true)
        try expect(try bytes(source), user: nil, problem: "no_user_id", dead: true)
        try expect(try bytes(source, source: "source.web"), problem: "wrong_source", dead: false)
        try expect(try bytes(source, type: "bihuan.report.burnt.v1"), problem: "unknown_type", dead: false)
        try expect(try bytes(source, type: "bihuan.report.submitted.v9"), problem: "unknown_version", dead: false)
        try expect(try bytes(source, type: MessageType.handoffSigned.rawValue), problem: "missing_field", dead: false)
        try expect(try bytes(source, specversion: "0.3"), problem: "not_cloudevents", dead: false)
        try expect(try bytes(source), key: "source.letter.report.burnt", problem: "wrong_routing_key", dead: false)
        // No table can store U+0000, wherever it is.
        try expect(Array("no json".utf8) + [0x31], key: "source.letter.\u{0}", problem: "not_json", dead: true)
        try expect(try bytes(source), key: key + "\u{0}", problem: "wrong_routing_key", dead: false)

        let id = try source.submit(.new())
        let answer = try source.receive()
        #expect(answer.inReplyTo == id)
        #expect(answer.type == MessageType.reportAccepted.rawValue)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        try office.close()
    }

    @Test("a malformed type is repeated nowhere: not in the answer, and in no table")
    func repeatsOddTypesNowhere() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        func answer(type: String, id: String = UUID().uuidString, specversion: String = "1.0") throws -> ReceivedMessage
        {
            try source.publish(
                try bytes(source, id: id, type: type, specversion: specversion), to: source.exchange,
                key: MessageType.reportSubmitted.routingKey(from: source.party),
                properties: source.properties(.reportSubmitted, "x"))
            return try source.receive()
        }
        let slipped = "王五举报张三"
        #expect(try answer(type: slipped).problem == "unknown_type")
        #expect(try answer(type: slipped, specversion: "0.3").problem == "not_cloudevents")
        // No id can be made of this one: a dead letter.
        #expect(try answer(type: slipped, id: "编号").problem == "unknown_type")
        #expect(try office.places(of: Array(slipped.utf8)) == [])
        #expect(try office.texts("SELECT coalesce(type, '-') FROM dead_letter") == ["-"])
        let long = try answer(type: "e" + String(repeating: "\u{301}", count: 100_000))
        #expect(long.problem == "unknown_type" && long.delivery.body.count < 1000 && long.data["refusedType"] == nil)
        #expect(try answer(type: "bihuan.report.burnt.v1").data["refusedType"] as? String == "bihuan.report.burnt.v1")
        try office.close()
    }

    @Test("a bad message in a batch costs its neighbours nothing")
    func badMessageSparesItsNeighbours() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        for index in 1...40 {
            if index % 4 == 0 {
                try source.publish(
                    Array("no json \(index)".utf8), to: Topology.Exchange.intake,
                    key: MessageType.reportSubmitted.routingKey(from: source.party),
                    properties: Properties(userID: source.party.description))
            } else {
                try source.submit(.new())
            }
        }
        try office.start(.intake)
        try office.wait(for: ["30"], "SELECT count(*) FROM report")
        #expect(try office.count("SELECT count(*) FROM dead_letter WHERE reason = 'not_json'") == 10)
        for _ in 1...40 { _ = try source.receive() }
        try office.close()
    }

    @Test("a command with an unroutable key is found in the unroutable queue, kept and answered")
    func answersUnroutableCommand() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let li = try office.person("li")
        let act = li.prepare(.commandRecall, subject: UUID().uuidString.lowercased(), CommandRecall(reason: "发错单位"))
        try li.publish(
            act.body, to: Topology.Exchange.command, key: "person.li.archive.recall",
            properties: li.properties(act.type, act.subject))
        let answer = try li.receive()
        #expect(answer.problem == "unroutable")
        #expect(answer.inReplyTo == act.id)
        #expect(
            try office.texts("SELECT reason || answered || queue FROM dead_letter") == [
                "unroutabletruebihuan.unroutable"
            ])
        #expect(try li.receiveUntilDecided().isEmpty)
        try office.close()
    }

    @Test("a unit's message for another unit, of a source's type or for another worker is refused")
    func refusesForeignActsOfUnits() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let subject = UUID().uuidString.lowercased()
        func answer(_ type: MessageType, _ body: [UInt8]) throws -> ReceivedMessage {
            try city.publish(
                body, to: city.exchange, key: type.routingKey(from: city.party),
                properties: city.properties(type, subject))
            return try city.receive()
        }
        let stolen = try office.unit("d1")
        #expect(
            try answer(
                .handoffProgress, stolen.prepare(.handoffProgress, subject: subject, HandoffProgress(text: "进展")).body
            ).problem == "wrong_source")
        #expect(
            try answer(.commandRecall, city.prepare(.commandRecall, subject: subject, CommandRecall(reason: "理由")).body)
                .problem == "wrong_sender")
        #expect(
            try answer(.reportSubmitted, city.prepare(.reportSubmitted, subject: subject, Submission.new()).body)
                .problem == "wrong_sender")
        #expect(try city.receiveUntilDecided().isEmpty)
        try office.close()
    }

    @Test("a message that costs the database too much is set aside alone")
    func setsCostlyMessageAside() throws {
        let office = try OfficeUnderTest()
        try office.change(
            """
            CREATE FUNCTION costs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(10); RETURN NEW; \
            END $$;
            CREATE TRIGGER costs BEFORE INSERT ON report_text FOR EACH ROW WHEN (NEW.body LIKE '%昂贵%') EXECUTE \
            FUNCTION costs();
            """)
        let source = try office.source()
        var costly = Submission.new()
        costly.text += "昂贵"
        for _ in 1...3 { try source.submit(.new()) }
        let id = try source.submit(costly)
        for _ in 1...3 { try source.submit(.new()) }
        try office.start(.intake) { $0.database.statementTimeoutMilliseconds = 250 }
        try office.wait(for: ["6"], "SELECT count(*) FROM report", within: 30)
        try office.wait(for: ["too_costly true"], "SELECT reason || ' ' || answered FROM dead_letter")
        #expect(try office.inbox(id, from: source.party) == "dead")
        try office.close()
    }

    @Test("a message that the database cannot store is set aside alone, and answered")
    func setsUnstorableMessageAside() throws {
        let office = try OfficeUnderTest()
        try office.change("ALTER TABLE report_text ADD CONSTRAINT no_marker CHECK (body NOT LIKE '%难以入库%')")
        let source = try office.source()
        var bad = Submission.new()
        bad.text += "难以入库"
        var ids: Set<String> = []
        for index in 1...20 { ids.insert(try source.submit(index == 7 ? bad : .new())) }
        try office.start(.intake)
        var problems: [String] = []
        for _ in 1...20 {
            let answer = try source.receive()
            ids.remove(answer.inReplyTo ?? "")
            if let problem = answer.problem { problems.append(problem) }
        }
        #expect(ids.isEmpty)
        #expect(problems == ["cannot_be_handled"])
        #expect(try office.count("SELECT count(*) FROM report") == 19)
        #expect(
            try office.count(
                "SELECT count(*) FROM dead_letter WHERE detail LIKE '%no_marker%' AND detail NOT LIKE '%难以入库%'") == 1)
        try office.close()
    }
}
