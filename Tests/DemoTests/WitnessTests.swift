import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient
import PostgreSQL
import Synchronization
import TestOffice
import Testing
import Witness
@testable import AuditStore

@Suite("The witness", .serialized, .enabled(if: WitnessOffice.isThere, WitnessOffice.absent))
struct WitnessTests {
    @Test("every line is true for a run in which nothing went wrong")
    func confirmsFaultlessRun() throws {
        try WitnessOffice.with { office in
            for number in 1...30 { try office.loop("r-\(number)", unit: number.isMultiple(of: 2) ? "d1" : "d2") }
            _ = try office.submit("outside", state: .notAccepted)
            _ = try office.submit("unclear", state: .needsReview)
            try office.published("source.web", "bad", .reportSubmitted, subject: "bad")
            try office.delivered("source.web", "answer-bad", .reportRejected, subject: "bad", inreplyto: "bad")

            let testimony = try office.witness.testify()
            #expect(testimony.lines.filter { !$0.holds } == [])
            #expect(testimony.lost == [])
            #expect(testimony.doubled == [])
            #expect(testimony.ledgerFaults == [])
            #expect(testimony.submitted == 33)
            #expect(testimony.registered == 32)
            #expect(testimony.rejected == 1)
            #expect(testimony.closed == 30)
            #expect(testimony.notAccepted == 1)
            #expect(testimony.inReview == 1)
            #expect(testimony.chains == 32)
            #expect(testimony.units.map(\.unit) == ["d1", "d2"])
            #expect(testimony.units.allSatisfy { $0.feedbackRate == 1 })
            #expect(testimony.latency?.count == 30)
            #expect(testimony.statesNeverSeen.contains("handoff undeliverable"))
            #expect(!testimony.statesNeverSeen.contains("handoff dispatched"))
            #expect(testimony.acceptedLine(shareMin: 0.6).holds)
            #expect(!testimony.acceptedLine(shareMin: 0.99).holds)
        }
    }

    @Test("what the office writes while the witness reads is no fault: it sees the tables of one moment")
    func seesOneMoment() throws {
        try WitnessOffice.with { office in
            let unit = UnitRow(
                id: UnitID(unchecked: "d3"), name: "d3", kind: "department", region: nil, levels: [], parent: nil,
                active: true, sealingKey: nil)
            try office.connection.run(EnterUnit(unit: unit, at: office.now))
            // The heads of units are read after the entries, and wait for this lock.
            try office.connection.begin()
            try office.connection.execute("LOCK TABLE unit IN ACCESS EXCLUSIVE MODE")
            let (witness, outcome) = (office.witness, Outcome())
            let reader = WorkThread(named: "witness") {
                let result = Result { try witness.testify() }
                outcome.result.withLock { $0 = result }
            }
            try eventually("the witness waits") {
                try office.connection.run(CountWaits()).rows.first != 0
            }
            try office.connection.execute(
                "UPDATE unit SET head = decode(repeat('11', 32), 'hex'), entry_count = 2 WHERE id = 'd3'")
            try office.connection.commit()
            reader.join()
            #expect(try outcome.result.withLock { $0 }?.get().ledgerFaults == [])
        }
    }

    @Test("a handoff that found no queue and was sent again by replay is no fault")
    func acceptsHandoffSentAgainByReplay() throws {
        try WitnessOffice.with { office in
            try office.loop("r-1", sentAgain: true)
            let testimony = try office.witness.testify()
            #expect(testimony.lines.filter { !$0.holds } == [])
            #expect(testimony.doubled == [] && testimony.ledgerFaults == [] && testimony.closed == 1)
            #expect(!testimony.statesNeverSeen.contains("handoff undeliverable"))
        }
    }

    @Test("the testimony is written as JSON under the documented keys")
    func writesDocumentedJSON() throws {
        try WitnessOffice.with { office in
            try office.loop("r-1")
            let json = try office.witness.testify().json()
            let object = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
            for key in [
                "submitted", "registered", "rejected", "dead", "closed", "open", "not_accepted", "repeats", "in_review",
                "passed_up", "lost", "doubled", "redelivered",
            ] {
                #expect(object[key] is Int, "\(key)")
            }
            #expect((object["lines"] as? [Any])?.count == 5)
        }
    }

    // MARK: Planted faults

    @Test("a deleted report row makes the first line false, and is named")
    func findsDeletedReport() throws {
        try WitnessOffice.with { office in
            try office.loop("r-1")
            let victim = try office.loop("r-2")
            try office.tamper("DELETE FROM report WHERE id = '\(victim.report.id)'")
            let testimony = try office.witness.testify()
            #expect(testimony.submitted == 2)
            #expect(testimony.registered == 1)
            #expect(!testimony.lines[0].holds)
            #expect(!testimony.lines[2].holds)
            #expect(testimony.lost.map(\.about) == ["source.web r-2"])
            #expect(testimony.ledgerFaults.contains { $0.about == "chain \(victim.report.id)" })
        }
    }

