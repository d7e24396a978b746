public import Basics
import CaseStore
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
