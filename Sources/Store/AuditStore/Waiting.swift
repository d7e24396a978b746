public import Basics
import CaseStore
public import Casework
public import PostgreSQL

// The queries of `outbox` and `deferred`: what waits, by ids and types.

/// Messages of one type in the outbox that one lane is to send to one queue.
public struct OutboxGroup: Sendable {
    /// The name of the queue, or a routing key of the office's own exchange.
    public let routingKey: String
    public let addressee: String
    public let type: String
    public let worker: String
    public let lane: String
    public let count: Int
    /// Wall time.
    public let oldest: Instant

    public init(
        routingKey: String, addressee: String, type: String, worker: String, lane: String, count: Int, oldest: Instant
    ) {
        self.routingKey = routingKey
        self.addressee = addressee
        self.type = type
        self.worker = worker
        self.lane = lane
        self.count = count
        self.oldest = oldest
    }
}

public struct ReadOutboxGroups: Statement {
    public init() {}
    public static let sql = """
        SELECT routing_key, addressee, type, worker, lane, count(*), min(created_at) FROM outbox
        GROUP BY routing_key, addressee, type, worker, lane ORDER BY min(created_at), routing_key, type, lane
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> OutboxGroup {
        OutboxGroup(
            routingKey: try row.text(), addressee: try row.text(), type: try row.text(), worker: try row.text(),
            lane: try row.text(), count: try row.int(), oldest: try row.instant())
    }
}

/// A message ahead of its state.
public struct WaitingMessage: Sendable {
    public let sender: String
    public let type: String
    public let report: ReportID
    public let handoff: HandoffID
    public let attempt: Int
    public let unit: UnitID
    public let state: HandoffState
    public let isRipe: Bool
    /// Wall time.
    public let since: Instant

    public init(
        sender: String, type: String, report: ReportID, handoff: HandoffID, attempt: Int, unit: UnitID,
        state: HandoffState, isRipe: Bool, since: Instant
    ) {
        self.sender = sender
        self.type = type
        self.report = report
        self.handoff = handoff
        self.attempt = attempt
        self.unit = unit
        self.state = state
        self.isRipe = isRipe
        self.since = since
    }
}

/// Messages ahead of their state, oldest first; of one report, or of all.
public struct ListDeferredMessages: Statement {
    public var report: ReportID?
    public var countMax: Int
    public init(report: ReportID? = nil, countMax: Int) {
        self.report = report
        self.countMax = countMax
    }
    public static let sql = """
        SELECT held.sender, held.type, held.report_id, h.id, h.attempt, h.unit, h.state, held.ripe, held.held_at
        FROM held_message held JOIN handoff h ON h.id = held.handoff_id
        WHERE $1::uuid IS NULL OR held.report_id = $1 ORDER BY held.id LIMIT $2
        """
    public var parameters: [Parameter] { [.uuid(report?.uuid), .int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WaitingMessage {
        WaitingMessage(
            sender: try row.text(), type: try row.text(), report: try row.id(), handoff: try row.id(),
            attempt: try row.int(), unit: try row.name(), state: try row.word(), isRipe: try row.bool(),
            since: try row.instant())
    }
}

public struct CountDeferred: Statement {
    public init() {}
    public static let sql = "SELECT count(*) FROM held_message"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
