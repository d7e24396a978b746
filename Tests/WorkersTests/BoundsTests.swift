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
    @Test("commands are handled first and alone, and any other batch ends at its budget of bytes")
    func handlesCommandsFirst() throws {
        let office = try OfficeUnderTest()
        let (source, li) = (try office.source(), try office.person("li"))
        for number in 1...30 {
            var report = Submission.new()
            report.text = String(repeating: "x", count: 100_000 + number)
            try source.submit(report)
        }
        for _ in 1...3 { try li.order(to: .intake) }
        // Of another worker.
        try li.send(.commandRecall, subject: UUID().uuidString.lowercased(), CommandRecall(reason: "无"))
        var settings = try office.settings(for: .intake)
        settings.batchBytesMax = 500_000
        let consumer = try LaneConsumer(settings, desk: WorkerService.desk(.intake, settings), name: "test")
        try consumer.hold(["source.letter.submit"])
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
    func answersPersonDuringSlowBatch() throws {
        let office = try OfficeUnderTest()
        try office.change(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END \
            $$;
            CREATE TRIGGER slow BEFORE INSERT ON report FOR EACH ROW WHEN (NEW.source_id LIKE 'slow-%') EXECUTE \
            FUNCTION slow();
            """)
        let (source, sun) = (try office.source(), try office.person("sun"))
        for number in 1...8 { try source.submit(.new(), id: "slow-\(number)") }
        try office.start(.intake) { $0.database.statementTimeoutMilliseconds = 400 }
        try office.log.wait(for: "batch failed")
        try sun.order(to: .intake)
        #expect(try sun.receive().problem == "unknown_dead_letter")
        #expect(try office.count("SELECT count(*) FROM dead_letter") < 8)
        for _ in 1...8 { #expect(try source.receive(within: 60).problem == "too_costly") }
        try office.close()
    }

    @Test("a batch is divided where its loaded size exceeds the budget, in order, with at least one message")
    func dividesBatchByBudget() throws {
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
        // A body without a size counts as the largest.
        #expect(cut([1, nil, 1]) == [1, 1, 1])
        #expect(cut(Array(repeating: 10, count: 250)) == [100, 100, 50])
    }

    @Test("bodies far over the limit cost a worker no memory; each sender is answered, and nothing is kept")
    func answersOversizeWithoutKeepingIt() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let worker = try WorkerProcess(.intake, of: office)
        defer { worker.kill() }
        // The broker of the tests takes no more than 2 MiB; together they are more than the worker may have.
        let body = [UInt8](repeating: 0x41, count: 1_900_000)
        var digests: Set<String> = []
        for number in UInt8(1)...60 {
            let own = body + [number]
            let arrival = Arrival(body: own, routingKey: "", userID: "source.letter", type: nil, messageID: nil)
            digests.insert(InboundMessage(arrival, from: "", digestKey: office.digestKey).key.eventID)
            try source.publish(
                own, to: Topology.Exchange.intake, key: "source.letter.report.submitted",
                properties: source.properties(.reportSubmitted, "large-\(number)"))
        }
        let id = try source.submit(.new())
        for _ in 1...60 {
            let answer = try source.receive()
            #expect(answer.problem == "too_large" && answer.problemText?.contains("1900001 bytes") == true)
        }
        #expect(try source.receive().inReplyTo == id)
        #expect(Set(try office.texts("SELECT inbox_id FROM dead_letter")) == digests)
        #expect(try office.count("SELECT max(octet_length(sealed)) FROM dead_letter WHERE reason = 'too_large'") < 100)
        let peak = try worker.peakBytes()
        #expect(peak <= 64 << 20, "\(peak >> 20) MiB")
        worker.kill()
        try office.close()
    }
}

@Suite(
    "Messages that come again and again",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct RepetitionTests {
    @Test("a hundred repetitions of a foreign message or an act take few transactions, and each is answered")
    func handlesRepetitionsTogether() throws {
        let office = try OfficeUnderTest()
        try office.unregister(source: "web")
        let (source, web) = (try office.source(), try office.source("web"))
        let (stranger, act) = (
            web.prepare(.reportSubmitted, subject: "s", Submission.new()),
            source.prepare(.reportSubmitted, id: "a", subject: "a", Submission.new())
        )
        for _ in 1...100 {
            try web.publish(stranger)
            try source.publish(act)
            try source.submit(.new(), id: "b")
        }
        // The stranger's messages are in the queue of what no queue took.
        for worker in [Worker.intake, .feedback] { try office.start(worker) { $0.batchSizeMax = 400 } }
        for _ in 1...100 {
            let answer = try web.receive()
            #expect(answer.problem == "unknown_source" && answer.inReplyTo == stranger.id)
        }
        let answers = try (1...200).map { _ in try source.receive() }.map {
            "\($0.inReplyTo ?? "") \($0.problem ?? $0.type)"
        }
        #expect(answers.count { $0 == "a \(MessageType.reportAccepted.rawValue)" } == 100)
        #expect(answers.count { $0 == "b \(MessageType.reportAccepted.rawValue)" } == 1)
        #expect(answers.count { $0 == "b id_reused" } == 99)
        #expect(try office.texts("SELECT reason || ' ' || times FROM dead_letter") == ["unknown_source 100"])
        #expect(try office.count("SELECT count(*) FROM report") == 2)
        #expect(try office.count("SELECT count(DISTINCT xmin::text) FROM sent.message") <= 20)
        try office.close()
    }
}

@Suite(
    "The limits of one party",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PartyLimitTests {
    @Test("a limited number of a sender's dead letters is kept; the others are answered too, and counted")
    func keepsLimitedDeadLettersPerSender() throws {
        let office = try OfficeUnderTest()
        let lane = try office.start(.intake) { $0.limits.deadLettersPerSenderMax = 3 }
        let (source, web) = (try office.source(), try office.source("web"))
        func sendNoise(_ number: Int, by source: PartyClient) throws -> ReceivedMessage {
            try source.publish(
                Array("noise \(number)".utf8), to: source.exchange, key: "\(source.party).report.submitted",
                properties: source.properties(.reportSubmitted, "n"))
            return try source.receive()
        }
        for number in 1...5 {
            let codes = (try sendNoise(number, by: source).data["problems"] as? [[String: Any]] ?? []).compactMap {
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
            settled_because = 'x' \
            WHERE sender = 'source.letter'
            """)
        #expect((try sendNoise(6, by: source).data["problems"] as? [Any])?.count == 1)
        try lane.stop()
        try office.close()
    }

    @Test("a handoff's notes are limited in number and bytes, and it can still be concluded")
    func limitsNotesOfHandoff() throws {
        let office = try OfficeUnderTest()
        for worker in [Worker.intake, .routing] { try office.start(worker) }
        try office.start(.feedback) {
            $0.limits.notesPerHandoffMax = 4
            $0.limits.notesBytesPerHandoffMax = 1_000
        }
        let (source, city) = (try office.source(), try office.unit("c01"))
        let (first, second) = (try office.handOff(from: source, to: city), try office.handOff(from: source, to: city))
        for arrived in [first, second] { try city.sign(arrived) }
        func sendProgress(_ arrived: Arrived, _ text: String) throws {
            try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: text))
        }
        for _ in 1...3 { try sendProgress(first, "进展") }
        try city.decide(first)
        try sendProgress(first, "进展")
        #expect(try city.receive().problem == "too_many_notes")
        try sendProgress(second, String(repeating: "x", count: 900))
        try sendProgress(second, String(repeating: "x", count: 101))
        #expect(try city.receive().problem == "too_many_notes")
        try sendProgress(second, String(repeating: "x", count: 100))
        #expect(try city.receiveUntilDecided().isEmpty)
        let id = try city.conclude(first)
        let answer = try city.receive()
        #expect(answer.inReplyTo == id && answer.type == MessageType.conclusionAccepted.rawValue)
        try office.close()
    }
}

@Suite("How far a lane has read its queues")
struct ListeningTests {
    private let start = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    private func at(_ seconds: Double) -> Instant { start.adding(seconds: seconds) }

    @Test("nothing is given up before a marker returns that was sent long enough after the first one")
    func waitsForMarkerBeforeGivingUp() throws {
        var listening = Listening()
        #expect(listening.deferredBefore(seconds: 60) == nil)
        let firstSent = listening.nextMarker(at: at(0))
        let first = try #require(firstSent)
        let none5 = listening.nextMarker(at: at(5))
        #expect(none5 == nil, "one at a time")
        listening.heard(["another's"], at: at(1))
        #expect(listening.deferredBefore(seconds: 0) == nil)
        listening.heard([first], at: at(2))
        // A marker sent before this lane became the active consumer proves nothing about earlier deliveries.
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

    @Test("a marker that does not return is sent again, and a late one has no effect")
    func resendsLostMarker() throws {
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
