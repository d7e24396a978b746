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

/// Messages and acts that are not yet sent or decided.
public struct CountWaiting: Statement {
    public var now: Instant
    public init(now: Instant) { self.now = now }

    public static let sql = """
        SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM held_message),
            (SELECT count(*) FROM handoff h WHERE h.state IN ('released', 'dispatched', 'undeliverable')
                AND EXISTS (SELECT FROM report r WHERE r.id = h.report_id AND r.verdict = 'passed_up')),
            -- A clock that stopped in time owes nothing any more; one that runs past its due time does.
            (SELECT count(*) FROM clock WHERE stopped_at IS NULL AND due_at < $1),
            (SELECT count(*) FROM person_notice WHERE seen_at IS NULL)
        """
    public var parameters: [Parameter] { [.instant(now)] }

    public struct Waiting: Sendable {
        public let outbox: Int
        public let held: Int
        /// Sealed reports that the superior has not signed for.
        public let sealed: Int
        public let overdueClocks: Int
        public let unseenNotices: Int
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Waiting {
        Waiting(
            outbox: try row.int(), held: try row.int(), sealed: try row.int(), overdueClocks: try row.int(),
            unseenNotices: try row.int())
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
