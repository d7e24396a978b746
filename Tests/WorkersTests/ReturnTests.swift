import AMQP
import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Returns and conclusions", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ReturnTests {
    @Test("an approved return is routed again, never to a unit that returned the report")
    func routesApprovedReturnElsewhere() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, department) = (try office.source(), try office.unit("c01"), try office.unit("d1"))
        let arrived = try office.handOff(.new(level: "city"), from: source, to: city)
        try city.sign(arrived)
        let id = try city.send(
            .handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"))
        // In the queue that brought the handoff.
        let answer = try ReceivedMessage(try city.next(city.inbox))
        #expect(answer.type == MessageType.handoffRecalled.rawValue)
        #expect(answer.inReplyTo == id)
        #expect(answer.data["cause"] as? String == "return_approved")

        let second = try department.receiveHandoff()
        #expect(second.number == arrived.number)
        try department.sign(second)
        try department.send(
            .handoffReturned, subject: second.handoff, HandoffReturned(reason: "conflict_of_interest", text: "应当回避此件"))
        #expect(try ReceivedMessage(try department.next(department.inbox)).type == MessageType.handoffRecalled.rawValue)
        let third = try (try office.unit("d2")).receiveHandoff()
        #expect(third.number == arrived.number)
        #expect(try office.texts("SELECT unit FROM handoff ORDER BY attempt") == ["c01", "d1", "d2"])
        #expect(try office.texts("SELECT state FROM handoff ORDER BY attempt").prefix(2) == ["returned", "returned"])
        // The unit that returned it may not act any more.
        try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "进展"))
        #expect(try city.receive().problem == "returned")
        // The office's own messages are among those that are checked by the schemas at the end; those of handoffs are
        // read from where they are stored once.
        let sent = try office.texts(
            "SELECT DISTINCT convert_from(body, 'UTF8')::jsonb ->> 'type' FROM sent.message WHERE body IS NOT NULL")
        let types: [MessageType] = [.reportRegistered, .handoffCameBack, .handoffRecalled, .reportAccepted]
        #expect(Set(sent).isSuperset(of: types.map(\.rawValue)))
        #expect(try office.count("SELECT count(DISTINCT body_of) FROM sent.message") == 3)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("the return of an express handoff is answered in the express queue, and so is its repeat")
    func answersExpressInExpressQueue() throws {
        let office = try OfficeUnderTest()
        try office.change("UPDATE source SET kind = 'superior' WHERE id = 'letter'")
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(.new(level: "city"), from: source, to: city, queue: city.express)
        try city.sign(arrived)
        let act = city.prepare(
            .handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"))
        for _ in 1...2 {
            try city.publish(act)
            let answer = try ReceivedMessage(try city.next(city.express))
            #expect(answer.type == MessageType.handoffRecalled.rawValue && answer.inReplyTo == act.id)
        }
        try office.close()
    }

    @Test("a return that no other unit can take goes to a person")
    func sendsLastReturnToPerson() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try city.sign(arrived)
        try city.send(
            .handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"))
        _ = try ReceivedMessage(try city.next(city.inbox))
        try office.wait(for: ["needs_review"], "SELECT state FROM report")
        try office.close()
    }

    @Test("a return that is not approved is refused with the rule, and the handoff stays with the unit")
    func refusesReturnByRule() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try city.sign(arrived)
        try city.send(.handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "not_competent", text: "否"))
        let refused = try city.receive()
        #expect(refused.problem == "return_not_approved")
        #expect(refused.problemText?.contains("cn-discipline@1/return-refused") == true)
        try city.send(.handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "tired", text: "不想办理此件"))
        #expect(try city.receive().problem == "unknown_word")
        #expect(try office.handoffState(arrived) == "signed")
        try office.close()
    }

    @Test("a conclusion without a disposition is sent back, and accepted once it is completed")
    func acceptsCompletedConclusion() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, department) = (try office.source(), try office.unit("d1"))
        // A kind of handoff with clocks: a transfer.
        let arrived = try office.handOff(.new(level: "province"), from: source, to: department)
        try department.sign(arrived)
        try department.conclude(arrived)
        let back = try department.receive()
        #expect(back.type == MessageType.conclusionReturned.rawValue)
        #expect(back.data["rule"] as? String == "cn-discipline@1/conclusion-no-disposition")
        try office.waitForState("in_hand", of: arrived)
        // The clock for what was sent back runs, as the second round of its kind.
        #expect(try office.texts("SELECT duty || period FROM clock WHERE ended_at IS NULL ORDER BY 1") == ["overdue2"])
        try department.decide(arrived)
        try department.conclude(arrived)
        #expect(try department.receive().type == MessageType.conclusionAccepted.rawValue)
        #expect(try office.texts("SELECT state || times_sent_back FROM handoff") == ["closed1"])
        #expect(try office.texts("SELECT state FROM report") == ["closed"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE ended_at IS NULL") == 0)
        try office.close()
    }

    @Test("only the case office reports a case, for any handoff; nobody acts on another unit's handoff")
    func onlyCaseOfficeReportsCase() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, caseOffice) = (try office.source(), try office.unit("c01"), try office.unit("case-office"))
        let arrived = try office.handOff(from: source, to: city)
        try city.sign(arrived)
        let filing = CaseFiled(caseNumber: "甲〔1〕", filedOn: CivilDate(daysSinceEpoch: 20_000))
        try city.send(.caseNotified, subject: arrived.handoff, filing)
        #expect(try city.receive().problem == "not_case_office")
        try caseOffice.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "进展"))
        #expect(try caseOffice.receive().problem == "unknown_handoff")
        try caseOffice.send(.caseNotified, subject: arrived.handoff, filing)
        #expect(try caseOffice.receiveUntilDecided().isEmpty)
        #expect(try office.texts("SELECT case_number FROM handoff WHERE case_notified_at IS NOT NULL") == ["甲〔1〕"])
        #expect(
            try office.texts(
                "SELECT convert_from(bytes, 'UTF8')::jsonb->>'by' FROM ledger_entry ORDER BY sequence DESC LIMIT 1")
                == ["unit.case-office"])
        try office.close()
    }

    @Test("a wrong digest does not sign, and a second signature is refused")
    func refusesWrongAndSecondSignature() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        for wrong in [String(repeating: "0", count: 64), "", "überhaupt"] {
            try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: wrong))
            #expect(try city.receive().problem == "wrong_digest")
        }
        try city.sign(arrived)
        try city.sign(arrived)
        #expect(try city.receive().problem == "already_signed")
        #expect(try office.handoffState(arrived) == "signed")
        try office.close()
    }
}
