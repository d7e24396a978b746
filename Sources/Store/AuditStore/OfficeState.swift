public import Basics
import CaseStore
public import PostgreSQL

// What a monitor needs of the office's own state. One process reads it now and then, never during a scrape.

/// Amounts and ages of what waits, in one row.
public struct ReadWaits: Statement {
    public var now: Instant
    public var wall: Instant

    /// - Parameters:
    ///   - now: business time, for clocks.
    ///   - wall: wall time, for messages.
    public init(now: Instant, wall: Instant) {
        self.now = now
        self.wall = wall
    }

    private static func age(_ oldest: String, _ now: String) -> String {
        "coalesce(greatest(0, extract(epoch FROM \(now) - \(oldest))), 0)::float8"
    }

    public static let sql = """
        SELECT
            (SELECT count(*) FROM outbox), (SELECT \(age("min(created_at)", "$2")) FROM outbox),
            (SELECT count(*) FROM held_message), (SELECT \(age("min(held_at)", "$2")) FROM held_message),
            (SELECT \(age("min(received_at)", "$2")) FROM dead_letter WHERE state = 'open'),
            (SELECT count(*) FROM clock WHERE next_at IS NOT NULL),
            (SELECT count(*) FROM clock WHERE ended_at IS NULL AND handoff_id IS NOT NULL AND due_at < $1),
            (SELECT count(*) FROM clock WHERE ended_at IS NULL AND handoff_id IS NULL AND duty <> 'approval'
                AND due_at < $1),
            (SELECT count(*) FROM clock WHERE ended_at IS NULL AND duty = 'approval' AND due_at < $1),
            (SELECT count(*) FROM clock WHERE set_aside IS NOT NULL),
            -- By the index on next_at: only the end of it is read.
            (SELECT \(age("min(next_at)", "$1")) FROM clock WHERE next_at <= $1),
            (SELECT extract(epoch FROM min(next_at))::float8 FROM clock WHERE next_at > $1),
            (SELECT count(*) FROM person_notice WHERE seen_at IS NULL),
            (SELECT extract(epoch FROM $2 - max(signed_at))::float8 FROM ledger_checkpoint),
            (SELECT extract(epoch FROM $1 - registered_at)::float8 FROM report ORDER BY number LIMIT 1)
        """
    public var parameters: [Parameter] { [.instant(now), .instant(wall)] }

    public struct Row: Sendable {
        public let outbox: Int
        public let outboxAge: Double
        public let deferred: Int
        public let deferredAge: Double
        public let deadLetterAge: Double
        public let clocks: Int
        public let overdueClocks: Int
        public let overdueDuties: Int
        public let overdueApprovals: Int
        public let clocksSetAside: Int
        public let stepAge: Double
        /// Business time, in seconds since 1970.
        public let nextStep: Double?
        public let unseenNotices: Int
        /// `nil` if there is no checkpoint.
        public let checkpointAge: Double?
        /// The age of the first report, in business time.
        public let firstReportAge: Double?
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            outbox: try row.int(), outboxAge: try row.double(), deferred: try row.int(), deferredAge: try row.double(),
            deadLetterAge: try row.double(), clocks: try row.int(), overdueClocks: try row.int(),
            overdueDuties: try row.int(), overdueApprovals: try row.int(), clocksSetAside: try row.int(),
            stepAge: try row.double(),
            nextStep: try row.doubleOrNil(), unseenNotices: try row.int(), checkpointAge: try row.doubleOrNil(),
            firstReportAge: try row.doubleOrNil())
    }
}

/// For each active unit the handoffs that it has not signed, and the age of the oldest in business time.
public struct ReadUnsigned: Statement {
    public var now: Instant
    public init(now: Instant) { self.now = now }

    public static let sql = """
        SELECT unit.id, count(h.id), coalesce(greatest(0, extract(epoch FROM $1 - min(h.released_at))), 0)::float8
        FROM unit LEFT JOIN handoff h ON h.unit = unit.id AND h.state IN ('released', 'dispatched', 'undeliverable')
        WHERE unit.active GROUP BY unit.id ORDER BY unit.id
        """
    public var parameters: [Parameter] { [.instant(now)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (unit: String, count: Int, age: Double) {
        (try row.text(), try row.int(), try row.double())
    }
}

/// How many rows each table of this database got since its statistics began: the way of the work without a look at
/// the tables.
public struct ReadInsertions: Statement {
    public init() {}
    public static let sql = """
        SELECT relname::text, n_tup_ins FROM pg_stat_user_tables
        WHERE relname IN ('report', 'handoff', 'handoff_note', 'outbox', 'clock_step')
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (table: String, count: Int) {
        (try row.text(), try row.int())
    }
}
