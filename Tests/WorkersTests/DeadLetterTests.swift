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

@Suite("Dead letters", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DeadLetterTests {
    private func letterID(_ office: OfficeUnderTest) throws -> String {
        try #require(try office.texts("SELECT id FROM dead_letter ORDER BY received_at DESC, id DESC LIMIT 1").first)
    }

    private func letterState(_ office: OfficeUnderTest) throws -> [String] {
        try office.texts(
            """
            SELECT state || ' ' || replays || ' ' || coalesce(settled_by, '-') FROM dead_letter ORDER BY \
            received_at, id
            """
        )
    }

    private static let marked = "难以入库"

    /// An office in which a report ended as a dead letter, for a reason that can be removed.
    private func officeWithDeadReport() throws -> (
        OfficeUnderTest, PartyClient, id: String, act: PreparedAct, deadLetterReason: ReceivedMessage
    ) {
        let office = try OfficeUnderTest()
        try office.change("ALTER TABLE report_text ADD CONSTRAINT no_marker CHECK (body NOT LIKE '%\(Self.marked)%')")
        try office.startAll()
        let source = try office.source()
        var report = Submission.new()
        report.text += Self.marked
        let id = UUID().uuidString
        let act = source.prepare(.reportSubmitted, id: id, subject: id, report)
        try source.publish(act)
        let deadLetterReason = try source.receive()
        #expect(
            deadLetterReason.problem == "cannot_be_handled"
                && deadLetterReason.type == MessageType.messageRefused.rawValue)
        return (office, source, id, act, deadLetterReason)
    }

    @Test("a replay gives the stored bytes to the same handler: one verdict for the act, and an answer to its sender")
    func replaysThroughSameHandler() throws {
        let (office, source, id, act, deadLetterReason) = try officeWithDeadReport()
        let operatorClient = try office.person("sun")
        // Meanwhile a repeat is answered and counted, and changes nothing else.
        try source.publish(act)
        #expect(try source.receiveUntilDecided().map(\.problem) == ["cannot_be_handled"])
        #expect(try office.texts("SELECT times || ' ' || state FROM dead_letter") == ["2 open"])
        #expect(try office.inbox(id, from: source.party) == "dead")

        // Still broken: the dead letter stays, its sender gets no message, and the person gets the reason.
        let dead = try letterID(office)
        let vain = try office.order(.commandReplay, dead, Nothing(), by: operatorClient)
        #expect(vain.problem == "cannot_be_handled" || vain.problem == "dead_again")
        #expect(try office.count("SELECT count(*) FROM dead_letter WHERE state = 'open'") == 1)

        try office.change("ALTER TABLE report_text DROP CONSTRAINT no_marker")
        let command = UUID().uuidString
        let done = try office.order(.commandReplay, dead, Nothing(), by: operatorClient, id: command)
        #expect(done.type == MessageType.commandTaken.rawValue)
        let answer = try source.receive()
        #expect(answer.type == MessageType.reportAccepted.rawValue && answer.inReplyTo == id)
        #expect(answer.id != deadLetterReason.id, "two answers, two ids")
        #expect(try office.inbox(id, from: source.party) == "taken")
        #expect(try office.count("SELECT count(*) FROM report WHERE source = 'letter' AND source_id = '\(id)'") == 1)
        #expect(try office.texts("SELECT state || ' ' || settled_by FROM dead_letter") == ["replayed person.sun"])

        // The same command again: the same verdict. Another one: it is settled. The report itself again: its verdict.
        let again = try office.order(.commandReplay, dead, Nothing(), by: operatorClient, id: command)
        #expect(again.id == done.id)
        #expect(try office.order(.commandReplay, dead, Nothing(), by: operatorClient).problem == "already_settled")
        try source.publish(act)
        #expect(try source.receive().id == answer.id)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a discarded dead letter is refused to its sender with the reason, and is kept")
    func answersDiscardWithReason() throws {
        let (office, source, id, act, deadLetterReason) = try officeWithDeadReport()
        let sun = try office.person("sun")
        let dead = try letterID(office)
        #expect(
            try office.order(.commandDiscard, dead, CommandDiscard(reason: " "), by: sun).problem == "missing_field")
        #expect(
            try office.order(.commandDiscard, dead, CommandDiscard(reason: "内容残缺，请重新提交"), by: sun).type
                == MessageType.commandTaken.rawValue)
        let answer = try source.receive()
        #expect(answer.problem == "discarded" && answer.problemText?.contains("请重新提交") == true)
        #expect(answer.inReplyTo == id && answer.id != deadLetterReason.id)
        #expect(try office.inbox(id, from: source.party) == "refused")
        #expect(try office.texts("SELECT state || ' ' || settled_because FROM dead_letter") == ["discarded 内容残缺，请重新提交"])
        #expect(try office.order(.commandReplay, dead, Nothing(), by: sun).problem == "already_settled")
        try source.publish(act)
        #expect(try source.receive().id == answer.id, "the original verdict")
        try office.close()
    }

    @Test("only an operator decides about dead letters, only about existing ones, and at the worker that keeps them")
    func onlyOperatorDecides() throws {
        let (office, _, _, _, _) = try officeWithDeadReport()
        let dead = try letterID(office)
        let (sun, li) = (try office.person("sun"), try office.person("li"))
        #expect(try office.order(.commandReplay, dead, Nothing(), by: li).problem == "not_allowed")
        #expect(try office.order(.commandDiscard, dead, CommandDiscard(reason: "无"), by: li).problem == "not_allowed")
        #expect(
            try office.order(.commandReplay, UUID().uuidString.lowercased(), Nothing(), by: sun).problem
                == "unknown_dead_letter")
        #expect(try office.order(.commandReplay, "no-letter", Nothing(), by: sun).problem == "unknown_dead_letter")
        #expect(
            try office.order(.commandReplay, dead, Nothing(), by: sun, to: .feedback).problem == "unknown_dead_letter")
        #expect(try letterState(office) == ["open 0 -"])
        try office.close()
    }

    @Test("a message that nobody vouched for is replayed under its stored sender, as the act sent correctly")
    func replaysUnvouchedActUnderStoredSender() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, sun) = (try office.source(), try office.person("sun"))
        let id = UUID().uuidString
        let act = source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        var properties = source.properties(act.type, act.subject)
        properties.userID = nil
        try source.publish(act.body, to: source.exchange, key: act.key, properties: properties)
        #expect(try source.receive().problem == "no_user_id")
        #expect(
            try office.order(.commandReplay, try letterID(office), Nothing(), by: sun).type
                == MessageType.commandTaken.rawValue)
        let answer = try source.receive()
        #expect(answer.type == MessageType.reportAccepted.rawValue)
        try source.publish(act)
        #expect(try source.receive().id == answer.id)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE verdict = 'dead'") == 0)
        try office.close()
    }

    @Test("a source that is registered later gets its report registered by replay")
    func registersReportOfLateSource() throws {
        let office = try OfficeUnderTest()
        try office.unregister(source: "web")
        try office.startAll()
        let (web, sun) = (try office.source("web"), try office.person("sun"))
        let id = try web.submit(.new())
        #expect(try web.receive().problem == "unknown_source")
        #expect(try office.texts("SELECT reason || ' ' || answered FROM dead_letter") == ["unknown_source true"])
        try office.stopLanes()
        try office.change("INSERT INTO source (id, name, kind) VALUES ('web', '网络举报', 'web')")
        try office.bindInbound(web.party, true)
        try office.startAll()
        #expect(
            try office.order(.commandReplay, try letterID(office), Nothing(), by: sun).type
                == MessageType.commandTaken.rawValue)
        let answer = try web.receive()
        #expect(answer.inReplyTo == id && answer.type == MessageType.reportAccepted.rawValue)
        try office.close()
    }

    @Test("every message of an unregistered sender is kept and answered, and handled after the registration")
    func keepsMessagesOfUnregisteredSender() throws {
        let office = try OfficeUnderTest()
        try office.change(
            """
            DELETE FROM person WHERE id = 'zhao';
            DELETE FROM unit_closure WHERE descendant = 'd2'; DELETE FROM unit WHERE id = 'd2'
            """)
        try office.unregister(source: "web")
        try office.bindInbound(.unit(UnitID(unchecked: "d2")), false)
        try office.startAll()
        let (web, d2, zhao) = (try office.source("web"), try office.unit("d2"), try office.person("zhao"))
        let (id, handoff) = (UUID().uuidString, UUID().uuidString.lowercased())
        let textless = UUID().uuidString
        let acts: [(party: PartyClient, act: PreparedAct, verdict: String)] = [
            (web, web.prepare(.reportSubmitted, id: textless, subject: textless, Nothing()), "missing_field"),
            (
                web,
                web.prepare(
                    .attachmentPart, subject: id, AttachmentPart(sha256: String(repeating: "0", count: 64), count: 1)),
                "unknown_report"
            ),
            (
                web, web.prepare(.reportSubmitted, id: id, subject: id, Submission.new()),
                MessageType.reportAccepted.rawValue
            ),
            (d2, d2.prepare(.handoffProgress, subject: handoff, HandoffProgress(text: "进展")), "unknown_handoff"),
            (zhao, zhao.prepare(.commandRecall, subject: handoff, CommandRecall(reason: "发错单位")), "unknown_handoff"),
        ]
        for (party, act, _) in acts {
            try party.publish(act)
            let answer = try party.receive()
            #expect(answer.problem == "unknown_source" && answer.inReplyTo == act.id)
        }
        #expect(
            try office.texts("SELECT reason || ' ' || sender || ' ' || answered FROM dead_letter ORDER BY sender")
                == ["person.zhao", "source.web", "source.web", "source.web", "unit.d2"].map {
                    "unknown_source \($0) true"
                })
        try office.stopLanes()
        try register(office)
        for party in [web.party, d2.party] { try office.bindInbound(party, true) }
        try office.startAll()
        for (party, act, verdict) in acts {
            try party.publish(act)
            let answer = try party.receive()
            #expect(answer.problem ?? answer.type == verdict && answer.inReplyTo == act.id)
        }
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 5)
        try office.close()
    }

    /// Registers the unit d2, the source web and the person zhao.
    private func register(_ office: OfficeUnderTest) throws {
        let (unit, person) = (
            SmallOffice.units[1], try #require(SmallOffice.persons.first { $0.id.rawValue == "zhao" })
        )
        let database = try office.database()
        defer { database.close() }
        try database.run(EnterUnit(unit: unit, at: .wall()))
        try database.run(EnterSource(source: SmallOffice.sources[1]))
        try database.run(EnterPerson(person: person))
    }

    @Test("an answer to an unregistered sender without a queue is kept beside the message")
    func keepsAnswerToStrangerWithoutQueue() throws {
        let office = try OfficeUnderTest()
        let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        defer { admin.close() }
        _ = try admin.deleteQueue(QueueName(rawValue: "source.web.notice"), on: try admin.openChannel())
        try office.unregister(source: "web")
        try office.startAll()
        try (try office.source("web")).submit(.new())
        try office.wait(
            for: ["undeliverable source.web", "unknown_source -"],
            "SELECT reason || ' ' || coalesce(addressee, '-') FROM dead_letter ORDER BY reason")
        try office.close()
    }

    @Test("a message of a broker user who is no party is kept under that user, unanswered; no replay changes that")
    func keepsMessagesOfUserWithoutParty() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, sun) = (try office.source(), try office.person("sun"))
        let act = source.prepare(.reportSubmitted, subject: UUID().uuidString, Submission.new())
        let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        let publisher = try Publisher(on: admin)
        for body in [act.body, Array("no JSON".utf8)] {
            _ = try publisher.publish(
                body, to: ExchangeName(rawValue: source.exchange), key: RoutingKey(rawValue: act.key),
                properties: Properties(userID: "admin"), token: 1, deadline: 5)
            #expect(try publisher.settle(within: 5).map(\.outcome) == [.confirmed])
        }
        admin.close()
        try office.wait(
            for: ["not_json admin false", "unknown_source admin false"],
            "SELECT reason || ' ' || sender || ' ' || answered FROM dead_letter ORDER BY reason")
        let letters = try office.texts("SELECT id FROM dead_letter WHERE reason = 'unknown_source'")
        #expect(
            try office.order(.commandReplay, try #require(letters.first), Nothing(), by: sun).problem == "dead_again")
        #expect(try source.receiveUntilDecided().isEmpty)
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE sender = 'admin' AND verdict = 'dead'") == 2)
        try office.close()
    }

    @Test("a replay sends an undeliverable message of the office as it was; without a queue it is open again")
    func resendsUndeliverableByReplay() throws {
        let office = try OfficeUnderTest()
        let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        defer { admin.close() }
        let channel = try admin.openChannel()
        let queue = QueueName(rawValue: "source.letter.notice")
        _ = try admin.deleteQueue(queue, on: channel)
        try office.startAll()
        let (source, sun) = (try office.source(), try office.person("sun"))
        let id = try source.submit(.new())
        try office.wait(for: ["undeliverable intake"], "SELECT reason || ' ' || worker FROM dead_letter")
        let dead = try letterID(office)
        #expect(try office.order(.commandReplay, dead, Nothing(), by: sun).type == MessageType.commandTaken.rawValue)
        try office.wait(for: ["open 1"], "SELECT state || ' ' || replays FROM dead_letter")

        _ = try admin.declareQueue(
            queue,
            arguments: ["x-queue-type": .string("quorum"), "x-delivery-limit": .int(Int64(Topology.deliveryLimit))],
            on: channel)
        try admin.bindQueue(
            queue, to: ExchangeName(rawValue: Topology.Exchange.notice), key: RoutingKey(rawValue: queue.rawValue),
            on: channel)
        #expect(try office.order(.commandReplay, dead, Nothing(), by: sun).type == MessageType.commandTaken.rawValue)
        let answer = try source.receive()
        #expect(answer.inReplyTo == id && answer.id == dead, "the event id stays the same")
        try office.wait(for: ["replayed 1"], "SELECT state || ' ' || replays FROM dead_letter")
        try office.close()
    }

    @Test("a replay sends a sealed pass-through that found no queue, and its clocks run again")
    func resendsSealedByReplay() throws {
        let office = try OfficeUnderTest()
        let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        defer { admin.close() }
        let channel = try admin.openChannel()
        let queues = ["unit.superior.inbox", "unit.superior.express"].map { QueueName(rawValue: $0) }
        for queue in queues { _ = try admin.deleteQueue(queue, on: channel) }
        try office.startAll()
        let (source, sun) = (try office.source(), try office.person("sun"))
        try source.submit(.new(level: "central"))
        _ = try source.receive()
        try office.wait(for: ["undeliverable"], "SELECT state FROM handoff")
        for queue in queues {
            _ = try admin.declareQueue(
                queue,
                arguments: [
                    "x-queue-type": .string("quorum"), "x-delivery-limit": .int(Int64(Topology.deliveryLimit)),
                ], on: channel)
            try admin.bindQueue(
                queue, to: ExchangeName(rawValue: Topology.Exchange.handoff), key: RoutingKey(rawValue: queue.rawValue),
                on: channel)
        }
        #expect(
            try office.order(.commandReplay, try letterID(office), Nothing(), by: sun).type
                == MessageType.commandTaken.rawValue)
        try office.wait(for: ["dispatched"], "SELECT state FROM handoff")
        #expect(try office.texts("SELECT state FROM report") == ["passed_up"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE ended_at IS NULL") > 0)
        let superior = try office.unit("superior")
        let express = try office.count("SELECT count(*) FROM handoff WHERE express") == 1
        let arrived = try superior.receiveHandoff(from: express ? superior.express : superior.inbox)
        try superior.sign(arrived)
        try office.waitForState("signed", of: arrived)
        try office.expectWholeLedger()
        try office.close()
    }
}
