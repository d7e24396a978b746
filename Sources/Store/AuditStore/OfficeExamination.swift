public import Basics
import CaseStore
public import PostgreSQL

// What `doctor` asks of an office's own tables, beside the queries of `status` and of monitors.

/// Open handoffs that no clock watches and that state no reason for it (invariant 8), a few by name.
public struct ReadUnwatchedHandoffs: Statement {
    public init() {}
    public static let sql = """
        SELECT count(*), (array_agg(h.id::text ORDER BY h.id))[1:3] FROM handoff h
        WHERE h.state NOT IN ('closed', 'returned', 'recalled', 'undeliverable') AND h.no_clock_reason IS NULL
            AND NOT EXISTS (SELECT FROM clock c WHERE c.handoff_id = h.id AND c.ended_at IS NULL)
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (count: Int, some: [String]) {
        let count = try row.int()
        return (count, count == 0 ? [] : try row.texts())
    }
}

/// How many dead letters and how many decided messages came after a moment (wall time).
public struct CountArrivals: Statement {
    public var since: Instant
    public init(since: Instant) { self.since = since }
    public static let sql = """
        SELECT (SELECT count(*) FROM dead_letter WHERE received_at > $1),
            (SELECT count(*) FROM inbox WHERE received_at > $1 AND verdict <> 'dead')
        """
    public var parameters: [Parameter] { [.instant(since)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (dead: Int, decided: Int) {
        (try row.int(), try row.int())
    }
}

/// Why clocks were set aside.
public struct ReadSetAsideClocks: Statement {
    public init() {}
    public static let sql =
        "SELECT set_aside, count(*) FROM clock WHERE set_aside IS NOT NULL GROUP BY set_aside ORDER BY 2 DESC LIMIT 5"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (reason: String, count: Int) {
        (try row.text(), try row.int())
    }
}

/// The last published day of each calendar.
public struct ReadCalendarReach: Statement {
    public init() {}
    public static let sql = "SELECT calendar, max(day) FROM calendar_day WHERE published GROUP BY calendar ORDER BY 1"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (calendar: String, last: CalendarDate) {
        (try row.text(), try row.date())
    }
}
