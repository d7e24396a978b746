import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("Many at once", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ContentionTests {
    @Test("two feedback and two deadline lanes handle a thousand acts on a hundred handoffs, and lose none")
    func losesNoActOnSharedHandoffs() throws {
        let office = try OfficeUnderTest()
        let department = try office.unit("d1")
        let arrived = try transfers(to: department, in: office)
        defer { try? office.letLanesShareActs(of: UnitID(unchecked: "d1"), false) }
        try startTwoLanesEach(office)
        for handoff in arrived { try department.sign(handoff) }
        let acts = try sendActs(on: arrived, from: department)
        try office.wait(
            for: ["1100"], "SELECT count(*) FROM inbox WHERE sender = 'unit.d1' AND verdict = 'taken'", within: 40)
        // The ladders' ends: 120 days after the signature, at most.
        try office.wait(
            for: ["0"], "SELECT count(*) FROM clock WHERE handoff_id IS NOT NULL AND next_at IS NOT NULL",
            within: 40)
        try office.stopLanes()

        try expectEveryActInLedger(acts, office)
        let steps = try expectEveryStepOnce(office)
        #expect(!office.log.lines.contains { $0.contains("40P01") }, "a deadlock occurred")
        try office.expectWholeLedger()
        // The unit got one notice of each step; others owe duties of the calendar, of which the office hears alone.
        let own = try office.count(
            "SELECT count(*) FROM clock_step s JOIN clock c ON c.id = s.clock_id WHERE c.owed_by = 'unit.d1'")
        #expect(own > 0 && own <= steps)
        var notices: Set<String> = []
        for _ in 0..<own { notices.insert(try department.receive().id) }
        #expect(notices.count == own)
        try office.close()
    }

    /// A hundred handoffs at the unit.
    private func transfers(to department: PartyClient, in office: OfficeUnderTest) throws -> [Arrived] {
        let source = try office.source()
        try office.start(.intake)
        try office.start(.routing)
        // Transfers, whose clocks go on after the signature.
        for _ in 1...100 { try source.submit(.new(level: "province")) }
        var arrived: [Arrived] = []
        for _ in 1...100 { arrived.append(try department.receiveHandoff()) }
        try office.settle()
        return arrived
    }

    /// Two feedback lanes that both hear the unit, and two deadline lanes.
    private func startTwoLanesEach(_ office: OfficeUnderTest) throws {
        // Twelve days a second: while the acts come in, the steps of all ladders fall due.
        let wall = Instant.wall()
        let clock = BusinessClock(wallOrigin: wall, businessOrigin: wall, rate: 12 * 86_400)
        try office.letLanesShareActs(of: UnitID(unchecked: "d1"))
        for _ in 1...2 {
            try office.start(.feedback, clock: clock)
            try office.start(.deadlines, clock: clock)
        }
    }

    /// A thousand acts of three kinds, each on a random handoff.
    private func sendActs(
        on arrived: [Arrived], from department: PartyClient
    ) throws -> [(handoff: String, id: String)] {
        var acts: [(handoff: String, id: String)] = []
        for round in 1...1000 {
            let handoff = arrived[Int.random(in: 0..<100)].handoff
            let id =
                switch round % 3 {
                case 0: try department.send(.handoffProgress, subject: handoff, HandoffProgress(text: "第\(round)次"))
                case 1:
                    try department.send(
                        .dispositionDecided, subject: handoff, DispositionDecided(disposition: "kept_for_later"))
                default: try department.send(.handoffProgress, subject: handoff, HandoffProgress(text: " "))
                }
            acts.append((handoff, id))
        }
        return acts
    }

    /// Each act has one entry in the ledger, and no message was set aside.
    private func expectEveryActInLedger(_ acts: [(handoff: String, id: String)], _ office: OfficeUnderTest) throws {
        let noted = try office.texts(
            """
            SELECT chain::text || ' ' || (convert_from(bytes, 'UTF8')::jsonb->>'act') FROM ledger_entry
            WHERE convert_from(bytes, 'UTF8')::jsonb->>'event' IN ('progress', 'disposition_decided')
            """)
        let reportOf = Dictionary(
            try office.texts("SELECT id::text || ' ' || report_id FROM handoff").map { ($0.prefix(36), $0.suffix(36)) }
        ) { first, _ in first }
        // The ledger commits to the acts' ids.
        let committed = try acts.map { act in
            let report = try #require(reportOf[act.handoff.prefix(36)].flatMap { ReportID($0) })
            return "\(report) \(Commitment.act(act.id, salt: office.digestKey.salt(of: report, for: "unit.d1")))"
        }
        #expect(noted.sorted() == committed.sorted())
        #expect(
            try office.count("SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%\"signed\"%'")
                == 100)
        #expect(try office.count("SELECT count(*) FROM handoff_note") == acts.count)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        #expect(try office.count("SELECT count(*) FROM held_message") == 0)
    }

    /// Each step of each clock is once in its table, in the clock and in the ledger. Returns the number of steps.
    private func expectEveryStepOnce(_ office: OfficeUnderTest) throws -> Int {
        #expect(
            try office.count(
                """
                SELECT count(*) FROM clock c WHERE next_step <> (
                    SELECT count(*) FROM clock_step s WHERE s.clock_id = c.id)
                """) == 0)
        let steps = try office.count("SELECT count(*) FROM clock_step")
        #expect(steps >= 600)
        #expect(
            try office.count("SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8')::jsonb ? 'step'")
                == steps)
        #expect(
            try office.count(
                """
                SELECT count(*) FROM handoff h WHERE running_clocks <> (SELECT count(*) FROM clock c WHERE \
                c.handoff_id = h.id AND ended_at IS NULL)
                """
            ) == 0)
        return steps
    }
}
