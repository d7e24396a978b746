import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Faults of the office itself",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct FaultTests {
    @Test("contradicting tables are the office's fault: a dead letter with detail, no wrong_state, cured by a replay")
    func blamesOfficeForContradictingTables() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, operate) = (try office.source(), try office.unit("c01"), try office.person("sun"))
        let arrived = try office.handOff(from: source, to: city)
        try office.settle()
        try office.change("UPDATE report SET state = 'closed'")
        let signature = try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        let refusal = try city.receive()
        #expect(refusal.inReplyTo == signature && refusal.problem == "cannot_be_handled")
        let detail = try office.texts("SELECT detail FROM dead_letter").first ?? ""
        #expect(detail.contains("is closed, which cannot follow \"signed\""), "\(detail)")
        #expect(office.log.lines.contains { $0.contains("which cannot follow") })
        #expect(try office.inbox(signature, from: city.party) == "dead")

        try office.change("UPDATE report SET state = 'routed'")
        let id = try #require(try office.texts("SELECT id::text FROM dead_letter").first)
        let command = operate.prepare(.commandReplay, subject: id, Nothing())
        let key = MessageType.commandReplay.routingKey(from: operate.party, owner: .feedback)
        try operate.publish(
            PreparedAct(id: command.id, body: command.body, key: key, type: .commandReplay, subject: id))
        #expect(try operate.receive().type == MessageType.commandTaken.rawValue)
        try office.waitForState("signed", of: arrived)
        try office.close()
    }

    @Test("a fault of a deferred message makes a dead letter with detail, no wrong_state; its neighbours continue")
    func handlesFaultOfDeferredMessage() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, operate) = (try office.source(), try office.unit("c01"), try office.person("sun"))
        let (arrived, other) = (try office.handOff(from: source, to: city), try office.handOff(from: source, to: city))
        let decision = try city.decide(arrived)
        try city.decide(other)
        try office.wait(for: ["2"], "SELECT count(*) FROM held_message")
        // A confirm that is still to be written would undo what follows.
        try office.settle()
        // The tables contradict each other: a report that is only routed has a handoff that was signed.
        try office.change(
            """
            UPDATE report SET state = 'in_hand' WHERE id = (SELECT report_id FROM handoff WHERE id = \
            '\(other.handoff)');
            UPDATE handoff SET state = 'signed', signed_at = now(), signed_by = 'unit.c01';
            UPDATE held_message SET ripe = true;
            """)
        let refusal = try city.receive()
        #expect(refusal.inReplyTo == decision && refusal.problem == "cannot_be_handled")
        try office.wait(for: ["0"], "SELECT count(*) FROM held_message")
        let dead = try office.texts(
            "SELECT reason || ' ' || event_id || ' ' || sender || ' ' || coalesce(detail, '') FROM dead_letter")
        #expect(dead.count == 1 && dead.first?.hasPrefix("cannot_be_handled \(decision) unit.c01") == true, "\(dead)")
        #expect(
            try office.texts("SELECT detail FROM dead_letter").first?.contains("is routed, which cannot follow") == true
        )
        #expect(office.log.lines.contains { $0.contains("deferred") && $0.contains("which cannot follow") })
        #expect(try office.inbox(decision, from: city.party) == "dead")
        #expect(try office.handoffState(arrived) == "signed")
        try office.waitForState("in_hand", of: other)

        try office.change("UPDATE report SET state = 'in_hand'")
        let id = try #require(try office.texts("SELECT id::text FROM dead_letter").first)
        #expect(
            try office.order(.commandReplay, id, Nothing(), by: operate, to: .feedback).type
                == MessageType.commandTaken.rawValue)
        try office.waitForState("in_hand", of: arrived)
        try office.close()
    }

    @Test("a deferred message that cannot be opened is refused; those of its handoff and other reports continue")
    func refusesUnopenableDeferredMessage() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let (first, second) = (try office.handOff(from: source, to: city), try office.handOff(from: source, to: city))
        let lost = try city.send(.handoffProgress, subject: first.handoff, HandoffProgress(text: "一"))
        let kept = try city.send(.handoffProgress, subject: first.handoff, HandoffProgress(text: "二"))
        let other = try city.send(.handoffProgress, subject: second.handoff, HandoffProgress(text: "三"))
        try office.wait(for: ["3"], "SELECT count(*) FROM held_message")
        try office.change("UPDATE held_message SET key_id = '0000000000000000' WHERE event_id = '\(lost)'")
        try city.sign(first)
        try city.sign(second)
        let refusal = try city.receive()
        #expect(refusal.inReplyTo == lost && refusal.problem == "cannot_be_opened")
        try office.waitForState("in_hand", of: first)
        try office.waitForState("in_hand", of: second)
        #expect(try office.inbox(kept, from: city.party) == "taken")
        #expect(try office.inbox(other, from: city.party) == "taken")
        #expect(try office.inbox(lost, from: city.party) == "refused")
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        try office.close()
    }

    @Test("a clock whose words cannot be read is set aside, with one notice; the others continue")
    func setsUnreadableClockAside() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let (source, city) = (try office.source(), try office.unit("c01"))
        let (first, second) = (try office.handOff(from: source, to: city), try office.handOff(from: source, to: city))
        try office.settle()
        try office.change(
            """
            UPDATE clock SET extensions = '{3 dais}', next_at = '2020-01-01' WHERE handoff_id = '\(first.handoff)'
            """
        )
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 40 * 86_400), rate: 1))
        let notice = try city.event(city.notices, as: ClockNotice.self)
        #expect(notice.subject == second.handoff)
        try office.wait(for: ["0"], "SELECT count(*) FROM clock WHERE next_at < '2021-01-01'")
        let steps = "SELECT count(*) FROM clock_step s JOIN clock c ON c.id = clock_id"
        #expect(try office.count("\(steps) WHERE handoff_id = '\(first.handoff)'") == 0)
        let supervisors = try office.count("SELECT count(*) FROM person WHERE 'supervisor' = ANY (roles)")
        #expect(try office.count("SELECT count(*) FROM person_notice WHERE kind = 'sign_set_aside'") == supervisors)
        #expect(office.log.lines.count { $0.contains("set aside") && $0.contains(first.handoff) } == 1)
        // Signed for, the handoff goes on: the clock ends with it.
        try city.sign(first)
        try office.waitForState("signed", of: first)
        try office.close()
    }

    @Test("no time of a chain goes back where a host's clock is behind")
    func keepsChainTimesInOrder() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        for worker in [Worker.intake, .routing] { try office.start(worker) }
        try office.start(
            .feedback, clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: -3_600), rate: 1))
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try office.settle()
        try city.sign(arrived)
        try city.decide(arrived)
        try office.waitForState("in_hand", of: arrived)
        let times = try office.texts(
            """
            SELECT convert_from(bytes, 'UTF8')::jsonb->>'at' FROM ledger_entry
            WHERE chain = (SELECT id FROM report) ORDER BY sequence
            """
        ).compactMap { Instant($0) }
        #expect(times.count >= 5 && times == times.sorted())
        #expect(try office.texts("SELECT (head_at = '\(times.last?.description ?? "")')::text FROM report") == ["true"])
        try office.close()
    }
}
