public import Basics
public import CaseStore
public import Casework
public import PostgreSQL

// The queries of `status`: the number of rows in each state. The worker role runs them; each is one scan of one table.

public struct CountReports: Statement {
    public init() {}
    public static let sql = "SELECT state, count(*) FROM report GROUP BY state"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (state: ReportState, count: Int) {
        (try row.word(), try row.int())
    }
}

public struct CountHandoffs: Statement {
    public init() {}
    public static let sql = "SELECT state, count(*) FROM handoff GROUP BY state"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (state: HandoffState, count: Int) {
        (try row.word(), try row.int())
    }
}

/// Sealed reports that the superior has not signed for.
public struct CountSealedUnsigned: Statement {
    public init() {}
    public static let sql = """
        SELECT count(*) FROM handoff h WHERE h.state IN ('released', 'dispatched', 'undeliverable')
            AND EXISTS (SELECT FROM report r WHERE r.id = h.report_id AND r.verdict = 'passed_up')
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// The duties of units and the office that are owed, by row and period.
public struct ReadOpenDuties: Statement {
    public var now: Instant
    public init(now: Instant) { self.now = now }

    public static let sql = """
        SELECT duty, period, count(*), count(*) FILTER (WHERE due_at < $1), min(due_at),
            CASE WHEN count(*) = 1 THEN min(owed_by) END
        FROM clock WHERE handoff_id IS NULL AND duty <> 'approval' AND ended_at IS NULL
        GROUP BY duty, period ORDER BY min(due_at), duty
        """
    public var parameters: [Parameter] { [.instant(now)] }

    public struct Row: Sendable {
        public let duty: String
        public let period: String
        public let open: Int
        public let overdue: Int
        public let dueAt: Instant
        /// Who owes it, if it is one alone: `office`, `unit.d1`.
        public let debtor: String?
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            duty: try row.text(), period: try row.text(), open: try row.int(), overdue: try row.int(),
            dueAt: try row.instant(), debtor: try row.textOrNil())
    }
}

/// Every duty that is owed, longest due first.
public struct ListOpenDuties: Statement {
    public init() {}
    public static let sql = """
        SELECT owed_by || '/' || duty || '/' || period, duty, due_at FROM clock
        WHERE handoff_id IS NULL AND duty <> 'approval' AND ended_at IS NULL ORDER BY due_at, duty, period, owed_by
        """
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (key: String, row: String, dueAt: Instant) {
        (try row.text(), try row.text(), try row.instant())
    }
}

/// Open dead letters, by reason.
public struct CountDeadLetters: Statement {
    public init() {}
    public static let sql =
        "SELECT reason, count(*) FROM dead_letter WHERE state = 'open' GROUP BY reason ORDER BY reason"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (reason: String, count: Int) {
        (try row.text(), try row.int())
    }
}

/// Who reads what is new, and how much each has not read yet.
public struct ReadChangeReaders: Statement {
    public init() {}
    public static let sql = """
        WITH reached AS MATERIALIZED (SELECT \(ChangeLog.horizon) AS horizon)
        SELECT reader.name, reader.starts_anew OR reader.incarnation <> \(ChangeLog.incarnation),
            (SELECT count(*) FROM change_log WHERE xid >= reader.horizon), held.count, holder.*
        FROM change_reader AS reader CROSS JOIN reached
        CROSS JOIN LATERAL (
            SELECT count(*) FROM change_log WHERE xid >= greatest(reader.horizon, reached.horizon)
        ) AS held
        LEFT JOIN LATERAL (\(ChangeLog.holder(of: "reached.horizon"))) AS holder ON held.count > 0
        ORDER BY reader.name
        """

    public struct Row: Sendable {
        public let name: String
        /// It has not read the whole ledger in this database yet.
        public let startsAnew: Bool
        /// Rows of the log: one for each transaction that appended to the ledger.
        public let unread: Int
        /// Those among them that an older transaction, which is still open, keeps from the reader.
        public let lag: ChangeLag
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            name: try row.text(), startsAnew: try row.bool(), unread: try row.int(),
            lag: ChangeLag(waiting: try row.int(), holder: try row.holderOrNil()))
    }
}
