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

@Suite("What a lane takes in", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BoundsTests {
    @Test("commands come first and by themselves, and a batch of others ends with its budget of bytes")
    func commandsFirst() throws {
        let office = try OfficeUnderTest()
        let (letter, li) = (try office.source(), try office.person("li"))
        for number in 1...30 {
            var report = Submission.new()
            report.text = String(repeating: "x", count: 100_000 + number)
            try letter.submit(report)
        }
        for _ in 1...3 { try li.order(to: .intake) }
        // Of another worker.
        try li.send(.commandRecall, subject: UUID().uuidString.lowercased(), CommandRecall(reason: "无"))
        var settings = try office.settings(for: .intake)
        settings.batchBytesMax = 500_000
        let consumer = try LaneConsumer(settings, desk: office.desk(.intake), name: "test")
        var (commands, reports, batches) = (0, 0, 0)
        let end = ContinuousClock.now + .seconds(15)
        while reports < 30 || commands < 3, ContinuousClock.now < end {
            let taken = try consumer.receive(upTo: 50, waiting: 1)
            for (place, batch) in taken.enumerated() {
                let isCommands = batch.received[0].queue == Topology.Queue.command(.intake)
                #expect(batch.received.allSatisfy { ($0.queue == Topology.Queue.command(.intake)) == isCommands })
                if isCommands {
                    #expect(place == 0, "whatever else is at hand")
                    commands += batch.received.count
                } else {
                    #expect(batch.received.reduce(0) { $0 + $1.body.count } < 500_000 + 110_000)
                    reports += batch.received.count
                    batches += 1
                }
                try consumer.acknowledge(batch)
            }
        }
        #expect(commands == 3 && reports == 30 && batches >= 5)
        consumer.close()
        try office.close()
    }

    @Test("a person is answered while a batch runs into time-outs and is divided")
    func commandsMeanwhile() throws {
        let office = try OfficeUnderTest()
        try office.change(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END \
            $$;
            CREATE TRIGGER slow BEFORE INSERT ON report FOR EACH ROW WHEN (NEW.source_id LIKE 'slow-%') EXECUTE \
            FUNCTION slow();
            """)
        let (letter, sun) = (try office.source(), try office.person("sun"))
        for number in 1...8 { try letter.submit(.new(), id: "slow-\(number)") }
        try office.start(.intake) { $0.database.statementTimeoutMilliseconds = 400 }
        try office.log.wait(for: "batch failed")
        try sun.order(to: .intake)
        #expect(try sun.heard().problem == "unknown_dead_letter")
        #expect(try office.count("SELECT count(*) FROM dead_letter") < 8)
        for _ in 1...8 { #expect(try letter.heard(within: 60).problem == "too_costly") }
        try office.close()
    }

    @Test("a batch is cut where more would be loaded than the budget, in its order, one message at least")
    func pieces() throws {
        let (desk, key) = (RoutingDesk(), try DigestKey(keyBytes: Array(1...32)))
        func inbound(_ bytes: Int?) -> InboundMessage {
            let report = ReportID.make(at: .wall())
            let event = CloudEvent(
                id: UUID().uuidString, source: .office(.intake), type: .reportRegistered, subject: report.description,
                time: .wall(), data: InternalReference(report: report, bytes: bytes))
            return InboundMessage(
                Arrival(
                    body: Wire.encode(event), routingKey: Topology.Queue.routing, userID: "office.intake",
                    type: MessageType.reportRegistered.rawValue, messageID: nil),
                from: Topology.Queue.routing, digestKey: key)
        }
        func cut(_ sizes: [Int?]) -> [Int] {
            desk.pieces(of: sizes.map(inbound), loadingAtMost: 1_000, limits: .standard).map(\.count)
        }
        #expect(cut([]) == [])
        #expect(cut([1_000]) == [1])
        #expect(cut([400, 600, 1]) == [2, 1])
        #expect(cut([5_000, 5_000]) == [1, 1])
        // Of what does not say its size the most is thought.
        #expect(cut([1, nil, 1]) == [1, 1, 1])
        #expect(cut(Array(repeating: 10, count: 250)) == [100, 100, 50])
    }

    @Test("bodies far over the limit cost a worker no memory; each sender is told, and nothing of them is kept")
    func oversize() throws {
        let office = try OfficeUnderTest()
        let letter = try office.source()
        let worker = try WorkerProcess(.intake, of: office)
        defer { worker.kill() }
        // The broker of the tests takes no more than 2 MiB; together they are more than the worker may have.
        let body = [UInt8](repeating: 0x41, count: 1_900_000)
        var digests: Set<String> = []
        for number in UInt8(1)...60 {
            let own = body + [number]
            let arrival = Arrival(body: own, routingKey: "", userID: "source.letter", type: nil, messageID: nil)
            digests.insert(InboundMessage(arrival, from: "", digestKey: office.digestKey).key.eventID)
            try letter.publish(
                own, to: Topology.Exchange.intake, key: "source.letter.report.submitted",
                properties: letter.properties(.reportSubmitted, "large-\(number)"))
        }
        let id = try letter.submit(.new())
        for _ in 1...60 {
            let answer = try letter.heard()
            #expect(answer.problem == "too_large" && answer.problemText?.contains("1900001 bytes") == true)
        }
        #expect(try letter.heard().inReplyTo == id)
        #expect(Set(try office.texts("SELECT inbox_id FROM dead_letter")) == digests)
        #expect(try office.count("SELECT max(octet_length(sealed)) FROM dead_letter WHERE reason = 'too_large'") < 100)
        let peak = try worker.peakBytes()
        #expect(peak <= 64 << 20, "\(peak >> 20) MiB")
        worker.kill()
        try office.close()
    }
}

@Suite(
    "What comes again and again",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct RepetitionTests {
    @Test(
        """
        a hundred at once take few transactions: of a stranger's message, of one act, of other bodies under one \
        id; each is answered
        """
    )
    func together() throws {
        let office = try OfficeUnderTest()
        try office.change("DELETE FROM source WHERE id = 'web'")
        let (letter, web) = (try office.source(), try office.source("web"))
        let (stranger, act) = (
            web.prepare(.reportSubmitted, subject: "s", Submission.new()),
            letter.prepare(.reportSubmitted, id: "a", subject: "a", Submission.new())
        )
        for _ in 1...100 {
            try web.publish(stranger)
            try letter.publish(act)
            try letter.submit(.new(), id: "b")
        }
        try office.start(.intake) { $0.batchSizeMax = 400 }
        for _ in 1...100 {
            let answer = try web.heard()
            #expect(answer.problem == "unknown_source" && answer.inReplyTo == stranger.id)
        }
        let answers = try (1...200).map { _ in try letter.heard() }.map {
            "\($0.inReplyTo ?? "") \($0.problem ?? $0.type)"
        }
        #expect(answers.count { $0 == "a \(MessageType.reportAccepted.rawValue)" } == 100)
        #expect(answers.count { $0 == "b \(MessageType.reportAccepted.rawValue)" } == 1)
        #expect(answers.count { $0 == "b id_reused" } == 99)
        #expect(try office.texts("SELECT reason || ' ' || times FROM dead_letter") == ["unknown_source 100"])
        #expect(try office.count("SELECT count(*) FROM report") == 2)
        #expect(try office.count("SELECT count(DISTINCT xmin::text) FROM sent.letter") <= 20)
        try office.close()
    }
}

@Suite(
    "What one party may keep waiting",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PartyLimitTests {
    @Test("of a sender's dead letters so many are kept; the others are answered all the same, and counted")
    func deadLetters() throws {
        let office = try OfficeUnderTest()
        let lane = try office.start(.intake) { $0.limits.deadLettersPerSenderMax = 3 }
        let (letter, web) = (try office.source(), try office.source("web"))
        func sendNoise(_ number: Int, by source: PartyClient) throws -> Heard {
            try source.publish(
                Array("noise \(number)".utf8), to: source.exchange, key: "\(source.party).report.submitted",
                properties: source.properties(.reportSubmitted, "n"))
            return try source.heard()
        }
        for number in 1...5 {
            let codes = (try sendNoise(number, by: letter).data["problems"] as? [[String: Any]] ?? []).compactMap {
                $0["code"] as? String
            }
            #expect(codes == (number <= 3 ? ["not_json"] : ["not_json", "too_many_dead_letters"]))
        }
        #expect(try sendNoise(1, by: web).problem == "not_json", "another has a share of its own")
        #expect(
            try office.texts("SELECT sender || ' ' || count(*) FROM dead_letter GROUP BY sender ORDER BY 1")
                == ["source.letter 3", "source.web 1"])
        #expect(try office.texts("SELECT sender || ' ' || count FROM dead_letter_unkept") == ["source.letter 2"])
        // Where a person has decided about some, others are kept again.
        try office.change(
            """
            UPDATE dead_letter SET state = 'discarded', settled_at = received_at, settled_by = 'person.li', \
            settled_because = 'x'\u{20}
            """
                + "WHERE sender = 'source.letter'")
        #expect((try sendNoise(6, by: letter).data["problems"] as? [Any])?.count == 1)
        try lane.stop()
        try office.close()
    }

    @Test("notes of a handoff are bounded in number and bytes, and do not keep it from being concluded")
    func notes() throws {
        let office = try OfficeUnderTest()
        for worker in [Worker.intake, .routing] { try office.start(worker) }
        try office.start(.feedback) {
            $0.limits.notesPerHandoffMax = 4
            $0.limits.notesBytesPerHandoffMax = 1_000
        }
        let (letter, city) = (try office.source(), try office.unit("c01"))
        let (first, second) = (try office.handOff(from: letter, to: city), try office.handOff(from: letter, to: city))
        for arrived in [first, second] { try city.sign(arrived) }
        func tell(_ arrived: Arrived, _ text: String) throws {
            try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: text))
        }
        for _ in 1...3 { try tell(first, "进展") }
        try city.decide(first)
        try tell(first, "进展")
        #expect(try city.heard().problem == "too_many_notes")
        try tell(second, String(repeating: "x", count: 900))
        try tell(second, String(repeating: "x", count: 101))
        #expect(try city.heard().problem == "too_many_notes")
        try tell(second, String(repeating: "x", count: 100))
        #expect(try city.heardOnceDecided().isEmpty)
        let id = try city.conclude(first)
        let answer = try city.heard()
        #expect(answer.inReplyTo == id && answer.type == MessageType.conclusionAccepted.rawValue)
        try office.close()
    }
}

@Suite("How far a lane has heard")
struct ListeningTests {
    private let start = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    private func at(_ seconds: Double) -> Instant { start.adding(seconds: seconds) }

    @Test("nothing is given up before a marker came back that was sent long enough after the first one did")
    func rule() throws {
        var listening = Listening()
        #expect(listening.deferredBefore(seconds: 60) == nil)
        let firstSent = listening.nextMarker(at: at(0))
        let first = try #require(firstSent)
        let none5 = listening.nextMarker(at: at(5))
        #expect(none5 == nil, "one at a time")
        listening.heard(["another's"], at: at(1))
        #expect(listening.deferredBefore(seconds: 0) == nil)
        listening.heard([first], at: at(2))
        // What was sent before this lane was known to be the active consumer says nothing of what was delivered before.
        #expect(listening.deferredBefore(seconds: 0) == nil)
        let secondSent = listening.nextMarker(at: at(3))
        let second = try #require(secondSent)
        listening.heard(["another's", second], at: at(4))
        #expect(listening.deferredBefore(seconds: 0) == at(3) && listening.deferredBefore(seconds: 60) == nil)
        let thirdSent = listening.nextMarker(at: at(63))
        let third = try #require(thirdSent)
        listening.heard([third], at: at(64))
        #expect(listening.deferredBefore(seconds: 60) == at(3))
    }

    @Test("a marker that does not come back is sent again, and the late one says nothing")
    func lost() throws {
        var listening = Listening()
        let firstSent = listening.nextMarker(at: at(0))
        let first = try #require(firstSent)
        let none9 = listening.nextMarker(at: at(9))
        #expect(none9 == nil)
        let secondSent = listening.nextMarker(at: at(10))
        let second = try #require(secondSent)
        listening.heard([first], at: at(11))
        listening.heard([second], at: at(12))
        let thirdSent = listening.nextMarker(at: at(12))
        let third = try #require(thirdSent)
        listening.heard([third], at: at(13))
        #expect(listening.deferredBefore(seconds: 0) == at(12))
    }
}
