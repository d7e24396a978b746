public import Basics
import Casework
public import Foundation
public import PostgreSQL

/// One message to be published. The row has its addressee and its reports, because the barrier is checked here.
public struct OutboxRow: Hashable, Sendable {
    public let eventID: UUID
    public let exchange: String
    public let routingKey: String
    public let type: String
    public let subject: String
    public let addressee: String
    public let reports: [ReportID]
    public let handoffID: HandoffID?
    public let body: [UInt8]

    public init(
        eventID: UUID, exchange: String, routingKey: String, type: String, subject: String, addressee: String,
        reports: [ReportID], handoffID: HandoffID?, body: [UInt8]
    ) {
        self.eventID = eventID
        self.exchange = exchange
        self.routingKey = routingKey
        self.type = type
        self.subject = subject
        self.addressee = addressee
        self.reports = reports
        self.handoffID = handoffID
        self.body = body
    }
}

public struct InsertOutbox: Command {
    public var rows: [OutboxRow]
    public var worker: String
    public var lane: String
    public var createdAt: Instant

    public init(rows: [OutboxRow], worker: String, lane: String, createdAt: Instant) {
        self.rows = rows
        self.worker = worker
        self.lane = lane
        self.createdAt = createdAt
    }

    public static let sql = """
        INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports,
            handoff_id, body,
            created_at)
        SELECT event_id, $10, $11, exchange, routing_key, type, subject, addressee,
            -- `unnest` cannot split an array of arrays by row: the reports of a row are sent as one text.
            string_to_array(reports, ',')::uuid[], handoff_id, body, $12
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
            $9::bytea[])
            AS row (event_id, exchange, routing_key, type, subject, addressee, reports, handoff_id, body)
        -- Two lanes that answer the same repeats lock the rows in the same order, so there is no deadlock.
        ORDER BY event_id
        -- The answer to a repeat may still be in the outbox: one is enough.
        ON CONFLICT DO NOTHING
        """

    public var parameters: [Parameter] {
        [
            .uuids(rows.map(\.eventID)), .texts(rows.map(\.exchange)), .texts(rows.map(\.routingKey)),
            .texts(rows.map(\.type)), .texts(rows.map(\.subject)), .texts(rows.map(\.addressee)),
            .texts(rows.map { $0.reports.map(\.description).joined(separator: ",") }),
            .ids(orNil: rows.map(\.handoffID)),
            .byteas(rows.map(\.body)), .text(worker), .text(lane), .instant(createdAt),
        ]
    }
}

/// Deletes rows that the broker has confirmed.
public struct DeleteOutbox: Command {
    public var eventIDs: [UUID]
    public init(eventIDs: [UUID]) { self.eventIDs = eventIDs }
    public static let sql = "DELETE FROM outbox WHERE event_id = ANY ($1::uuid[])"
    public var parameters: [Parameter] { [.uuids(eventIDs)] }
}

/// Those of these events that have a row in the outbox, whichever lane sends it.
public struct ReadStandingOutbox: Statement {
    public var eventIDs: [UUID]
    public init(eventIDs: [UUID]) { self.eventIDs = eventIDs }
    public static let sql = "SELECT event_id FROM outbox WHERE event_id = ANY ($1::uuid[])"
    public var parameters: [Parameter] { [.uuids(eventIDs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> UUID { try row.uuid() }
}

/// Lanes of a worker with rows that should already be published.
public struct ReadLateLanes: Statement {
    public var worker: String
    public var createdBefore: Instant
    public init(worker: String, createdBefore: Instant) {
        self.worker = worker
        self.createdBefore = createdBefore
    }

    public static let sql = "SELECT DISTINCT lane FROM outbox WHERE worker = $1 AND created_at < $2"
    public var parameters: [Parameter] { [.text(worker), .instant(createdBefore)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// Rows of lanes, oldest first, up to the memory limits; of some queues only, or of all except some.
public struct ReadOutbox: Statement {
    public enum Choice: Sendable {
        case only(Set<String>)
        case allBut(Set<String>)
    }

    public var lanes: [String]
    /// By routing keys.
    public var choice: Choice
    /// Rows that are already in memory.
    public var known: Set<UUID>
    public var countMax: Int
    public var bytesMax: Int

    public init(lanes: [String], choice: Choice, known: Set<UUID> = [], countMax: Int, bytesMax: Int) {
        self.lanes = lanes
        self.choice = choice
        self.known = known
        self.countMax = countMax
        self.bytesMax = bytesMax
    }

    public static let sql = """
        SELECT event_id, exchange, routing_key, type, subject, addressee, reports, handoff_id, body
        FROM (
            SELECT *, sum(octet_length(body)) OVER (ORDER BY created_at, event_id) - octet_length(body) AS bytes_before
            FROM outbox
            WHERE lane = ANY ($1) AND (routing_key = ANY ($2)) = $3 AND event_id <> ALL ($4)
        ) AS row
        WHERE bytes_before < $6 ORDER BY created_at, event_id LIMIT $5
        """

    public var parameters: [Parameter] {
        let (keys, isOnly) =
            switch choice {
            case .only(let keys): (keys, true)
            case .allBut(let keys): (keys, false)
            }
        return [
            .texts(lanes), .texts(keys.sorted()), .bool(isOnly), .uuids(Array(known)), .int8(Int64(countMax)),
            .int8(Int64(bytesMax)),
        ]
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> OutboxRow {
        OutboxRow(
            eventID: try row.uuid(), exchange: try row.text(), routingKey: try row.text(), type: try row.text(),
            subject: try row.text(), addressee: try row.text(), reports: try row.uuids().map { ReportID($0) },
            handoffID: try row.idOrNil(), body: try row.bytea())
    }
}

/// Those of these rows that the barrier now forbids: units, sources and persons may have been moved since the rows
/// were written. The condition is that of the trigger `outbox_addressee_not_barred`.
public struct ReadBarredOutbox: Statement {
    public var eventIDs: [UUID]
    public init(eventIDs: [UUID]) { self.eventIDs = eventIDs }

    public static let sql = """
        SELECT DISTINCT o.event_id FROM outbox o
        JOIN barred_root b ON b.report_id = ANY (o.reports)
        LEFT JOIN unit_closure c ON c.ancestor = b.unit
        CROSS JOIN LATERAL (SELECT coalesce(c.descendant, b.unit)) AS barred (unit)
        WHERE o.event_id = ANY ($1::uuid[]) AND o.type <> 'bihuan.report.received.v1'
          AND (o.addressee = 'unit.' || barred.unit
            OR EXISTS (SELECT FROM source s WHERE s.unit = barred.unit AND o.addressee = 'source.' || s.id)
            OR EXISTS (SELECT FROM person p WHERE p.unit = barred.unit AND o.addressee = 'person.' || p.id))
        """
    public var parameters: [Parameter] { [.uuids(eventIDs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> UUID { try row.uuid() }
}
