import AMQP
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Messages ahead of their state",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct HeldTests {
    /// An office whose feedback worker does not run yet, with a handoff at the city.
    private func opened() throws -> (OfficeUnderTest, PartyClient, Arrived) {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.routing)
        let city = try office.unit("c01")
        return (office, city, try office.handOff(from: try office.source(), to: city))
    }

    @Test("a signature and a conclusion in one batch are applied one after the other")
    func appliesSignatureThenConclusionInOneBatch() throws {
        let (office, city, arrived) = try opened()
        try city.sign(arrived)
        try city.decide(arrived)
        let id = try city.conclude(arrived)
        try office.start(.feedback)
        let answer = try city.receive()
        #expect(answer.type == MessageType.conclusionAccepted.rawValue)
        #expect(answer.inReplyTo == id)
        try office.waitForState("closed", of: arrived)
        try office.close()
    }

    @Test("a conclusion before its signature in one batch waits for it, and is answered once")
    func defersConclusionUntilSignature() throws {
        let (office, city, arrived) = try opened()
        try city.decide(arrived)
        let id = try city.conclude(arrived)
        try city.sign(arrived)
        try office.start(.feedback)
        let received = try city.receiveUntilDecided()
        #expect(received.map(\.type) == [MessageType.conclusionAccepted.rawValue])
        #expect(received.map(\.inReplyTo) == [id])
        #expect(try office.inbox(id, from: city.party) == "taken")
        try office.waitForState("closed", of: arrived)
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        try office.close()
    }

    @Test("a message deferred by a lane that is gone is applied by another; a repeat meanwhile changes nothing")
    func anotherLaneAppliesDeferred() throws {
        let (office, city, arrived) = try opened()
        let first = try office.start(.feedback)
        try city.decide(arrived)
        let conclusion = city.prepare(
            .handoffConcluded, subject: arrived.handoff, HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。"))
        try city.publish(conclusion)
        #expect(try city.receiveUntilDecided().isEmpty)
        #expect(try office.inbox(conclusion.id, from: city.party) == "held")
        try office.settle()
        let digests = try office.tableDigests()
        try city.publish(conclusion)
        #expect(try city.receiveUntilDecided().isEmpty)
        #expect(try office.tableDigests() == digests)
        try first.stop()

        try office.start(.feedback)
        try city.sign(arrived)
        let answer = try city.receive()
        #expect(answer.type == MessageType.conclusionAccepted.rawValue)
        #expect(answer.inReplyTo == conclusion.id)
        // A repeat now gets what was answered then.
        try city.publish(conclusion)
        #expect(try city.receive().delivery.body == answer.delivery.body)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a deferred message that comes again after the inbox was pruned is deferred once, also beside its signature")
    func defersPrunedMessageOnce() throws {
        let (office, city, arrived) = try opened()
        let lane = try office.start(.feedback)
        let progress = city.prepare(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "已约谈"))
        let decision = city.prepare(
            .dispositionDecided, subject: arrived.handoff, DispositionDecided(disposition: "kept_for_later"))
        for act in [progress, decision] { try city.publish(act) }
        #expect(try city.receiveUntilDecided().isEmpty)
        try office.change("DELETE FROM inbox WHERE sender = 'unit.c01'")
        try city.publish(progress)
        #expect(try city.receiveUntilDecided().isEmpty)
        #expect(try office.count("SELECT count(*) FROM held_message") == 2)
        try lane.stop()
        // In one batch.
        try office.change("DELETE FROM inbox WHERE sender = 'unit.c01'")
        try city.sign(arrived)
        for act in [progress, decision] { try city.publish(act) }
        try office.start(.feedback)
        #expect(try city.receiveUntilDecided().isEmpty)
        try office.waitForState("in_hand", of: arrived)
        #expect(try office.texts("SELECT kind FROM handoff_note ORDER BY kind") == ["disposition", "progress"])
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE sender = 'unit.c01' AND verdict = 'held'") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("two lanes close a handoff whose messages they get in any order")
    func twoLanesCloseHandoffInAnyOrder() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.routing)
        // Small batches, so that the messages of one handoff fall to both lanes.
        for _ in 1...2 { try office.start(.feedback) { $0.batchSizeMax = 3 } }
        let (source, city) = (try office.source(), try office.unit("c01"))
        for _ in 1...40 { try source.submit(.new()) }
        var arrived: [Arrived] = []
        for _ in 1...40 { arrived.append(try city.receiveHandoff()) }
        for handoff in arrived.shuffled() { try city.decide(handoff) }
        let mixed = (arrived.map { (handoff: $0, signs: true) } + arrived.map { (handoff: $0, signs: false) })
            .shuffled()
        for act in mixed {
            if act.signs { try city.sign(act.handoff) } else { try city.conclude(act.handoff) }
        }
        try office.wait(for: ["40"], "SELECT count(*) FROM handoff WHERE state = 'closed'")
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE verdict <> 'taken'") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a conclusion whose signature never comes is refused once the feedback worker has waited long enough")
    func refusesConclusionWithoutSignature() throws {
        let (office, city, arrived) = try opened()
        let patient = try office.start(.feedback)
        let id = try city.conclude(arrived)
        try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "进展"))
        #expect(try city.receiveUntilDecided().isEmpty)
        try patient.stop()
        #expect(try office.inbox(id, from: city.party) == "held")

        try office.start(.feedback, earlyMessageHoldSeconds: 0.3)
        let refusals = [try city.receive(), try city.receive()]
        #expect(refusals.map(\.problem) == ["never_signed", "never_signed"])
        #expect(refusals[0].inReplyTo == id)
        #expect(try office.inbox(id, from: city.party) == "refused")
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        // The handoff itself still waits for its signature.
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        try office.close()
    }

    @Test("nothing is given up while the signature may be in the queue of a stopped worker")
    func waitsForWorkerThatDidNotListen() throws {
        let (office, city, arrived) = try opened()
        let first = try office.start(.feedback)
        try city.decide(arrived)
        let id = try city.conclude(arrived)
        #expect(try city.receiveUntilDecided().isEmpty)
        try first.stop()
        try office.change("UPDATE held_message SET held_at = held_at - interval '1 hour'")
        // No worker ran in that hour.
        try city.sign(arrived)
        try office.start(.feedback, earlyMessageHoldSeconds: 0)
        let answer = try city.receive()
        #expect(answer.inReplyTo == id)
        #expect(answer.type == MessageType.conclusionAccepted.rawValue)
        try office.close()
    }

    @Test("a deferred message is refused at once when its handoff is recalled")
    func refusesDeferredOnRecall() throws {
        let (office, city, arrived) = try opened()
        try office.start(.feedback)
        let id = try city.conclude(arrived)
        #expect(try city.receiveUntilDecided().isEmpty)
        let li = try office.person("li")
        try li.send(.commandRecall, subject: arrived.handoff, CommandRecall(reason: "发错单位"))
        #expect(try li.receive().type == MessageType.commandTaken.rawValue)
        let answer = try city.receive()
        #expect(answer.inReplyTo == id)
        #expect(answer.problem == "recalled")
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        try office.close()
    }

    @Test("one unit's flood of early acts is limited, stops no other, and is refused or given up in portions")
    func limitsDeferredActsOfUnit() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.routing)
        let (source, city) = (try office.source(), try office.unit("c01"))
        for _ in 1...11 { try source.submit(.new()) }
        var arrived: [Arrived] = []
        for _ in 1...11 { arrived.append(try city.receiveHandoff()) }
        let text = String(repeating: "x", count: 60_000)
        for number in 1...20 {
            for handoff in arrived.dropLast() {
                try city.send(
                    .handoffProgress, id: "\(handoff.handoff)-\(number)", subject: handoff.handoff,
                    HandoffProgress(text: text))
            }
        }
        let feedback = try office.start(.feedback) {
            $0.limits.earlyPerHandoffMax = 15
            $0.limits.earlyPerUnitMax = 120
            $0.limits.earlyBytesPerUnitMax = 6_050_000
        }
        var refusals: [String?: Int] = [:]
        for _ in 1...100 { refusals[try city.receive().problem, default: 0] += 1 }
        // 60 KB each, and the words around: 100 fit.
        #expect(refusals == ["too_many_early": 100])
        #expect(try office.count("SELECT count(*) FROM held_message") == 100)
        // An act of another handoff goes on.
        try city.sign(arrived[10])
        try office.waitForState("signed", of: arrived[10])
        try feedback.stop()
        try office.start(.feedback, earlyMessageHoldSeconds: 0.2)
        for _ in 1...100 { #expect(try city.receive().problem == "never_signed") }
        try city.conclude(arrived[10])
        #expect(try city.receive().type != MessageType.messageRefused.rawValue)
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE verdict = 'held'") == 0)
        try office.close()
    }

    @Test("deferred acts are applied in portions of bytes, in order, and before later acts")
    func appliesDeferredInPortions() throws {
        let (office, city, arrived) = try opened()
        let lane = try office.start(.feedback)
        let texts = (1...30).map { "\($0) " + String(repeating: "x", count: 20_000) }
        for (index, text) in texts.enumerated() {
            try city.send(
                .handoffProgress, id: "p\(index + 100)", subject: arrived.handoff, HandoffProgress(text: text))
        }
        #expect(try city.receiveUntilDecided().isEmpty)
        #expect(try office.count("SELECT count(*) FROM held_message") == 30)
        try lane.stop()
        try city.sign(arrived)
        try city.decide(arrived)
        let conclusion = try city.conclude(arrived)
        try office.start(.feedback) { $0.deferredBytesMax = 70_000 }
        let answer = try city.receive()
        #expect(answer.inReplyTo == conclusion && answer.type == MessageType.conclusionAccepted.rawValue)
        try office.waitForState("closed", of: arrived)
        #expect(try office.count("SELECT count(*) FROM handoff_note WHERE kind = 'progress'") == 30)
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
        // As they were written.
        #expect(
            try office.texts(
                "SELECT substring(body FROM '^[0-9]+') FROM handoff_note WHERE kind = 'progress' ORDER BY ctid")
                == (1...30).map(String.init))
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("an act is not given up while its signature is in another lane's prefetch")
    func waitsForSignatureInOtherPrefetch() throws {
        let (office, city, arrived) = try opened()
        let first = try office.start(.feedback)
        let conclusion = try city.conclude(arrived)
        #expect(try city.receiveUntilDecided().isEmpty)
        // The signature reaches the first lane, whose transaction waits for the same act of somebody who does not
        // commit.
        let signature = city.prepare(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        let blocker = try office.database()
        try blocker.execute("BEGIN")
        try blocker.execute(
            "INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at) "
                + "VALUES ('unit.c01', '\(signature.id)', '', 'taken', '', now())")
        try city.publish(signature)
        try office.start(.feedback, earlyMessageHoldSeconds: 0.1)
        // Time enough for the second lane, which would give up within one second and a half.
        try blocker.execute("SELECT pg_sleep(3)")
        #expect(try office.inbox(conclusion, from: city.party) == "held")
        try blocker.execute("ROLLBACK")
        blocker.close()
        let answer = try city.receive()
        #expect(answer.inReplyTo == conclusion && answer.problem == nil)
        try first.stop()
        try office.close()
    }
}
