import CaseStore
import PostgreSQL
import TestOffice
import Testing

/// The cost of a lane's queries must depend on its batch, not on the tables' size: also before their statistics
/// are gathered.
@Suite("Plans", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PlanTests {
    struct Question: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sql: String
        let parameterCount: Int

        init<Asked: Statement>(_ statement: Asked.Type, _ parameterCount: Int) {
            (testDescription, sql, self.parameterCount) = ("\(statement)", statement.sql, parameterCount)
        }
    }

    static let questions = [
        Question(LockReports.self, 2), Question(ReadHandoffs.self, 1), Question(ReadClocks.self, 1),
        Question(ReadBarredUnits.self, 1),
        Question(ReadReportTexts.self, 1), Question(ReadAccused.self, 1), Question(ReadAllegations.self, 1),
        Question(ReadAttachments.self, 1), Question(ReadDeferredMessages.self, 1), Question(ReadRepeatKeys.self, 1),
        Question(ReadSubmissions.self, 2), Question(ReadInbox.self, 2), Question(ReadLateLanes.self, 2),
        Question(ReadAppliedActs.self, 3), Question(ReadDueClocks.self, 3), Question(ReadClocksByID.self, 1),
        Question(ReadDuties.self, 3),
    ]

    @Test("cases are read by their keys, in empty tables and in tables that grew without statistics")
    func readsCasesByTheirKeys() throws {
        let store = try StoreUnderTest()
        let superuser = try store.superuser()
        try superuser.execute(Self.explained)
        let worker = try store.worker()
        try worker.execute(PlannerSettings.sql)
        for grown in [false, true] {
            if grown { try superuser.execute(Self.growth) }
            for (number, question) in Self.questions.enumerated() {
                let plan = try Self.plan(question.sql, question.parameterCount, "q\(number)_\(grown)", worker)
                #expect(
                    Self.readsWhole(plan) == [],
                    "\(question.testDescription), grown: \(grown)\n\(plan.joined(separator: "\n"))")
            }
        }
        // What is looked for can be found: nothing leads from a unit to its handoffs.
        #expect(
            try Self.readsWhole(Self.plan("SELECT id FROM handoff WHERE unit = $1::text", 1, "unkeyed", worker)) != [])
        superuser.close()
        worker.close()
        try store.drop()
    }

    private static func plan(
        _ sql: String, _ parameterCount: Int, _ name: String, _ connection: Connection
    ) throws -> [String] {
        try connection.execute("PREPARE \(name) AS \(sql)")
        let values = Array(repeating: "NULL", count: parameterCount).joined(separator: ", ")
        return try connection.texts("SELECT explained('\(name) (\(values))')")
    }

    /// A plan as rows, for `EXPLAIN` itself takes no place in a query.
    private static let explained = """
        CREATE FUNCTION explained(prepared text) RETURNS SETOF text LANGUAGE plpgsql AS
        $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN EXECUTE ' || prepared; END $$
        """

    /// Lines that read a table or an index without a condition on its key.
    private static func readsWhole(_ plan: [String]) -> [String] {
        plan.indices.filter { index in
            let line = plan[index]
            if line.contains("Seq Scan") { return true }
            guard line.contains("Index Scan") || line.contains("Index Only Scan") else { return false }
            return !(plan.indices.contains(index + 1) && plan[index + 1].contains("Index Cond"))
        }.map { plan[$0] }
    }

    /// Three thousand reports with a handoff and a clock each.
    private static let growth = """
        INSERT INTO report (id, number, source, source_id, digest, state, source_kind, real_name, received_at, \
        registered_at, verdict,
            rule, head, entry_count)
        SELECT gen_random_uuid(), n, 'letter', 's-' || n, 'd', 'routed', 'letter', false, \(StoreUnderTest.moment), \
        \(StoreUnderTest.moment),
            'registered', 'p@1/r', \(StoreUnderTest.sha256), 1 FROM generate_series(1, 3000) AS n;
        INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, running_clocks)
        SELECT gen_random_uuid(), id, 1, 'd1', 'transfer', 'released', false, 'p@1/r', 'd', 1 FROM report;
        INSERT INTO clock (id, subject, report_id, handoff_id, duty, period, owed_by, started_at, due_at, rule, \
        next_step, next_at)
        SELECT gen_random_uuid(), 'report', report_id, id, 'sign', '1', 'unit.d1', \(StoreUnderTest.moment), \
        \(StoreUnderTest.moment), 'p@1/c', 0, \(StoreUnderTest.moment) FROM handoff;
        INSERT INTO clock (id, subject, unit, duty, period, owed_by, started_at, due_at, rule, next_step, next_at)
        SELECT gen_random_uuid(), 'unit', 'd1', 'duty-' || n, '2026-Q1', 'unit.d1', \(StoreUnderTest.moment), \
        \(StoreUnderTest.moment), 'p@1/d', 0, \(StoreUnderTest.moment) FROM generate_series(1, 3000) AS n;
        """
}