    @Test("a delivery that its unit never saw is lost")
    func findsSuppressedDelivery() throws {
        try WitnessOffice.with { office in
            let victim = try office.loop("r-1")
            try office.loop("r-2")
            try office.suppress("unit.d1") {
                $0.type == MessageType.handoffDispatched.rawValue && $0.subject == victim.handoffName
            }
            let testimony = try office.witness.testify()
            #expect(testimony.lost.map(\.about) == ["handoff \(victim.handoffName)"])
            #expect(!testimony.lines[2].holds)
        }
    }

    @Test("everything sent to a unit that received nothing is lost, and rows still in the outbox are not")
    func findsAllDeliveriesOfSilentUnitLost() throws {
        try WitnessOffice.with { office in
            let silent = try office.submit("r-1")
            try silent.route(to: "d2", delivering: false)
            let waiting = try office.submit("r-2")
            try waiting.route(to: "d2", delivering: false)
            try office.connection.execute(
                """
                INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
                handoff_id, body, created_at)
                VALUES (gen_random_uuid(), 'routing', 'l', 'x', 'k', 'bihuan.handoff.dispatched.v1', 's', 'unit.d2',
                    '{\(waiting.report.id)}', '\(waiting.handoffName)', '', now())
                """)
            #expect(try office.witness.testify().lost.map(\.about) == ["handoff \(silent.handoffName)"])
            let settling = try office.witness.settling(queueDepths: [:])
            #expect(!settling.isSettled)
        }
    }

    @Test("an act that was entered in the ledger a second time is doubled, although its chain holds")
    func findsActEnteredTwice() throws {
        try WitnessOffice.with { office in
            let victim = try office.loop("r-1")
            try victim.record(.signed, by: victim.party, act: victim.actID("signed"))
            try victim.save()
            let testimony = try office.witness.testify()
            #expect(!testimony.lines[2].holds)
            #expect(testimony.doubled.contains { $0.about == "unit.d1 \(victim.actID("signed"))" })
            #expect(testimony.ledgerFaults == [])
        }
    }

    @Test("an act applied under another id is doubled as well")
    func findsActUnderAnotherID() throws {
        try WitnessOffice.with { office in
            let victim = try office.loop("r-1")
            try victim.record(.concluded(outcome: "unfounded"), by: victim.party, act: "another-id")
            try victim.save()
            let about = try office.witness.testify().doubled.map(\.about)
            let salt = office.digestKey.salt(of: victim.report.id, for: victim.party)
            #expect(about.contains("unit.d1 \(Commitment.act("another-id", salt: salt))"))
            #expect(about.contains("report \(victim.report.id)"))
        }
    }

    @Test("a second handoff of one report is doubled")
    func findsSecondHandoff() throws {
        try WitnessOffice.with { office in
            let victim = try office.loop("r-1")
            let second = UUID().uuidString.lowercased()
            try office.tamper(
                """
                INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, \
                running_clocks, no_clock_reason)
                SELECT '\(second)', report_id, 2, 'd2', kind, 'dispatched', express, rule, digest, 0, 'x'
                FROM handoff WHERE report_id = '\(victim.report.id)'
                """)
            try office.delivered("unit.d2", "second", .handoffDispatched, subject: second)
            let testimony = try office.witness.testify()
            #expect(testimony.doubled.map(\.about) == ["report \(victim.report.id)"])
            #expect(testimony.ledgerFaults.map(\.about) == ["handoff \(second)"])
        }
    }

    @Test("a second report for one submission is doubled")
    func findsSecondReport() throws {
        try WitnessOffice.with { office in
            let victim = try office.loop("r-1")
            try office.tamper(
                """
                ALTER TABLE report DROP CONSTRAINT report_one_per_submission;
                INSERT INTO report SELECT (jsonb_populate_record(r, '{"id": "\(UUID().uuidString)", "number": \
                99}'::jsonb)).*
                FROM report r WHERE id = '\(victim.report.id)'
                """)
            #expect(try office.witness.testify().doubled.map(\.about) == ["source.web r-1"])
        }
    }

