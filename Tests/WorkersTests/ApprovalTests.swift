import AMQP
import Basics
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite("Approvals", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ApprovalTests {
    /// The shipped policy as version 2, in which acts need a second person.
    private static func policy(_ acts: String, roles: String = "leader, supervisor", version: Int = 2) throws -> String
    {
        try OfficeUnderTest.policyText()
            .replacing("version: 1\n", with: "version: \(version)\n", maxReplacements: 1)
            .replacing("acts: [review_close]", with: "acts: [\(acts)]", maxReplacements: 1)
            .replacing("roles: [leader]", with: "roles: [\(roles)]", maxReplacements: 1)
    }

    private func office(_ acts: String, roles: String = "leader, supervisor") throws -> OfficeUnderTest {
        let office = try OfficeUnderTest()
        try enter(try Self.policy(acts, roles: roles), in: office, isActive: true)
        return office
    }

    private func enter(_ yaml: String, in office: OfficeUnderTest, isActive: Bool = false) throws {
        let owner = try office.database()
        defer { owner.close() }
        if isActive {
            try ActivePolicy.activate(yaml, named: "policy", by: "a test", at: .wall(), on: owner)
        } else {
            try ActivePolicy.enter(yaml, named: "policy", at: .wall(), on: owner)
        }
    }

    private func approval(_ office: OfficeUnderTest) throws -> String {
        try #require(try office.texts("SELECT id::text FROM approval ORDER BY asked_at DESC LIMIT 1").first)
    }

    @Test("a recall that needs a second person takes nothing back until one agrees")
    func recallsWithFourEyes() throws {
        let office = try office("recall")
        try office.startAll()
        let (li, wang, city) = (try office.person("li"), try office.person("wang"), try office.unit("c01"))
        let arrived = try office.handOff(from: try office.source(), to: city)
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        #expect(try li.receive().type == MessageType.commandTaken.rawValue)
        #expect(try office.texts("SELECT ended_at IS NULL FROM handoff") == ["true"])
        // The unit works on meanwhile.
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        let id = UUID().uuidString
        let verdict = try wang.decide(try approval(office), .commandApprove, of: .feedback, id: id)
        #expect(verdict.data["text"] as? String == "approved: recalled; the report needs review")
        #expect(try ReceivedMessage(try city.next(city.inbox)).type == MessageType.handoffRecalled.rawValue)
        try office.waitForState("recalled", of: arrived)
        #expect(try office.texts("SELECT state FROM report") == ["needs_review"])
        #expect(
            try office.texts(
                """
                SELECT e->>'event' || ' ' || (e->>'by') FROM (SELECT \
                convert_from(bytes, 'UTF8')::jsonb AS e, sequence \
                FROM ledger_entry) l WHERE e->>'by' LIKE 'person.%' ORDER BY sequence
                """) == ["approval_asked person.li", "approval_decided person.wang", "recalled person.li"])
        // Twice equals once.
        let again = try wang.decide(try approval(office), .commandApprove, of: .feedback, id: id)
        #expect(again.delivery.body == verdict.delivery.body)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("nobody approves across the barrier or without the role; where nobody may, the request is refused at once")
    func keepsApproversBehindBarrier() throws {
        let office = try office("recall", roles: "supervisor")
        try office.startAll()
        let (li, qian, zhao) = (try office.person("li"), try office.person("qian"), try office.person("zhao"))
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(.new(name: "避嫌人"), from: source, to: city)
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        _ = try li.receive()
        // Qian is recused: no notice, no decision, and the same words as for somebody without the role.
        #expect(try office.texts("SELECT DISTINCT person FROM person_notice") == ["wang"])
        let id = try approval(office)
        let (recused, unentitled) = (
            try qian.decide(id, .commandApprove, of: .feedback), try zhao.decide(id, .commandApprove, of: .feedback)
        )
        #expect(recused.problem == "not_allowed" && recused.problemText == unentitled.problemText)
        #expect(
            try zhao.decide(UUID().uuidString.lowercased(), .commandApprove, of: .feedback).problem
                == "unknown_approval")
        #expect(try zhao.decide("nonsense", .commandApprove, of: .feedback).problem == "unknown_approval")
        try office.change("UPDATE person SET active = false WHERE id = 'wang'")
        let other = try office.handOff(.new(name: "避嫌人"), from: source, to: city)
        try office.stopLanes()
        try office.start(.feedback)
        try li.send(.commandRecall, subject: other.handoff, CommandRecall(reason: "发错单位"))
        #expect(try li.receive().problem == "nobody_may_approve")
        try office.close()
    }

    @Test(
        "an approval has a clock: reminders to those who may decide, then the supervisors, then none after a decision")
    func remindsOfApprovals() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (li, zhao, city) = (try office.person("li"), try office.person("zhao"), try office.unit("c01"))
        let arrived = try office.handOff(from: try office.source(), to: city)
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        _ = try li.receive()
        let report = try #require(try office.texts("SELECT id::text FROM report").first)
        try zhao.send(.commandReviewClose, subject: report, CommandReviewClose(end: .closed, reason: "不再移交"))
        _ = try zhao.receive()
        try office.stopLanes()
        // Nine days later.
        try office.start(
            .deadlines,
            clock: BusinessClock(
                wallOrigin: .wall(), businessOrigin: Instant.wall().adding(seconds: 9 * 86_400), rate: 1))
        try office.wait(
            for: [
                "approval_escalate li", "approval_escalated qian", "approval_escalated wang", "approval_overdue li",
                "approval_remind li", "approval_remind li", "approval_remind li",
            ],
            "SELECT kind || ' ' || person FROM person_notice WHERE kind LIKE 'approval%' ORDER BY 1"
        )
        #expect(
            try office.count("SELECT count(*) FROM clock WHERE duty = 'approval' AND next_at IS NULL") == 1)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a leader activates an entered policy; if the active one asks for it, only with a second person")
    func activatesPolicyWithFourEyes() throws {
        let office = try office("policy_activate", roles: "supervisor")
        try office.startAll()
        let (li, wang, zhao) = (try office.person("li"), try office.person("wang"), try office.person("zhao"))
        func adopt(_ version: String, by person: PartyClient) throws -> ReceivedMessage {
            try person.send(.commandPolicyActivate, subject: version, CommandPolicyActivate(reason: "按新规定"))
            return try person.receive()
        }
        #expect(try adopt("cn-discipline@3", by: li).problem == "unknown_policy")
        try enter(try Self.policy("recall", version: 3), in: office)
        #expect(try adopt("cn-discipline@3", by: zhao).problem == "not_allowed")
        #expect(try adopt("cn-discipline@2", by: li).problem == "wrong_state")
        #expect(try adopt("cn-discipline@3", by: li).type == MessageType.commandTaken.rawValue)
        #expect(try office.count("SELECT max(version) FROM policy_activation") == 2)
        // The owner cannot pass by it either.
        #expect(throws: ActivePolicy.Fault.self) {
            try enter(try Self.policy("recall", version: 4), in: office, isActive: true)
        }
        let verdict = try wang.decide(try approval(office), .commandApprove, of: .deadlines)
        #expect((verdict.data["text"] as? String)?.hasPrefix("approved: cn-discipline@3 decides from now on") == true)
        #expect(
            try office.texts(
                "SELECT concat_ws(' ', version, activated_by) FROM policy_activation ORDER BY number DESC LIMIT 1")
                == ["3 person.li"])
        #expect(
            try office.texts(
                """
                SELECT concat_ws(' ', e->>'event', e->>'policy', e->>'by') FROM (SELECT \
                convert_from(bytes, 'UTF8')::jsonb \
                AS e, sequence FROM ledger_entry) l WHERE e->>'by' LIKE 'person.%' ORDER BY sequence
                """) == [
                    "approval_asked person.li", "approval_decided person.wang",
                    "policy_activated cn-discipline@3 person.li",
                ])
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("an approval about the office that cannot be carried out changes nothing, and can be rejected")
    func takesBackFailedApprovalOfOffice() throws {
        let office = try office("policy_activate", roles: "supervisor")
        try office.startAll()
        let (li, wang) = (try office.person("li"), try office.person("wang"))
        try enter(try Self.policy("recall", version: 3), in: office)
        try li.send(
            .commandPolicyActivate, subject: "cn-discipline@3", CommandPolicyActivate(reason: "按新规定"))
        _ = try li.receive()
        // Meanwhile the asking person has left.
        try office.stopLanes()
        try office.change("UPDATE person SET active = false WHERE id = 'li'")
        try office.start(.deadlines)
        let id = try approval(office)
        let refused = try wang.decide(id, .commandApprove, of: .deadlines)
        #expect(refused.problem == "not_allowed")
        #expect(refused.problemText?.hasPrefix("it cannot be carried out for li now") == true)
        #expect(try office.texts("SELECT state FROM approval") == ["open"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE duty = 'approval' AND ended_at IS NULL") == 1)
        #expect(try office.count("SELECT max(version) FROM policy_activation") == 2)
        #expect(try wang.decide(id, .commandReject, of: .deadlines).type == MessageType.commandTaken.rawValue)
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%approval_decided%'") == 1)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("two persons decide at once: one decision holds, the other is told so")
    func decidesOnce() throws {
        let office = try office("recall")
        try office.startAll()
        try office.start(.feedback)
        let (li, wang, qian) = (try office.person("li"), try office.person("wang"), try office.person("qian"))
        let arrived = try office.handOff(from: try office.source(), to: try office.unit("c01"))
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        _ = try li.receive()
        let id = try approval(office)
        let key = MessageType.commandApprove
        for person in [wang, qian] {
            let event = CloudEvent(
                id: "decide", source: person.party, type: key, subject: id,
                time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: ApprovalDecision(reason: "同意"))
            try person.publish(
                Wire.encode(event), to: person.exchange, key: key.routingKey(from: person.party, owner: .feedback),
                properties: person.properties(key, id))
        }
        let verdicts = try [wang.receive(), qian.receive()]
        #expect(verdicts.count { $0.type == MessageType.commandTaken.rawValue } == 1)
        #expect(verdicts.count { $0.problem == "decided_before" } == 1)
        #expect(try office.texts("SELECT state FROM handoff") == ["recalled"])
        try office.close()
    }
}
