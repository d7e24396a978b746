import AMQP
import Casework
import Contract
import Crypto
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Messages that end as dead letters",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DeadLetterReasonTests {
    private func key(of source: PartyClient) -> String { MessageType.reportSubmitted.routingKey(from: source.party) }

    /// Publishes the same bytes several times, each with a message id of its own, and receives as many answers.
    private func send(
        _ body: [UInt8], times: Int, by source: PartyClient, key: String, user: String?, messageIDs: Bool = true
    ) throws -> (sent: [String], answers: [ReceivedMessage]) {
        let ids = (1...times).map { _ in UUID().uuidString }
        for id in ids {
            try source.publish(
                body, to: source.exchange, key: key,
                properties: Properties(messageID: messageIDs ? id : nil, userID: user))
        }
        return (ids, try ids.map { _ in try source.receive() })
    }

    @Test("a hundred empty bodies get a hundred answers, each to its own sending, and one dead letter counts them")
    func countsAHundredEqualSendings() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        // Some wait for the lane together, the others come one by one.
        for _ in 1...60 {
            try source.publish(
                [], to: source.exchange, key: key(of: source),
                properties: Properties(messageID: "early", userID: source.party.description))
        }
        try office.startAll()
        for _ in 1...60 { #expect(try source.receive().inReplyTo == "early") }
        let (sent, answers) = try send([], times: 40, by: source, key: key(of: source), user: source.party.description)
        #expect(answers.compactMap(\.inReplyTo).sorted() == sent.sorted())
        #expect(Set(answers.map(\.id)).count == 40 && answers.allSatisfy { $0.problem == "not_json" })
        #expect(
            try office.texts("SELECT times || ' ' || reason || ' ' || bytes FROM dead_letter") == ["100 not_json 0"])
        try office.close()
    }

    @Test("a message that is no act is answered each time: unreadable, anonymous, unregistered or unroutable")
    func answersEveryMessageThatIsNoAct() throws {
        let office = try OfficeUnderTest()
        try office.unregister(source: "web")
        try office.startAll()
        let (source, web) = (try office.source(), try office.source("web"))
        func report(_ source: PartyClient) -> PreparedAct {
            let id = UUID().uuidString
            return source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        }
        let (userless, strange) = (report(source), report(web))
        let own = source.party.description
        let sendings: [(PartyClient, [UInt8], key: String, user: String?, problem: String, id: String?)] = [
            (source, [0xFF, 0xFE], key(of: source), own, "not_utf8", nil),
            (source, Array("no JSON".utf8), key(of: source), own, "not_json", nil),
            (
                source, Array(#"{"specversion":"1.0","type":"bihuan.report.submitted.v1"}"#.utf8), key(of: source), own,
                "missing_field", nil
            ),
            (
                source, Array(#"{"specversion":"1.0","type":"bihuan.unheard.of.v1"}"#.utf8), key(of: source), own,
                "unknown_type", nil
            ),
            (source, userless.body, key(of: source), nil, "no_user_id", userless.id),
            (web, strange.body, key(of: web), web.party.description, "unknown_source", strange.id),
        ]
        for (source, body, key, user, problem, id) in sendings {
            let (sent, answers) = try send(body, times: 3, by: source, key: key, user: user)
            #expect(answers.allSatisfy { $0.problem == problem }, "\(problem): \(answers.map { $0.problem ?? "-" })")
            #expect(
                answers.compactMap(\.inReplyTo).sorted() == (id.map { [$0, $0, $0] } ?? sent.sorted()), "\(problem)")
            #expect(
                try office.texts("SELECT times FROM dead_letter WHERE reason = '\(problem)'") == ["3"], "\(problem)")
        }
        // Sent without any id it is answered and counted too.
        _ = try send(Array("no id".utf8), times: 2, by: source, key: key(of: source), user: own, messageIDs: false)
        #expect(
            try office.texts("SELECT times FROM dead_letter WHERE reason = 'not_json' ORDER BY received_at") == [
                "3", "2",
            ])
        try office.close()
    }

    @Test("no body is kept that is unreadable or only for a superior; the answer says so and offers no replay")
    func keepsNothingUnreadableOrSealed() throws {
        let office = try OfficeUnderTest()
        try office.unregister(source: "web")
        try office.startAll()
        let (source, web, sun) = (try office.source(), try office.source("web"), try office.person("sun"))
        let marker = "密件标记甲乙丙丁"
        let id = UUID().uuidString
        let central = web.prepare(
            .reportSubmitted, id: id, subject: id, Sample.accusation("反映\(marker)收受贿赂", name: marker, level: "central"))
        let harmless = web.prepare(.reportSubmitted, subject: "x", Submission.new())
        try source.publish(
            Array("{ \(marker)".utf8), to: source.exchange, key: key(of: source),
            properties: Properties(messageID: "m", userID: source.party.description))
        #expect(try source.receive().problemText?.contains("it was not kept: send it again") == true)
        // From an unregistered sender, and without a user.
        try web.publish(central)
        let answer = try web.receive()
        #expect(
            answer.problem == "unknown_source" && answer.problemText?.contains("it was not kept: send it again") == true
        )
        try web.publish(central.body, to: web.exchange, key: central.key, properties: Properties(messageID: "n"))
        #expect(try web.receive().problemText?.contains("it was not kept") == true)
        try web.publish(harmless)
        #expect(try web.receive().problemText?.contains("it was not kept") == false)
        #expect(try office.texts("SELECT reason FROM dead_letter WHERE sealed IS NOT NULL") == ["unknown_source"])
        // One dead letter for the same bytes, whatever way they came.
        let deadLetters = try office.texts("SELECT id FROM dead_letter WHERE sealed IS NULL")
        #expect(deadLetters.count >= 2)
        for deadLetter in deadLetters {
            #expect(try office.order(.commandReplay, deadLetter, Nothing(), by: sun).problem == "not_kept")
        }
        #expect(try office.places(of: Array(marker.utf8)).isEmpty)
        try office.close()
    }

    @Test("a message that a unit rejects without requeue is known as its handoff, which stays open for a replay")
    func recognisesHandoffRejectedByUnit() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, sun) = (try office.source(), try office.unit("c01"), try office.person("sun"))
        try source.submit(.new())
        _ = try source.receive()
        let rejected = try ReceivedMessage(try city.reject(city.inbox))
        try office.wait(
            for: ["rejected_by_addressee routing unit.c01 \(rejected.subject) 1"],
            "SELECT reason || ' ' || worker || ' ' || addressee || ' ' || handoff_id || ' ' || times FROM dead_letter")
        try office.settle()
        #expect(try office.texts("SELECT state FROM handoff") == ["dispatched"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE ended_at IS NULL") > 0)

        // Sent again under the same event id, rejected once more, sent again: then it is signed for.
        for times in 1...2 {
            let command = try office.order(.commandReplay, rejected.id, Nothing(), by: sun, to: .routing)
            #expect(command.type == MessageType.commandTaken.rawValue, "\(command.problemText ?? "")")
            if times == 1 {
                #expect(try ReceivedMessage(try city.reject(city.inbox)).id == rejected.id)
                try office.wait(for: ["open 2 1"], "SELECT state || ' ' || times || ' ' || replays FROM dead_letter")
                // While its row stands, a replay is refused.
                try office.settle()
            }
        }
        let arrived = try city.receiveHandoff()
        #expect(arrived.handoff == rejected.subject)
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a discard refuses no act that was accepted under its own id since")
    func discardRefusesNoTakenAct() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, sun) = (try office.source(), try office.person("sun"))
        let id = UUID().uuidString
        let act = source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        try source.publish(act.body, to: source.exchange, key: act.key, properties: Properties(messageID: "m"))
        #expect(try source.receive().problem == "no_user_id")
        try source.publish(act)
        let answer = try source.receive()
        #expect(answer.type == MessageType.reportAccepted.rawValue)
        let dead = try #require(try office.texts("SELECT id FROM dead_letter").first)
        let verdict = try office.order(.commandDiscard, dead, CommandDiscard(reason: "重复"), by: sun)
        #expect(verdict.type == MessageType.commandTaken.rawValue)
        #expect(try source.receiveUntilDecided().isEmpty)
        try source.publish(act)
        #expect(try source.receive().id == answer.id)
        #expect(try office.texts("SELECT state FROM dead_letter") == ["discarded"])
        #expect(try office.inbox(id, from: source.party) == "taken")
        try office.close()
    }

    /// Hears every act and gives none a verdict.
    private struct ForgetfulDesk: Desk {
        let worker = Worker.feedback
        func targets(of inbound: InboundMessage) -> Targets { Targets() }
        func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {}
    }

    @Test("an act that its desk forgot is not taken: its sender is told, and a replay by another desk takes it")
    func keepsForgottenAct() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.routing)
        let (city, sun) = (try office.unit("c01"), try office.person("sun"))
        let arrived = try office.handOff(from: try office.source(), to: city)
        let lane = RunningLane(
            ForgetfulDesk(), settings: try office.settings(for: .feedback), name: "forgetful", relays: true,
            log: office.log)
        defer { try? lane.stop() }
        let id = try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        #expect(try city.receive().problem == "cannot_be_handled")
        #expect(try office.inbox(id, from: city.party) == "dead")
        let detail = try office.texts("SELECT detail FROM dead_letter")
        #expect(detail == ["the feedback desk gave no verdict on a bihuan.handoff.signed.v1"])
        try lane.stop()

        try office.start(.feedback)
        let letter = try #require(try office.texts("SELECT id FROM dead_letter").first)
        let command = try office.order(.commandReplay, letter, Nothing(), by: sun, to: .feedback)
        #expect(command.type == MessageType.commandTaken.rawValue, "\(command.problemText ?? "")")
        try office.waitForState("signed", of: arrived)
        #expect(try office.inbox(id, from: city.party) == "taken")
        try office.close()
    }
}