    @Test("a state that was changed behind the ledger's back is a ledger fault, and so is a broken chain")
    func findsLedgerFaults() throws {
        try WitnessOffice.with { office in
            let moved = try office.loop("r-1")
            let broken = try office.loop("r-2")
            try office.tamper("UPDATE report SET state = 'in_hand' WHERE id = '\(moved.report.id)'")
            try office.tamper(
                "UPDATE ledger_entry SET bytes = '{}' WHERE chain = '\(broken.report.id)' AND sequence = 3")
            let testimony = try office.witness.testify()
            let about = Set(testimony.ledgerFaults.map(\.about))
            #expect(about.contains("report \(moved.report.id)"))
            #expect(about.contains("chain \(broken.report.id)"))
            #expect(!testimony.lines[3].holds)
        }
    }

    // MARK: What is no fault

    @Test("the same message delivered again counts as redelivered, and changes nothing else")
    func countsRedelivery() throws {
        try WitnessOffice.with { office in
            let one = try office.loop("r-1")
            try office.delivered(one.party, "dispatch-\(one.handoffName)", .handoffDispatched, subject: one.handoffName)
            try office.published("source.web", "r-1", .reportSubmitted, subject: "r-1")
            let testimony = try office.witness.testify()
            #expect(testimony.redelivered == 1)
            #expect(testimony.submitted == 1)
            #expect(testimony.lines.filter { !$0.holds } == [])
        }
    }

    @Test("a dead letter is counted while it is open, and a confirmed report without a trace is lost")
    func countsOpenDeadLetters() throws {
        try WitnessOffice.with { office in
            try office.published("source.web", "dead", .reportSubmitted, subject: "dead")
            try office.published("source.web", "gone", .reportSubmitted, subject: "gone")
            try office.connection.execute(
                """
                INSERT INTO dead_letter (id, reason, detail, sender, event_id, queue, routing_key, worker, key_id, \
                sealed, bytes, answered, received_at)
                VALUES (gen_random_uuid(), 'x', 'x', 'source.web', 'dead', 'q', 'k', 'intake', 'k', '', 0, true, now())
                """)
            let testimony = try office.witness.testify()
            #expect(testimony.dead == 1)
            #expect(testimony.lost.map(\.about) == ["source.web gone"])
            #expect(!testimony.lines[0].holds)
        }
    }

    @Test("a recalled handoff leaves its report open, with the reason")
    func leavesReportOfRecallOpen() throws {
        try WitnessOffice.with { office in
            let one = try office.submit("r-1")
            try one.route(to: "d1")
            try one.move(.recalled, by: "person.leader", act: "recall-1")
            let testimony = try office.witness.testify()
            #expect(testimony.open == 1)
            #expect(testimony.openReports.map(\.reason) == ["handoff 1 with d1 was recalled"])
            #expect(testimony.lines.filter { !$0.holds }.map(\.text) == ["closed of accepted: 0 of 1, at least 95 %"])
        }
    }

    @Test("an act that the broker confirmed and the office never received is lost")
    func findsLostAct() throws {
        try WitnessOffice.with { office in
            let one = try office.loop("r-1")
            try office.published(one.party, one.actID("progress"), .handoffProgress, subject: one.handoffName)
            #expect(try office.witness.testify().lost.map(\.about) == ["unit.d1 \(one.actID("progress"))"])
        }
    }
    @Test("a process has work while one of its lanes has uncommitted writes or unsent messages; others' do not count")
    func recognisesWorkInProgress() throws {
        try WitnessOffice.with { office in
            let database = office.connection
            func holds(_ lanePrefix: String) throws -> Bool? {
                try database.run(ReadWorkInHand(lanePrefix: lanePrefix)).rows.first
            }
            try database.execute("SET application_name = 'bihuan intake-17-5-1'")
            #expect(try holds("intake-17-") == false)
            try database.execute("BEGIN; SELECT FROM report")
            #expect(try holds("intake-17-") == false, "it only reads")
            try database.execute(
                "ROLLBACK; BEGIN; INSERT INTO attempt (digest, count, noted_at) VALUES ('a', 1, now())")
            #expect(try holds("intake-17-") == true)
            #expect(try holds("intake-1-") == false)
            #expect(try holds("routing-17-") == false)
            try database.execute("ROLLBACK")
            try database.execute(
                """
                INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
                body, created_at)
                VALUES (gen_random_uuid(), 'intake', 'intake-17-5-2', 'x', 'k', 't', 's', 'unit.d2', '{}', '', now())
                """)
            #expect(try holds("intake-17-") == true)
            #expect(try holds("intake-18-") == false, "what a dead process left is not in the hands of the next")
        }
    }
}

private final class Outcome: Sendable {
    let result = Mutex<Result<Testimony, any Error>?>(nil)
}

private struct CountWaits: Statement {
    static let sql = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE NOT granted AND datname = current_database()
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { Int(try row.int()) }
}
