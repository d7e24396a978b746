public import PostgreSQL

/// SQL for leases on lane names. The holder of a lane's lease publishes that lane's outbox rows.
///
/// A lease is free when its time is over, or as soon as its holder's session is gone. It is taken and renewed by
/// compare-and-set. The time is that of the database, so that lanes on several machines agree on it; no business rule
/// depends on it.
enum Lease {
    /// For the row named `lease`. The start of another login's session is not visible; then only its pid is compared.
    static let isFree = """
        (lease.expires_at < clock_timestamp() OR NOT EXISTS (
            SELECT FROM pg_stat_get_activity(lease.backend_pid) AS session
            WHERE session.backend_start IS NULL OR session.backend_start = lease.backend_start))
        """
    static func end(_ seconds: String) -> String { "clock_timestamp() + make_interval(secs => \(seconds))" }
    /// Whether the row named `lease` is that of a running lane, which holds its own name.
    static let isRunning = "(lease.holder = lease.lane AND NOT \(isFree))"
    static let ownStart = "(SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))"
}

/// Takes leases that are free or do not exist yet. Returns the lanes that now belong to the holder.
public struct TakeLeases: Statement {
    public var lanes: [String]
    public var worker: String
    public var holder: String
    public var seconds: Double

    public init(lanes: [String], worker: String, holder: String, seconds: Double) {
        self.lanes = lanes
        self.worker = worker
        self.holder = holder
        self.seconds = seconds
    }

    public static let sql = """
        INSERT INTO lane_lease AS lease (lane, worker, holder, backend_pid, backend_start, expires_at)
        SELECT lane, $2, $3, pg_backend_pid(), \(Lease.ownStart), \(Lease.end("$4"))
        -- Two relays that take the same leases lock them in the same order.
        FROM unnest($1::text[]) AS dead (lane) ORDER BY lane
        ON CONFLICT (lane) DO UPDATE SET holder = excluded.holder, backend_pid = excluded.backend_pid,
            backend_start = excluded.backend_start, expires_at = excluded.expires_at
        WHERE \(Lease.isFree)
        RETURNING lane
        """
    public var parameters: [Parameter] { [.texts(lanes), .text(worker), .text(holder), .double(seconds)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// Renews all leases of a holder and binds them to this session. Returns their lanes; a missing lane now belongs to
/// another holder.
public struct RenewLeases: Statement {
    public var holder: String
    public var seconds: Double
    /// Whether the holder reads queues of parties.
    public var reads: Bool

    public init(holder: String, seconds: Double, reads: Bool = false) {
        self.holder = holder
        self.seconds = seconds
        self.reads = reads
    }

    public static let sql = """
        UPDATE lane_lease SET backend_pid = pg_backend_pid(), backend_start = \(Lease.ownStart), expires_at =
            \(Lease.end("$2")), reads = (lane = $1 AND $3)
        WHERE holder = $1 RETURNING lane
        """
    public var parameters: [Parameter] { [.text(holder), .double(seconds), .bool(reads)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// All leases of a worker's lanes: a few rows.
public struct ReadLeases: Statement {
    public struct Row: Sendable {
        public let lane: String
        public let holder: String
        public let isFree: Bool
    }

    public var worker: String
    public init(worker: String) { self.worker = worker }
    public static let sql = "SELECT lane, holder, \(Lease.isFree) FROM lane_lease AS lease WHERE worker = $1"
    public var parameters: [Parameter] { [.text(worker)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(lane: try row.text(), holder: try row.text(), isFree: try row.bool())
    }
}

/// Deletes those of a holder's leases whose lanes have no outbox rows left.
public struct EndLeases: Command {
    public var lanes: [String]
    public var holder: String

    public init(lanes: [String], holder: String) {
        self.lanes = lanes
        self.holder = holder
    }

    public static let sql = """
        DELETE FROM lane_lease AS lease WHERE lane = ANY ($1) AND holder = $2
            AND NOT EXISTS (SELECT FROM outbox WHERE outbox.lane = lease.lane)
        """
    public var parameters: [Parameter] { [.texts(lanes), .text(holder)] }
}

/// The lanes of each worker whose leases run.
public struct CountLaneLeases: Statement {
    public init() {}
    public static let sql = """
        SELECT worker, count(*) FROM lane_lease WHERE lane = holder AND expires_at > clock_timestamp() GROUP BY worker
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (worker: String, count: Int) {
        (try row.text(), try row.int())
    }
}

/// The queues of parties that a living lane reads.
public struct ReadHeldQueues: Statement {
    public init() {}
    public static let sql = """
        SELECT q.queue FROM queue_lease q JOIN lane_lease l ON l.lane = q.lane AND l.expires_at > clock_timestamp()
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
