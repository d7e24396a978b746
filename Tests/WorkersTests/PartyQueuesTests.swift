import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite("A lane's share of the queues of parties")
struct QueueShareTests {
    @Test("shares are equal up to one queue, and together they are all queues", arguments: 1...7, [0, 1, 6, 9, 1000])
    func sharesAddUp(lanes: Int, queues: Int) {
        let all = (0..<lanes).map { (lane: "lane \($0)", held: 0) }
        let shares = all.map { QueueShare(of: queues, among: all.shuffled(), for: $0.lane).target }
        #expect(shares.reduce(0, +) == queues)
        #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1)
    }

    @Test("a lane gives queues up only while another has less than its share")
    func givesUpOnlyForOthers() {
        let full = [(lane: "a", held: 5), (lane: "b", held: 5)]
        #expect(!QueueShare(of: 10, among: full, for: "a").othersLack)
        let joined = [(lane: "a", held: 10), (lane: "b", held: 0)]
        #expect(QueueShare(of: 10, among: joined, for: "a") == QueueShare(of: 10, among: joined.reversed(), for: "a"))
        #expect(QueueShare(of: 10, among: joined, for: "a").othersLack)
        #expect(QueueShare(of: 10, among: joined, for: "b").target == 5)
        #expect(QueueShare(of: 10, among: joined, for: "unknown").target == 0)
    }
}

@Suite(
    "Queues of parties and their leases",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PartyQueuesTests {
    private static let shares = """
        SELECT count(*)::text FROM queue_lease WHERE worker = 'feedback' AND lane <> '' GROUP BY lane ORDER BY 1
        """

    @Test("two feedback lanes share the units, and the one that is left takes all of them over")
    func lanesShareUnits() throws {
        let office = try OfficeUnderTest()
        let first = try office.start(.feedback)
        try office.wait(for: ["6"], Self.shares)
        let second = try office.start(.feedback)
        try office.wait(for: ["3", "3"], Self.shares, within: 5)
        try first.stop()
        try office.wait(for: ["6"], Self.shares, within: 5)
        #expect(try office.texts("SELECT DISTINCT lane FROM queue_lease WHERE lane <> ''") == [second.name])
        try office.close()
    }

    @Test("the queues of a killed process are free at once")
    func killedProcessFreesQueues() throws {
        let office = try OfficeUnderTest()
        let process = try WorkerProcess(.feedback, of: office)
        try office.wait(for: ["6"], Self.shares)
        let lane = try office.start(.feedback)
        try office.wait(for: ["3", "3"], Self.shares, within: 5)
        process.kill()
        try office.wait(
            for: ["6"], "SELECT count(*) FROM queue_lease WHERE lane = '\(lane.name)'", within: 5)
        try office.close()
    }

    @Test("while lanes come and go, the acts of a unit are decided in their order, each once")
    func keepsOrderWhileLanesChange() throws {
        let office = try OfficeUnderTest()
        let department = try office.unit("d1")
        let source = try office.source()
        try office.start(.intake)
        try office.start(.routing)
        try office.start(.feedback)
        try source.submit(.new(level: "province"))
        let arrived = try department.receiveHandoff()
        try department.sign(arrived)
        var sent: [String] = []
        for round in 1...6 {
            let lane = try office.start(.feedback)
            for number in 1...100 {
                let data = HandoffProgress(text: "第\(round)轮第\(number)次")
                sent.append(try department.send(.handoffProgress, subject: arrived.handoff, data, waits: false))
            }
            try department.awaitConfirms()
            if round % 2 == 0 { try lane.stop() }
        }
        try office.wait(for: ["600"], "SELECT count(*) FROM handoff_note", within: 30)
        // The ledger has commitments to the acts, in the order in which they were decided.
        let decided = try office.texts(
            """
            SELECT convert_from(bytes, 'UTF8')::jsonb->>'act' FROM ledger_entry
            WHERE convert_from(bytes, 'UTF8')::jsonb->>'event' = 'progress' ORDER BY sequence
            """)
        let report = try #require(office.texts("SELECT id FROM report").first.flatMap { ReportID($0) })
        let salt = office.digestKey.salt(of: report, for: "unit.d1")
        #expect(decided == sent.map { Commitment.act($0, salt: salt) })
        try office.close()
    }

    @Test("a unit that joins the office while workers run is read as soon as its queue exists")
    func readsNewUnit() throws {
        let office = try OfficeUnderTest()
        try office.start(.feedback)
        try office.wait(for: ["6"], Self.shares)
        let database = try office.database()
        defer { database.close() }
        try database.execute(
            """
            INSERT INTO unit (id, name, kind, levels, active, chain, head, entry_count)
            SELECT 'late', '新设室', kind, levels, true, gen_random_uuid(), head, 0 FROM unit WHERE id = 'd1'
            """)
        try office.log.wait(for: "queues of parties do not exist at the broker")
        let queue = QueueName(rawValue: "unit.late.acts")
        try office.asAdministrator { broker, channel in
            _ = try broker.declareQueue(queue, arguments: ["x-queue-type": .string("quorum")], on: channel)
        }
        try office.wait(for: ["7"], Self.shares, within: 60)
        try office.asAdministrator { broker, channel in _ = try broker.deleteQueue(queue, on: channel) }
        // A queue that is deleted takes nothing else with it.
        try office.wait(for: ["6"], Self.shares)
        try office.close()
    }

    @Test("what an unregistered sender publishes is found as unroutable and answered as from an unknown source")
    func refusesUnregisteredSender() throws {
        let office = try OfficeUnderTest()
        try office.start(.feedback)
        try office.start(.intake)
        let web = try office.source("web")
        try office.unregister(source: "web")
        try web.submit(.new())
        try office.wait(for: ["unknown_source intake"], "SELECT reason || ' ' || worker FROM dead_letter")
        try office.close()
    }

    @Test(
        "papers whose parts come before their manifest are complete, however confirms are awaited",
        arguments: [false, true])
    func keepsPartsBeforeManifests(waitsForEach: Bool) throws {
        let office = try OfficeUnderTest()
        for _ in 1...3 { try office.start(.intake) }
        let source = try office.source()
        let papers = (0..<200).map { _ in (0..<3).map { _ in (0..<64).map { _ in UInt8.random(in: 0...255) } } }
        var report = Submission.new()
        let perReport = 20
        for start in stride(from: 0, to: papers.count, by: perReport) {
            let batch = papers[start..<start + perReport]
            report.attachments = batch.map { Self.attachment($0) }
            let id = try source.submit(report)
            for paper in batch {
                let digest = Self.attachment(paper).sha256
                for (number, piece) in paper.enumerated() {
                    try source.send(
                        .attachmentPart, subject: id,
                        AttachmentPart(sha256: digest, part: number + 1, content: piece), waits: waitsForEach)
                }
                try source.send(
                    .attachmentPart, subject: id, AttachmentPart(sha256: digest, count: 3), waits: waitsForEach)
            }
            try source.awaitConfirms()
        }
        try office.wait(
            for: ["200"], "SELECT count(*) FROM attachment WHERE received_at IS NOT NULL", within: 30)
        #expect(try office.count("SELECT count(*) FROM inbox WHERE verdict = 'refused'") == 0)
        try office.close()
    }

    private static func attachment(_ pieces: [[UInt8]]) -> Casework.Attachment {
        let bytes = pieces.flatMap(\.self)
        return Casework.Attachment(
            name: "转账记录.pdf", mediaType: "application/pdf", bytes: bytes.count,
            sha256: Array(SHA256.hash(data: bytes)).hexadecimal)
    }
}
