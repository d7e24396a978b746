import AMQP
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite("The barrier", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BarrierTests {
    @Test("a report on someone of a unit reaches neither the unit, nor what stands below it, nor its source beyond a bare receipt")
    func subtree() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (subordinate, department) = (try office.source("subordinate"), try office.unit("d1"))
        let id = UUID().uuidString
        let act = subordinate.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try subordinate.publish(act)
        let receipt = try subordinate.heard()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty)
        #expect(receipt.inReplyTo == id)
        let arrived = try department.receiveHandoff()
        try department.sign(arrived)
        try department.decide(arrived)
        try department.conclude(arrived)
        #expect(try department.heard().type == MessageType.conclusionAccepted.rawValue)
        // A repeat gets the bare receipt again, the same bytes, and nothing else ever came.
        try subordinate.publish(act)
        #expect(try subordinate.heard().delivery.body == receipt.delivery.body)
        try subordinate.submit(.new())
        #expect(try subordinate.heard().type == MessageType.reportAccepted.rawValue)
        #expect(try office.texts("SELECT unit FROM barred_unit ORDER BY 1") == ["c01", "c01-d01"])

        // A report on nobody of theirs is the first that the city and the county get.
        let (city, county) = (try office.unit("c01"), try office.unit("c01-d01"))
        let harmless = try city.receiveHandoff()
        #expect(harmless.number != arrived.number)
        for unit in [city, county] {
            try unit.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "打听"))
            #expect(try unit.heard().problem == "unknown_handoff")
        }
        try office.close()
    }

    @Test("a report on someone of the county goes to the city above, not to the county")
    func onlyBelow() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        var submission = Submission.new(unit: "c01-d01")
        submission.accused[0].region = "p-c01-d01"
        submission.region = "p-c01-d01"
        let letter = try office.source()
        let arrived = try office.handOff(submission, from: letter, to: try office.unit("c01"))
        #expect(try office.texts("SELECT unit FROM handoff WHERE id = '\(arrived.handoff)'") == ["c01"])
        var harmless = submission
        harmless.accused[0].unit = nil
        harmless.text += "补充"
        _ = try office.handOff(harmless, from: letter, to: try office.unit("c01-d01"))
        try office.close()
    }

    @Test("an accused whose unit nobody knows is refused rather than let through")
    func unknownUnit() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        try letter.submit(.new(unit: "c99"))
        let answer = try letter.heard()
        #expect(answer.type == MessageType.reportRejected.rawValue)
        #expect(answer.problem == "unknown_unit")
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        try office.close()
    }

    @Test("the database refuses an outbox row and a handoff that would pass the barrier, whoever writes them")
    func database() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        _ = try office.handOff(.new(unit: "c01", level: "city"), from: letter, to: try office.unit("d1"))
        try office.settle()
        let worker = try PostgreSQL.Connection(
            ConnectionSettings(url: office.servers.databaseURL(user: "bihuan_worker", database: office.databaseName)))
        defer { worker.close() }
        func constraint(_ sql: String) -> String? {
            do {
                try worker.execute(sql)
                return nil
            } catch {
                return error.constraintName
            }
        }
        func letterTo(_ addressee: String, _ type: String = "bihuan.handoff.dispatched.v1") -> String {
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, body, created_at)
            SELECT gen_random_uuid(), 'hand', 'hand', 'x', 'x', '\(type)', 'x', '\(addressee)', ARRAY[id], '', registered_at FROM report
            """
        }
        for addressee in ["unit.c01", "unit.c01-d01", "source.subordinate"] {
            #expect(constraint(letterTo(addressee)) == "outbox_addressee_not_barred", "\(addressee)")
        }
        #expect(constraint(letterTo("source.subordinate", "bihuan.report.received.v1")) == nil)
        #expect(constraint(letterTo("unit.d2")) == nil)
        #expect(constraint("DELETE FROM outbox WHERE lane = 'hand'") == nil)
        for (unit, expected) in [("c01", "handoff_unit_not_barred"), ("c01-d01", "handoff_unit_not_barred"), ("d2", nil)] {
            #expect(
                constraint(
                    """
                    INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, running_clocks, no_clock_reason)
                    SELECT gen_random_uuid(), id, 99, '\(unit)', 'transfer', 'released', false, 'hand', '', 0, 'hand' FROM report
                    """) == expected, "\(unit)")
        }
        try office.close()
    }

    @Test("what escalates is noticed to the supervisors whom the barrier admits, and to nobody else")
    func personNotices() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (letter, city) = (try office.source(), try office.unit("c01"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let recused = try office.handOff(.new(name: "避嫌人"), from: letter, to: city)
        let other = try office.handOff(from: letter, to: city)
        // Six days later nobody has signed.
        try office.start(.deadlines, clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        try office.wait(for: ["3"], "SELECT count(*) FROM person_notice")
        #expect(
            try office.texts("SELECT DISTINCT person FROM person_notice WHERE handoff_id = '\(recused.handoff)'") == ["wang"])
        #expect(
            try office.texts("SELECT person FROM person_notice WHERE handoff_id = '\(other.handoff)' ORDER BY 1") == ["qian", "wang"])
        var types: [String] = []
        for _ in 1...6 { types.append(try city.heard().type) }
        #expect(Set(types) == [MessageType.noticeSignDue.rawValue, MessageType.noticeOverdue.rawValue, MessageType.noticeEscalated.rawValue])
        try office.close()
    }
}
