import AMQP
import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("People act by message", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct CommandTests {
    @Test("a leader's recall takes a handoff back: verdict, notice to the unit, review, and the actor in the ledger")
    func leaderRecallsHandoff() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let arrived = try office.handOff(from: try office.source(), to: city)
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        let li = try office.person("li")
        let id = try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        let verdict = try li.receive()
        #expect(verdict.type == MessageType.commandTaken.rawValue)
        #expect(verdict.inReplyTo == id)
        #expect(verdict.subject == arrived.handoff)
        let notice = try ReceivedMessage(try city.next(city.inbox))
        #expect(notice.type == MessageType.handoffRecalled.rawValue)
        #expect(notice.subject == arrived.handoff)
        #expect(notice.data["cause"] as? String == "recalled")
        try office.waitForState("recalled", of: arrived)
        #expect(try office.texts("SELECT state || ' ' || reason FROM report") == ["needs_review recalled"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE ended_at IS NULL") == 0)
        #expect(
            try office.texts(
                "SELECT convert_from(bytes, 'UTF8')::jsonb->>'by' FROM ledger_entry ORDER BY sequence DESC LIMIT 1")
                == ["person.li"])
        // What the unit does now comes too late.
        try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "进展"))
        #expect(try city.receive().problem == "recalled")
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a recall is refused for an unknown handoff, from a clerk, without reason, and after the conclusion")
    func refusesWrongRecalls() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        let (li, zhao) = (try office.person("li"), try office.person("zhao"))
        func recall(_ subject: String, _ reason: String, by person: PartyClient) throws -> ReceivedMessage {
            try person.send(.commandRecall, subject: subject, CommandRecall(reason: reason))
            return try person.receive()
        }
        #expect(try recall(UUID().uuidString.lowercased(), "发错单位", by: li).problem == "unknown_handoff")
        #expect(try recall("no-handoff", "发错单位", by: li).problem == "unknown_handoff")
        #expect(try recall(arrived.handoff, "发错单位", by: zhao).problem == "not_allowed")
        #expect(try recall(arrived.handoff, " ", by: li).problem == "missing_field")
        try city.sign(arrived)
        try city.send(
            .caseFiled, subject: arrived.handoff,
            CaseFiled(caseNumber: "甲〔1〕", filedOn: CivilDate(daysSinceEpoch: 20_000)))
        _ = try city.receiveUntilDecided()
        #expect(try recall(arrived.handoff, "发错单位", by: li).problem == "case_filed")
        #expect(try office.handoffState(arrived) == "case_filed")
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%\"recalled\"%'") == 0)
        try office.close()
    }

    @Test("a recused person's recall is refused in the same words as for a missing role")
    func refusesRecusedPersonAsUnauthorised() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(.new(name: "避嫌人"), from: source, to: city)
        // Qian is a supervisor, who may recall, but has a stake in this one; Zhao may recall nothing.
        let (qian, zhao, wang) = (try office.person("qian"), try office.person("zhao"), try office.person("wang"))
        for person in [qian, zhao] {
            try person.send(.commandRecall, id: "recall-1", subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        }
        let (recused, unentitled) = (try qian.receive(), try zhao.receive())
        #expect(recused.problem == "not_allowed")
        #expect(recused.data as NSDictionary == unentitled.data as NSDictionary)
        #expect(recused.subject == unentitled.subject)
        try wang.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        #expect(try wang.receive().type == MessageType.commandTaken.rawValue)
        try office.close()
    }
}
