public import PostgreSQL

/// The running lanes of a worker that read queues of parties, with the number of queues that each holds.
public struct ReadShares: Statement {
    public var worker: String
    public init(worker: String) { self.worker = worker }
    public static let sql = """
        SELECT lease.lane, (SELECT count(*) FROM queue_lease WHERE queue_lease.lane = lease.lane)
        FROM lane_lease AS lease
        WHERE lease.worker = $1 AND lease.reads AND \(Lease.isRunning)
        """
    public var parameters: [Parameter] { [.text(worker)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (lane: String, held: Int) {
        (try row.text(), try row.int())
    }
}

/// Takes up to `countMax` of these queues that no running lane holds. Returns those that were taken.
public struct ClaimQueues: Statement {
    public var queues: [String]
    public var worker: String
    public var lane: String
    public var countMax: Int

    public init(queues: [String], worker: String, lane: String, countMax: Int) {
        self.queues = queues
        self.worker = worker
        self.lane = lane
        self.countMax = countMax
    }

    /// For the row named `held`.
    private static let isHeld =
        "EXISTS (SELECT FROM lane_lease AS lease WHERE lease.lane = held.lane AND \(Lease.isRunning))"

    public static let sql = """
        INSERT INTO queue_lease AS held (queue, worker, lane)
        SELECT queue, $2, $3 FROM (
            SELECT queue FROM unnest($1::text[]) AS wanted (queue)
            WHERE NOT EXISTS (SELECT FROM queue_lease AS held WHERE held.queue = wanted.queue AND \(isHeld))
            -- Lanes that start together choose different queues.
            ORDER BY hashtext(queue || $3) LIMIT $4
        ) AS free
        -- Lanes that choose the same queues lock the rows in the same order.
        ORDER BY queue
        ON CONFLICT (queue) DO UPDATE SET lane = excluded.lane WHERE NOT \(isHeld)
        RETURNING queue
        """
    public var parameters: [Parameter] { [.texts(queues), .text(worker), .text(lane), .int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// Frees queues of a lane; all of them if `queues` is `nil`.
public struct FreeQueues: Command {
    public var lane: String
    public var queues: [String]?

    public init(lane: String, queues: [String]?) {
        self.lane = lane
        self.queues = queues
    }

    public static let sql =
        "UPDATE queue_lease SET lane = '' WHERE lane = $1 AND ($2 OR queue = ANY ($3))"
    public var parameters: [Parameter] { [.text(lane), .bool(queues == nil), .texts(queues ?? [])] }
}

/// Whether a queue that all parties once shared was read to its end.
public struct IsReadToEnd: Statement {
    public var queue: String
    public init(queue: String) { self.queue = queue }
    public static let sql = "SELECT read_to_end FROM queue_lease WHERE queue = $1"
    public var parameters: [Parameter] { [.text(queue)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

public struct MarkReadToEnd: Command {
    public var queue: String
    public var isReadToEnd: Bool

    public init(queue: String, isReadToEnd: Bool) {
        self.queue = queue
        self.isReadToEnd = isReadToEnd
    }

    public static let sql = "UPDATE queue_lease SET read_to_end = $2 WHERE queue = $1 AND read_to_end <> $2"
    public var parameters: [Parameter] { [.text(queue), .bool(isReadToEnd)] }
}
