import AMQP
import Basics
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

/// What units and the office owe by the calendar, with the shipped policy: the office's monthly summary, and the
/// quarterly return of its departments, which are d1 and d2.
@Suite("Duties", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DutyTests {
    private static let summary = "duty-monthly-summary"
    private static let quarterly = "duty-quarterly-return"

    /// An office that has seen its duties in March 2026, and has opened none.
    private func officeInMarch() throws -> OfficeUnderTest {
        let office = try OfficeUnderTest()
        try start(office, "2026-03-20T00:00:00Z")
        try office.wait(
            for: ["\(Self.summary) month 2026-02", "\(Self.quarterly) quarter 2025-Q4"],
            "SELECT concat_ws(' ', duty, each, period) FROM duty_opening ORDER BY 1")
        try office.stopLanes()
        return office
    }

    private func start(_ office: OfficeUnderTest, _ moment: String, lanes: Int = 1) throws {
        let now = try #require(Instant(moment))
        for _ in 1...lanes {
            try office.start(
                .deadlines, clock: BusinessClock(wallOrigin: .wall(), businessOrigin: now, rate: 1))
        }
    }

    private func waitOpened(_ office: OfficeUnderTest, _ month: String, _ quarter: String) throws {
        try office.wait(for: [month, quarter], "SELECT period FROM duty_opening ORDER BY 1")
    }

    private func words(_ office: OfficeUnderTest, _ event: String, _ details: String) throws -> [String] {
        try office.texts(
            """
            SELECT concat_ws(' ', \(details)) FROM (SELECT convert_from(bytes, 'UTF8')::jsonb AS e FROM ledger_entry) \
            l WHERE e->>'event' = '\(event)' ORDER BY 1
            """)
    }

    @Test("each duty of a period that is over is opened once, whatever the number of lanes and restarts")
    func opensEachDutyOnce() throws {
        let office = try officeInMarch()
        let department = try office.unit("d1")
        // In Shanghai it is the 1st of April since 16:00.
        try start(office, "2026-03-31T15:30:00Z")
        try office.log.wait(for: "lane ready", lines: 2)
        try office.stopLanes()
        #expect(try office.count("SELECT count(*) FROM clock") == 0)
        try start(office, "2026-03-31T16:00:00Z", lanes: 4)
        try waitOpened(office, "2026-03", "2026-Q1")
        try office.stopLanes()
        try start(office, "2026-04-02T00:00:00Z", lanes: 2)
        let notice = try department.event(department.notices, as: DutyNotice.self)
        try office.wait(for: ["0"], "SELECT count(*) FROM clock WHERE next_at < '2026-04-02'")
        try office.stopLanes()
        #expect(
            try office.texts(
                "SELECT concat_ws(' ', subject, unit, duty, period, owed_by, next_step) FROM clock ORDER BY 1")
                == [
                    "office \(Self.summary) 2026-03 office 1", "unit d1 \(Self.quarterly) 2026-Q1 unit.d1 1",
                    "unit d2 \(Self.quarterly) 2026-Q1 unit.d2 1",
                ])
        #expect(
            try office.texts("SELECT DISTINCT started_at AT TIME ZONE 'Asia/Shanghai' || '' FROM clock") == [
                "2026-04-01 00:00:00"
            ])
        #expect(
            try words(office, "duty_opened", "e->>'duty', e->>'due', e->>'by'") == [
                "office/\(Self.summary)/2026-03 2026-04-10T16:00:00Z office.deadlines",
                "unit.d1/\(Self.quarterly)/2026-Q1 2026-04-15T16:00:00Z office.deadlines",
                "unit.d2/\(Self.quarterly)/2026-Q1 2026-04-15T16:00:00Z office.deadlines",
            ])
        #expect(notice.type == .noticeDuty && notice.subject == "unit.d1/\(Self.quarterly)/2026-Q1")
        #expect(notice.data.name == "办结反馈" && notice.data.action == "remind" && notice.data.step == 1)
        // Of the office's own duty its supervisors hear.
        #expect(
            try office.texts("SELECT kind || ' ' || person FROM person_notice WHERE clock_id IS NOT NULL ORDER BY 1")
                == [
                    "duty_remind qian", "duty_remind wang",
                ])
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a duty escalates until a person says that it was done; others may not, and not twice")
    func escalatesUntilDone() throws {
        let office = try officeInMarch()
        let department = try office.unit("d1")
        try start(office, "2026-05-02T00:00:00Z")
        let actions = try (1...6).map { _ in try department.event(department.notices, as: DutyNotice.self).data.action }
        #expect(actions == ["remind", "warn", "overdue", "remind", "remind", "escalate"])
        try office.wait(
            for: ["2"],
            """
            SELECT count(*) FROM person_notice n JOIN clock c ON c.id = n.clock_id \
            WHERE n.kind = 'duty_escalate' AND c.unit = 'd1'
            """
        )
        let owed = "office/\(Self.summary)/2026-03"
        let (zhao, sun) = (try office.person("zhao"), try office.person("sun"))
        func done(_ subject: String, by person: PartyClient) throws -> ReceivedMessage {
            try person.send(.commandDutyDone, subject: subject, Nothing())
            return try person.receive()
        }
        #expect(try done(owed, by: sun).problem == "not_allowed")
        #expect(try done("office/\(Self.summary)/2026-05", by: zhao).problem == "unknown_duty")
        #expect(try done("unit.c01/\(Self.quarterly)/2026-Q1", by: zhao).problem == "unknown_duty")
        #expect(try done("nothing", by: zhao).problem == "unknown_duty")
        let taken = try done(owed, by: zhao)
        #expect(taken.type == MessageType.commandTaken.rawValue && taken.subject == owed)
        #expect(try done(owed, by: zhao).problem == "duty_ended")
        #expect(try done("unit.d1/\(Self.quarterly)/2026-Q1", by: zhao).type == MessageType.commandTaken.rawValue)
        #expect(
            try office.texts(
                """
                SELECT concat_ws(' ', owed_by, ended_because, ended_by, next_at) FROM clock WHERE ended_at IS NOT NULL \
                ORDER BY 1
                """
            )
                == ["office done person.zhao", "unit.d1 done person.zhao"])
        #expect(try words(office, "duty_done", "e->>'duty', e->>'by'").count == 2)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a duty reported twice as done has one effect and one answer")
    func takesDoneOnce() throws {
        let office = try officeInMarch()
        try start(office, "2026-04-01T12:00:00Z")
        try waitOpened(office, "2026-03", "2026-Q1")
        let (zhao, id) = (try office.person("zhao"), UUID().uuidString)
        let owed = "office/\(Self.summary)/2026-03"
        try zhao.send(.commandDutyDone, id: id, subject: owed, Nothing())
        let first = try zhao.receive()
        try office.settle()
        let digests = try office.tableDigests()
        try zhao.send(.commandDutyDone, id: id, subject: owed, Nothing())
        let second = try zhao.receive()
        #expect(first.type == MessageType.commandTaken.rawValue && second.delivery.body == first.delivery.body)
        try office.settle()
        #expect(try office.tableDigests() == digests)
        try office.close()
    }

    @Test("after a long stop the last three periods are opened; the others are skipped, which is said once")
    func skipsPeriodsAfterLongStop() throws {
        let office = try officeInMarch()
        try start(office, "2026-12-02T00:00:00Z", lanes: 2)
        try waitOpened(office, "2026-11", "2026-Q3")
        try office.stopLanes()
        #expect(
            try office.texts("SELECT concat_ws(' ', unit, period) FROM clock ORDER BY 1") == [
                "2026-09", "2026-10", "2026-11", "d1 2026-Q1", "d1 2026-Q2", "d1 2026-Q3", "d2 2026-Q1", "d2 2026-Q2",
                "d2 2026-Q3",
            ])
        #expect(
            try words(office, "duties_skipped", "e->>'duty', e->>'first', e->>'last'") == [
                "\(Self.summary) 2026-03 2026-08"
            ])
        #expect(try office.count("SELECT count(*) FROM person_notice WHERE kind = 'duty_skipped'") == 2)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("only active units owe a duty: one that is inactive gets none, one that becomes inactive owes no more")
    func onlyActiveUnitsOwe() throws {
        let office = try officeInMarch()
        try office.change("UPDATE unit SET active = false WHERE id = 'd2'")
        try start(office, "2026-04-01T12:00:00Z")
        try waitOpened(office, "2026-03", "2026-Q1")
        try office.stopLanes()
        #expect(try office.texts("SELECT unit FROM clock WHERE unit IS NOT NULL") == ["d1"])
        // Too late for the first quarter.
        try office.change("UPDATE unit SET active = id = 'd2' WHERE id IN ('d1', 'd2')")
        try start(office, "2026-04-30T12:00:00Z")
        try office.wait(for: ["unit_inactive"], "SELECT ended_because FROM clock WHERE unit IS NOT NULL")
        #expect(try words(office, "duty_lapsed", "e->>'duty'") == ["unit.d1/\(Self.quarterly)/2026-Q1"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE unit = 'd2'") == 0)
        try office.close()
    }

    @Test(
        "clocks that cannot be read or written are set aside and told once; others go on, and they do when mended"
    )
    func setsFailingDutiesAside() throws {
        let office = try officeInMarch()
        let other = try office.unit("d2")
        try start(office, "2026-04-01T12:00:00Z")
        try waitOpened(office, "2026-03", "2026-Q1")
        _ = try other.event(other.notices, as: DutyNotice.self)
        try office.wait(for: ["3"], "SELECT count(*) FROM clock WHERE next_step = 1")
        try office.stopLanes()
        let written = try #require(try office.texts("SELECT id::text FROM clock WHERE subject = 'office'").first)
        try office.change(
            """
            ALTER TABLE clock_step ADD CONSTRAINT no_step CHECK (clock_id <> '\(written)') NOT VALID;
            UPDATE clock SET rule = 'cn-discipline@7/none' WHERE unit = 'd1';
            """)
        try start(office, "2026-05-05T00:00:00Z", lanes: 2)
        let actions = try (1...5).map { _ in try other.event(other.notices, as: DutyNotice.self).data.action }
        #expect(actions == ["warn", "overdue", "remind", "remind", "escalate"])
        try office.wait(
            for: ["cannot_be_written office", "unreadable unit.d1"],
            "SELECT set_aside || ' ' || owed_by FROM clock WHERE set_aside IS NOT NULL ORDER BY 1")
        #expect(
            try office.count("SELECT count(*) FROM clock WHERE set_aside IS NOT NULL AND next_at > '2026-05-05'") == 2)
        // Tried again, but not told again.
        try office.stopLanes()
        try start(office, "2026-05-05T02:00:00Z")
        try office.wait(
            for: ["2"], "SELECT count(*) FROM clock WHERE set_aside IS NOT NULL AND next_at > '2026-05-05 02:30Z'")
        #expect(try office.count("SELECT count(*) FROM person_notice WHERE kind = 'duty_set_aside'") == 4)
        try office.stopLanes()
        try office.change(
            """
            ALTER TABLE clock_step DROP CONSTRAINT no_step;
            UPDATE clock SET rule = 'cn-discipline@1/\(Self.quarterly)' WHERE unit = 'd1';
            """)
        try start(office, "2026-05-05T05:00:00Z")
        try office.wait(
            for: ["office 4", "unit.d1 6", "unit.d2 6"],
            """
            SELECT owed_by || ' ' || next_step FROM clock WHERE set_aside IS NULL AND period IN ('2026-03', '2026-Q1') \
            ORDER BY 1
            """
        )
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a unit whose duty cannot be opened holds up no other, and is opened when it can be")
    func opensOthersBesideFailingUnit() throws {
        let office = try officeInMarch()
        try office.change("ALTER TABLE clock ADD CONSTRAINT not_d1 CHECK (unit <> 'd1')")
        try start(office, "2026-04-01T12:00:00Z")
        try office.log.wait(for: "case set aside")
        try office.wait(for: ["d2"], "SELECT unit FROM clock WHERE unit IS NOT NULL")
        #expect(try office.texts("SELECT period FROM duty_opening WHERE each = 'quarter'") == ["2025-Q4"])
        try office.stopLanes()
        try office.change("ALTER TABLE clock DROP CONSTRAINT not_d1")
        try start(office, "2026-04-01T12:00:00Z")
        try waitOpened(office, "2026-03", "2026-Q1")
        #expect(try office.texts("SELECT unit FROM clock WHERE unit IS NOT NULL ORDER BY 1") == ["d1", "d2"])
        try office.close()
    }

    @Test("a clock follows the version of the policy under which it started")
    func followsItsOwnVersion() throws {
        let office = try officeInMarch()
        try start(office, "2026-04-01T12:00:00Z")
        try waitOpened(office, "2026-03", "2026-Q1")
        try office.stopLanes()
        let owner = try office.database()
        let text = try OfficeUnderTest.policyText().replacing("\nversion: 1\n", with: "\nversion: 2\n")
            .replacing(
                "within: 15 day\n    steps:\n      - { action: remind",
                with: "within: 100 day\n    steps:\n      - { action: remind")
        try ActivePolicy.activate(text, named: "policy", by: "a test", at: .wall(), on: owner)
        owner.close()
        try start(office, "2026-04-16T12:00:00Z")
        try office.wait(
            for: ["3"], "SELECT next_step::text FROM clock WHERE unit = 'd1' AND rule LIKE 'cn-discipline@1/%'")
        #expect(try office.count("SELECT count(*) FROM clock WHERE set_aside IS NOT NULL") == 0)
        try office.close()
    }
}
