import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("Twice equals once", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct TwiceTests {
    /// Sends an act, sends it again, sends another one under its id; only the first may have an effect, and what was
    /// answered first is answered again.
    private func expectOnce(
        _ act: PreparedAct, other: PreparedAct, by party: PartyClient, in office: OfficeUnderTest,
        answered: Bool, decidedBy worker: Worker = .feedback, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let label = "\(act.type)"
        #expect(act.id == other.id && act.body != other.body, "\(label)")
        try party.publish(act)
        let first = try party.receiveUntilDecided(by: worker).filter { $0.inReplyTo == act.id }
        #expect(first.count == (answered ? 1 : 0), "\(label)", sourceLocation: sourceLocation)
        try office.settle()
        let digests = try office.tableDigests()

        try party.publish(act)
        let second = try party.receiveUntilDecided(by: worker).filter { $0.inReplyTo == act.id }
        #expect(second.map(\.delivery.body) == first.map(\.delivery.body), "\(label)", sourceLocation: sourceLocation)
        #expect(second.map(\.id) == first.map(\.id), "\(label)", sourceLocation: sourceLocation)
        for (one, two) in zip(first, second) {
            #expect(
                one.delivery.properties.messageID != two.delivery.properties.messageID, "\(label)",
                sourceLocation: sourceLocation)
        }
        try office.settle()
        #expect(try office.tableDigests() == digests, "\(label)", sourceLocation: sourceLocation)

        try party.publish(other)
        let refused = try party.receiveUntilDecided(by: worker).filter { $0.inReplyTo == act.id }
        #expect(refused.map(\.problem) == ["id_reused"], "\(label)", sourceLocation: sourceLocation)
        #expect(refused.first?.id != first.first?.id, "\(label)", sourceLocation: sourceLocation)
        try office.settle()
        #expect(try office.tableDigests() == digests, "\(label)", sourceLocation: sourceLocation)
        #expect(try office.inbox(act.id, from: party.party) == "taken", "\(label)", sourceLocation: sourceLocation)
    }

    private func expectOneSignature(
        on arrived: Arrived, by unit: PartyClient, in office: OfficeUnderTest
    ) throws {
        let id = UUID().uuidString
        try expectOnce(
            unit.prepare(.handoffSigned, id: id, subject: arrived.handoff, HandoffSigned(digest: arrived.digest)),
            other: unit.prepare(
                .handoffSigned, id: id, subject: arrived.handoff, HandoffSigned(digest: arrived.digest, signedBy: "另一人")
            ), by: unit, in: office, answered: false)
    }

    @Test("every act that a unit sends twice has one effect and one answer; another body under its id is refused")
    func appliesEachActOnce() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let city = try office.unit("c01")
        let caseOffice = try office.unit("case-office")

        func expectOnce<Payload: Codable & Sendable>(
            _ type: MessageType, _ data: Payload, other: Payload, by unit: PartyClient? = nil,
            signedBefore: Bool = true, decidedBefore: Bool = false, answered: Bool = false
        ) throws {
            let arrived = try office.handOff(from: source, to: city)
            if signedBefore { try city.sign(arrived) }
            if decidedBefore { try city.decide(arrived) }
            // Signed before the other unit acts.
            if signedBefore { _ = try city.receiveUntilDecided() }
            // The handoff's own row is gone: one copy is on its way at a time.
            try office.settle()
            let unit = unit ?? city
            let id = UUID().uuidString
            try self.expectOnce(
                unit.prepare(type, id: id, subject: arrived.handoff, data),
                other: unit.prepare(type, id: id, subject: arrived.handoff, other), by: unit, in: office,
                answered: answered)
        }

        try expectOneSignature(on: try office.handOff(from: source, to: city), by: city, in: office)
        try expectOnce(.handoffProgress, HandoffProgress(text: "已约谈"), other: HandoffProgress(text: "未约谈"))
        try expectOnce(
            .dispositionDecided, DispositionDecided(disposition: "preliminary_verification"),
            other: DispositionDecided(disposition: "closed"))
        let day = CivilDate(daysSinceEpoch: 20_000)
        try expectOnce(
            .caseFiled, CaseFiled(caseNumber: "甲〔1〕", filedOn: day), other: CaseFiled(caseNumber: "甲〔2〕", filedOn: day))
        try expectOnce(
            .caseNotified, CaseFiled(caseNumber: "甲〔1〕", filedOn: day),
            other: CaseFiled(caseNumber: "甲〔2〕", filedOn: day), by: caseOffice)
        try expectOnce(
            .handoffConcluded, HandoffConcluded(outcome: "substantiated", summary: "查实"),
            other: HandoffConcluded(outcome: "unfounded", summary: "查无实据"), decidedBefore: true, answered: true)
        try expectOnce(
            .handoffResendRequested, HandoffResendRequested(cause: "lost"),
            other: HandoffResendRequested(cause: "body_incomplete"))
        #expect(try city.next(city.inbox).properties.type == MessageType.handoffDispatched.rawValue)
        try expectOnce(
            .handoffReturned, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"),
            other: HandoffReturned(reason: "conflict_of_interest", text: "应当回避，请另行分流"))
        // Its answer takes the handoff back, in the queue that delivered it: the same bytes each time.
        let taken = try (0..<2).map { _ in try city.next(city.inbox) }
        #expect(taken[0].properties.type == MessageType.handoffRecalled.rawValue)
        #expect(taken[0].body == taken[1].body)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a report submitted twice is registered once, and gets its receipt or rejection again byte for byte")
    func registersOnce() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let id = UUID().uuidString
        try expectOnce(
            source.prepare(.reportSubmitted, id: id, subject: id, Submission.new()),
            other: source.prepare(.reportSubmitted, id: id, subject: id, Submission.new()), by: source, in: office,
            answered: true)
        #expect(try office.count("SELECT count(*) FROM report") == 1)

        let bad = source.prepare(.reportSubmitted, subject: "x", Submission.new())
        try source.publish(bad)
        let once = try source.receive()
        try source.publish(bad)
        let again = try source.receive()
        #expect(once.delivery.body == again.delivery.body)
        #expect(once.delivery.properties.messageID != again.delivery.properties.messageID)
        try office.close()
    }

    @Test("a receipt is sent again also after the inbox was pruned")
    func repeatsReceiptAfterPruning() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let id = UUID().uuidString
        let act = source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        try source.publish(act)
        let first = try source.receive()
        try office.settle()
        try office.change("DELETE FROM inbox WHERE event_id = '\(id)'")
        try source.publish(act)
        let second = try source.receive()
        #expect(second.delivery.body == first.delivery.body)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        try office.close()
    }

    @Test("an act that comes again after the inbox was pruned has no second effect and is no dead letter")
    func appliesActOnceAfterPruning() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, department, caseOffice) = (
            try office.source(), try office.unit("d1"), try office.unit("case-office")
        )
        let arrived = try office.handOff(.new(level: "province"), from: source, to: department)
        func prepare<Payload: Codable & Sendable>(
            _ type: MessageType, _ data: Payload, by unit: PartyClient? = nil
        ) -> PreparedAct {
            (unit ?? department).prepare(type, subject: arrived.handoff, data)
        }
        let day = CivilDate(daysSinceEpoch: 20_000)
        let notified = prepare(.caseNotified, CaseFiled(caseNumber: "甲〔1〕", filedOn: day), by: caseOffice)
        let acts = [
            prepare(.handoffSigned, HandoffSigned(digest: arrived.digest)),
            prepare(.handoffProgress, HandoffProgress(text: "已约谈")),
            prepare(.handoffProgress, HandoffProgress(text: " ")),
            // Sent back for want of a disposition, and later of a summary.
            prepare(.handoffConcluded, HandoffConcluded(outcome: "substantiated", summary: "查实")),
            prepare(.dispositionDecided, DispositionDecided(disposition: "preliminary_verification")),
            prepare(.caseFiled, CaseFiled(caseNumber: "甲〔1〕", filedOn: day)),
            prepare(.handoffConcluded, HandoffConcluded(outcome: "substantiated", summary: " ")),
        ]
        for act in acts { try department.publish(act) }
        #expect(
            try department.receiveUntilDecided().map(\.type)
                == Array(repeating: MessageType.conclusionReturned.rawValue, count: 2))
        try caseOffice.publish(notified)
        #expect(try caseOffice.receiveUntilDecided().isEmpty)
        try office.settle()
        let digests = try office.tableDigests()

        try office.change("DELETE FROM inbox")
        for act in acts { try department.publish(act) }
        let again = try department.receiveUntilDecided()
        #expect(again.map(\.problem) == ["already_signed", "already_concluded", "already_concluded"])
        #expect(again.map(\.inReplyTo) == [acts[0].id, acts[3].id, acts[6].id])
        try caseOffice.publish(notified)
        #expect(try caseOffice.receiveUntilDecided().isEmpty)
        try office.settle()
        #expect(try office.tableDigests() == digests)
        #expect(try office.inbox(acts[1].id, from: department.party) == "taken")
        try office.close()
    }

    @Test("the same id from another sender is another act")
    func separatesEqualIdsOfSenders() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, web) = (try office.source(), try office.source("web"))
        let id = UUID().uuidString
        try source.submit(.new(), id: id)
        try web.submit(.new(), id: id)
        #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
        #expect(try web.receive().type == MessageType.reportAccepted.rawValue)
        #expect(try office.count("SELECT count(*) FROM report") == 2)

        let city = try office.unit("c01")
        let arrived = try city.receiveHandoff()
        let act = UUID().uuidString
        try city.send(.handoffSigned, id: act, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        try office.waitForState("signed", of: arrived)
        let county = try office.unit("c01-d01")
        try county.send(.handoffSigned, id: act, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        #expect(try county.receive().problem == "unknown_handoff")
        #expect(try office.inbox(act, from: city.party) == "taken")
        #expect(try office.inbox(act, from: county.party) == "refused")
        try office.close()
    }

    @Test("a recall sent twice recalls once, and the verdict is sent again")
    func recallsOnce() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let arrived = try office.handOff(from: try office.source(), to: city)
        let li = try office.person("li")
        let id = UUID().uuidString
        try expectOnce(
            li.prepare(.commandRecall, id: id, subject: arrived.handoff, CommandRecall(reason: "发错单位")),
            other: li.prepare(.commandRecall, id: id, subject: arrived.handoff, CommandRecall(reason: "另一理由")), by: li,
            in: office, answered: true)
        #expect(try ReceivedMessage(try city.next(city.inbox)).type == MessageType.handoffRecalled.rawValue)
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%\"recalled\"%'") == 1)
        try office.close()
    }

    @Test("decisions about a report in review, sent twice, act once and are answered the same")
    func decidesReviewOnce() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let arrived = try office.handOff(from: try office.source(), to: city)
        let (li, zhao) = (try office.person("li"), try office.person("zhao"))
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        _ = try li.receive()
        _ = try city.next(city.inbox)
        let report = try #require(try office.texts("SELECT id::text FROM report").first)
        func close(_ reason: String, _ id: String) -> PreparedAct {
            zhao.prepare(
                .commandReviewClose, id: id, subject: report, CommandReviewClose(end: .closed, reason: reason))
        }
        try expectOnce(
            close("不再移交", "close-1"), other: close("另一理由", "close-1"), by: zhao, in: office, answered: true,
            decidedBy: .routing)
        let approval = try #require(try office.texts("SELECT id::text FROM approval").first)
        func reject(_ reason: String) -> PreparedAct {
            li.prepare(.commandReject, id: "reject-1", subject: approval, ApprovalDecision(reason: reason))
        }
        try expectOnce(reject("理由不充分"), other: reject("另一理由"), by: li, in: office, answered: true, decidedBy: .routing)
        func route(_ reason: String) -> PreparedAct {
            zhao.prepare(
                .commandReviewRoute, id: "route-1", subject: report,
                CommandReviewRoute(unit: UnitID(unchecked: "d1"), kind: "transfer", reason: reason))
        }
        try expectOnce(
            route("另行分流"), other: route("另一理由"), by: zhao, in: office, answered: true,
            decidedBy: .routing)
        #expect(try office.texts("SELECT unit FROM handoff ORDER BY attempt") == ["c01", "d1"])
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("the office's own messages delivered twice route once")
    func routesOnce() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.feedback)
        let source = try office.source()
        try source.submit(.new())
        let routing = try office.client(.office(.routing))
        let registered = try routing.next(Topology.Queue.routing)
        routing.close()

        func sendTwice(_ delivery: Delivery, as worker: Worker) throws {
            let client = try office.client(.office(worker))
            for _ in 1...2 {
                try client.publish(
                    delivery.body, to: Topology.Exchange.work, key: Topology.Queue.routing,
                    properties: Properties(
                        messageID: UUID().uuidString, type: delivery.properties.type, userID: client.party.description))
            }
            client.close()
        }
        try sendTwice(registered, as: .intake)
        let first = try office.start(.routing)
        let city = try office.unit("c01")
        let arrived = try city.receiveHandoff()
        try office.wait(for: ["1"], "SELECT count(*) FROM inbox WHERE sender = 'office.intake'")
        try office.settle()
        try first.stop()
        #expect(try office.count("SELECT count(*) FROM handoff") == 1)

        try city.sign(arrived)
        try city.send(
            .handoffReturned, subject: arrived.handoff, HandoffReturned(reason: "not_competent", text: "不属本单位管辖"))
        #expect(try ReceivedMessage(try city.next(city.inbox)).type == MessageType.handoffRecalled.rawValue)
        let second = try office.client(.office(.routing))
        let cameBack = try second.next(Topology.Queue.routing)
        second.close()
        try sendTwice(cameBack, as: .feedback)
        try office.start(.routing)
        try office.wait(for: ["needs_review"], "SELECT state FROM report")
        try office.settle()
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%sent_to_review%'") == 1)
        try office.expectWholeLedger()
        try office.close()
    }
}
