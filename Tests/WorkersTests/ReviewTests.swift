import AMQP
import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Reports that need review", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ReviewTests {
    /// An office with a report that was recalled from c01.
    private struct Recalled {
        let office: OfficeUnderTest
        let li, zhao: PartyClient
        let city: PartyClient
        let first: Arrived
        let report: String

        init(_ submission: Submission = Sample.accusation(), change: (OfficeUnderTest) throws -> Void = { _ in }) throws
        {
            office = try OfficeUnderTest()
            try change(office)
            try office.startAll()
            (li, zhao, city) = (try office.person("li"), try office.person("zhao"), try office.unit("c01"))
            try office.source().submit(submission)
            first = try city.receiveHandoff()
            try li.send(.commandRecall, subject: first.handoff, CommandRecall(reason: "发错单位"))
            #expect(try li.receive().type == MessageType.commandTaken.rawValue)
            _ = try city.next(city.inbox)
            report = try #require(try office.texts("SELECT id::text FROM report").first)
        }

        func route(
            _ unit: String? = nil, _ kind: String? = nil, id: String = UUID().uuidString, by person: PartyClient
        ) throws -> ReceivedMessage {
            try person.send(
                .commandReviewRoute, id: id, subject: report,
                CommandReviewRoute(unit: unit.flatMap { UnitID($0) }, kind: kind, reason: "另行分流"))
            return try person.receive()
        }

        func close(
            _ end: CommandReviewClose.End, _ authority: String? = nil, by person: PartyClient
        ) throws -> ReceivedMessage {
            try person.send(
                .commandReviewClose, subject: report,
                CommandReviewClose(end: end, authority: authority, reason: "不再移交"))
            return try person.receive()
        }

        func state() throws -> [String] { try office.texts("SELECT state FROM report") }

        func events() throws -> [String] {
            try office.texts(
                """
                SELECT concat_ws(' ', e->>'event', e->>'by') FROM (SELECT \
                convert_from(bytes, 'UTF8')::jsonb AS e, sequence \
                FROM ledger_entry WHERE chain = '\(report)') l ORDER BY sequence
                """)
        }
    }

    @Test("a person hands a recalled report to another unit: its loop closes, the ledger names person and rule")
    func routesToNamedUnit() throws {
        let scene = try Recalled()
        let id = UUID().uuidString
        let verdict = try scene.route("d1", "transfer", id: id, by: scene.zhao)
        #expect(verdict.type == MessageType.commandTaken.rawValue && verdict.subject == scene.report)
        #expect(verdict.inReplyTo == id && verdict.data["text"] as? String == "handed to unit.d1 (transfer)")
        let department = try scene.office.unit("d1")
        let second = try department.receiveHandoff()
        #expect(second.handoff != scene.first.handoff)
        try department.sign(second)
        try scene.office.waitForState("signed", of: second)
        #expect(try scene.state() == ["in_hand"])
        #expect(
            try scene.office.texts("SELECT concat_ws(' ', attempt, unit, rule) FROM handoff ORDER BY attempt")
                .last?.hasSuffix("/person-decides") == true)
        #expect(try scene.events().contains("routed person.zhao"))
        // The same command again has the same answer, and no second effect.
        let again = try scene.route("d1", "transfer", id: id, by: scene.zhao)
        #expect(again.delivery.body == verdict.delivery.body)
        #expect(try scene.office.count("SELECT count(*) FROM handoff") == 2)
        #expect(try scene.route("d2", "transfer", by: scene.zhao).problem == "wrong_state")
        try scene.office.expectWholeLedger()
        try scene.office.close()
    }

    @Test("the rules choose again, and not the unit from which it was recalled")
    func routesByRules() throws {
        let scene = try Recalled(Sample.accusation(level: "city"))
        let verdict = try scene.route(by: scene.zhao)
        #expect(verdict.type == MessageType.commandTaken.rawValue)
        let units = try scene.office.texts("SELECT unit FROM handoff ORDER BY attempt")
        #expect(units.count == 2 && units[0] == "c01" && units[1] != "c01")
        #expect(
            try scene.office.texts("SELECT rule FROM handoff ORDER BY attempt").last?.contains("/route-") == true)
        try scene.office.close()
    }

    @Test("a person reads it masked; who has a stake in it may neither read nor decide, in the same words")
    func readsBehindTheBarrier() throws {
        let reporter = Reporter(name: "赵举报", phone: "13812345678")
        let scene = try Recalled(
            Sample.accusation("赵举报反映避嫌人贪污公款二十万元，电话13812345678。", name: "避嫌人", reporters: [reporter]))
        let (qian, sun) = (try scene.office.person("qian"), try scene.office.person("sun"))
        func read(by person: PartyClient) throws -> ReceivedMessage {
            try person.send(.commandReviewRead, subject: scene.report, Nothing())
            return try person.receive()
        }
        let shown = try read(by: scene.zhao)
        #expect(shown.type == MessageType.reviewContents.rawValue)
        #expect(shown.data["reason"] as? String == "recalled" && shown.data["number"] as? String == scene.first.number)
        let bytes = String(decoding: shown.delivery.body, as: UTF8.self)
        #expect(bytes.contains("避嫌人") && !bytes.contains("赵举报") && !bytes.contains("13812345678"))
        #expect(((shown.data["handoffs"] as? [[String: Any]])?.first?["unit"] as? String) == "c01")
        // Qian is recused from this accused, Sun has no role for it.
        let (recused, unentitled) = (try read(by: qian), try read(by: sun))
        #expect(recused.problem == "not_allowed" && recused.problemText == unentitled.problemText)
        #expect(try scene.route("d1", "transfer", by: qian).problem == "not_allowed")
        #expect(try scene.state() == ["needs_review"])
        try scene.office.close()
    }

    @Test("a unit that is barred, unknown or inactive does not get it; unknown words and half a target are refused")
    func refusesWrongTargets() throws {
        let scene = try Recalled(
            Sample.accusation(unit: "d2"),
            change: { try $0.change("UPDATE unit SET active = false WHERE id = 'c01-d01'") })
        #expect(try scene.route("d2", "transfer", by: scene.zhao).problem == "unit_not_possible")
        #expect(try scene.route("c01-d01", "transfer", by: scene.zhao).problem == "unit_not_possible")
        #expect(try scene.route("nowhere", "transfer", by: scene.zhao).problem == "unit_not_possible")
        #expect(try scene.route("d1", "transfre", by: scene.zhao).problem == "unknown_word")
        #expect(try scene.route("d1", nil, by: scene.zhao).problem == "missing_field")
        #expect(try scene.route(nil, "transfer", by: scene.zhao).problem == "missing_field")
        #expect(try scene.close(.notAccepted, by: scene.zhao).problem == "missing_field")
        #expect(try scene.close(.notAccepted, "nobody", by: scene.zhao).problem == "unknown_word")
        try scene.zhao.send(
            .commandReviewRoute, subject: UUID().uuidString.lowercased(), CommandReviewRoute(reason: "另行分流"))
        #expect(try scene.zhao.receive().problem == "unknown_report")
        #expect(try scene.state() == ["needs_review"])
        try scene.office.close()
    }

    @Test("a report is closed only when a leader agrees; whoever asked cannot, and the clock stops")
    func closesWithFourEyes() throws {
        let scene = try Recalled()
        let asked = try scene.close(.closed, by: scene.zhao)
        #expect(asked.type == MessageType.commandTaken.rawValue)
        let approval = try #require(try scene.office.texts("SELECT id::text FROM approval").first)
        #expect((asked.data["text"] as? String)?.contains(approval) == true)
        #expect(try scene.state() == ["needs_review"])
        #expect(
            try scene.office.texts(
                "SELECT concat_ws(' ', duty, owed_by, ended_at IS NULL) FROM clock WHERE handoff_id IS NULL")
                == ["approval office t"])
        #expect(try scene.office.texts("SELECT person FROM person_notice WHERE kind = 'to_approve'") == ["li"])
        // The same request waits once.
        #expect(try scene.close(.closed, by: scene.li).problem == "waits_for_approval")
        #expect(try scene.zhao.decide(approval, .commandApprove, of: .routing).problem == "own_approval")
        let approved = try scene.li.decide(approval, .commandApprove, of: .routing)
        #expect(approved.data["text"] as? String == "approved: closed; nothing more follows")
        #expect(try scene.state() == ["closed"])
        #expect(try scene.li.decide(approval, .commandReject, of: .routing).problem == "decided_before")
        #expect(
            try scene.office.texts("SELECT concat_ws(' ', state, asked_by, decided_by, decided_because) FROM approval")
                == ["approved zhao li 同意"])
        #expect(
            try scene.office.texts(
                "SELECT concat_ws(' ', ended_because, ended_by, next_at) FROM clock WHERE duty = 'approval'")
                == ["approved person.li"])
        #expect(
            try scene.events().suffix(3)
                == ["approval_asked person.zhao", "approval_decided person.li", "review_closed person.zhao"])
        #expect(
            try scene.office.texts("SELECT person FROM person_notice WHERE kind = 'approval_approved'") == ["zhao"])
        try scene.office.expectWholeLedger()
        try scene.office.close()
    }

    @Test("a report outside the scope is not accepted, with the competent authority")
    func declinesInReview() throws {
        let scene = try Recalled()
        _ = try scene.close(.notAccepted, "housing", by: scene.zhao)
        let approval = try #require(try scene.office.texts("SELECT id::text FROM approval").first)
        _ = try scene.li.decide(approval, .commandApprove, of: .routing)
        #expect(
            try scene.office.texts("SELECT concat_ws(' ', state, authority) FROM report") == ["not_accepted housing"])
        try scene.office.expectWholeLedger()
        try scene.office.close()
    }

    @Test("a request ends with the review that it was made in, or when its person withdraws it")
    func endsRequestsWithReview() throws {
        let scene = try Recalled()
        _ = try scene.close(.closed, by: scene.zhao)
        let first = try #require(try scene.office.texts("SELECT id::text FROM approval").first)
        let withdrawn = try scene.zhao.decide(first, .commandReject, of: .routing)
        #expect(withdrawn.data["text"] as? String == "withdrawn; nothing was done")
        _ = try scene.close(.closed, by: scene.zhao)
        #expect(try scene.route("d1", "transfer", by: scene.zhao).type == MessageType.commandTaken.rawValue)
        #expect(
            try scene.office.texts("SELECT concat_ws(' ', state, decided_by) FROM approval") == ["lapsed", "lapsed"])
        #expect(try scene.office.count("SELECT count(*) FROM clock WHERE duty = 'approval' AND ended_at IS NULL") == 0)
        #expect(try scene.li.decide(first, .commandApprove, of: .routing).problem == "decided_before")
        #expect(try scene.state() == ["routed"])
        try scene.office.expectWholeLedger()
        try scene.office.close()
    }

    @Test("a unit that was entered later and is named in the report is barred when a person decides about it")
    func barsUnitsEnteredLater() throws {
        let scene = try Recalled()
        try scene.office.stopLanes()
        try scene.office.change(
            """
            INSERT INTO unit (id, name, kind, levels, active, chain, head, entry_count) SELECT 'x01', '某镇政府', \
            'county', '{village}', true, gen_random_uuid(), decode(repeat('00', 32), 'hex'), 0; \
            UPDATE person SET unit = 'x01' WHERE id = 'zhao'
            """)
        try scene.office.startAll()
        // Zhao works there now, and is kept away; the leader is not.
        #expect(try scene.route("d1", "transfer", by: scene.zhao).problem == "not_allowed")
        #expect(try scene.route("x01", "transfer", by: scene.li).problem == "unit_not_possible")
        #expect(try scene.route("d1", "transfer", by: scene.li).type == MessageType.commandTaken.rawValue)
        #expect(try scene.office.texts("SELECT unit FROM barred_root") == ["x01"])
        try scene.office.close()
    }

    @Test("a submission that comes again after a person declined the report has its first answer")
    func answersRepeatedSubmissionAlike() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, li, zhao) = (
            try office.source(), try office.unit("c01"), try office.person("li"), try office.person("zhao")
        )
        let report = Sample.accusation()
        try source.submit(report, id: "s-1")
        let first = try source.receive()
        let arrived = try city.receiveHandoff()
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        _ = try li.receive()
        let id = try #require(try office.texts("SELECT id::text FROM report").first)
        try zhao.send(
            .commandReviewClose, subject: id,
            CommandReviewClose(end: .notAccepted, authority: "housing", reason: "属住房保障问题"))
        _ = try zhao.receive()
        let approval = try #require(try office.texts("SELECT id::text FROM approval").first)
        _ = try li.decide(approval, .commandApprove, of: .routing)
        // Also when the row that remembers the answer is pruned.
        try office.change("DELETE FROM inbox WHERE sender = 'source.letter'")
        try source.submit(report, id: "s-1")
        #expect(try source.receive().delivery.body == first.delivery.body)
        try office.close()
    }
}

extension PartyClient {
    /// Decides an approval of a worker, and returns the verdict.
    func decide(
        _ approval: String, _ type: MessageType, of worker: Worker, id: String = UUID().uuidString
    ) throws -> ReceivedMessage {
        let event = CloudEvent(
            id: id, source: party, type: type, subject: approval,
            time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: ApprovalDecision(reason: "同意"))
        try publish(
            Wire.encode(event), to: exchange, key: type.routingKey(from: party, owner: worker),
            properties: properties(type, approval))
        return try receive()
    }
}
