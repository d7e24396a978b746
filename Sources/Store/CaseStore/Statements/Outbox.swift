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
    /// The bytes to publish. Empty in a row that another worker sends.
    public private(set) var body: [UInt8]
    /// Whether the bytes are stored as the handoff's body, and the row refers to them.
    public let isStored: Bool
    /// The worker that sends the row, if the one that writes it may not: a body names its sender. That worker's relay
    /// finds the row as it finds those of a dead lane.
    public let leftTo: String?

    public init(
        eventID: UUID, exchange: String, routingKey: String, type: String, subject: String, addressee: String,
        reports: [ReportID], handoffID: HandoffID?, body: [UInt8], isStored: Bool = false, leftTo: String? = nil
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
        self.isStored = isStored
        self.leftTo = leftTo
    }

    /// The row with its stored body.
    public func with(body: [UInt8]) -> OutboxRow {
        var row = self
        row.body = body
        return row
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
            handoff_id, body, body_of, created_at)
        -- No lane has the name under which a row is left to another worker.
        SELECT event_id, coalesce(left_to, $11), coalesce(left_to || ' left', $12), exchange, routing_key, type,
            -- `unnest` cannot split an array of arrays by row: the reports of a row are sent as one text.
            subject, addressee, string_to_array(reports, ',')::uuid[], handoff_id, body,
            CASE WHEN body IS NULL THEN handoff_id END, $13
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
            $9::bytea[], $10::text[])
            AS row (event_id, exchange, routing_key, type, subject, addressee, reports, handoff_id, body, left_to)
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
            .byteas(rows.map { $0.isStored ? nil : $0.body }), .texts(rows.map(\.leftTo)), .text(worker), .text(lane),
            .instant(createdAt),
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

/// Rows of lanes, oldest first, up to the memory limits; of some queues only, or of all except some. A worker
/// without the key of handoffs' bodies leaves the rows that refer to one to others.
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
    /// Whether the worker holds the key of handoffs' bodies.
    public var opensHandoffs: Bool
    public var countMax: Int
    public var bytesMax: Int

    public init(
        lanes: [String], choice: Choice, known: Set<UUID> = [], opensHandoffs: Bool, countMax: Int, bytesMax: Int
    ) {
        self.lanes = lanes
        self.choice = choice
        self.known = known
        self.opensHandoffs = opensHandoffs
        self.countMax = countMax
        self.bytesMax = bytesMax
    }

    public static let sql = """
        SELECT event_id, exchange, routing_key, type, subject, addressee, reports, handoff_id, body, key_id, sealed
        FROM (
            SELECT *, sum(bytes) OVER (ORDER BY created_at, event_id) - bytes AS bytes_before
            FROM (
                SELECT waiting.*, stored.key_id, stored.sealed,
                    octet_length(coalesce(waiting.body, stored.sealed)) AS bytes
                FROM (
                    SELECT * FROM outbox
                    WHERE lane = ANY ($1) AND (routing_key = ANY ($2)) = $3 AND event_id <> ALL ($4)
                      AND (body_of IS NULL OR $7)
                    ORDER BY created_at, event_id LIMIT $5
                ) AS waiting
                -- Row by row: a join would read all bodies.
                LEFT JOIN LATERAL (
                    SELECT key_id, sealed FROM handoff_body WHERE handoff_id = waiting.body_of OFFSET 0
                ) AS stored ON true
            ) AS sized
        ) AS row
        WHERE bytes_before < $6 ORDER BY created_at, event_id
        """

    public var parameters: [Parameter] {
        let (keys, isOnly) =
            switch choice {
            case .only(let keys): (keys, true)
            case .allBut(let keys): (keys, false)
            }
        return [
            .texts(lanes), .texts(keys.sorted()), .bool(isOnly), .uuids(Array(known)), .int8(Int64(countMax)),
            .int8(Int64(bytesMax)), .bool(opensHandoffs),
        ]
    }

    /// - Returns: the row, and the box of its body if that is stored with the handoff.
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (row: OutboxRow, box: SealedBox?) {
        let (id, exchange, key, type) = (try row.uuid(), try row.text(), try row.text(), try row.text())
        let (subject, addressee, reports) = (try row.text(), try row.text(), try row.uuids().map { ReportID($0) })
        let (handoff, body): (HandoffID?, [UInt8]?) = (try row.idOrNil(), try row.byteaOrNil())
        let (keyID, sealed) = (try row.textOrNil(), try row.byteaOrNil())
        return (
            OutboxRow(
                eventID: id, exchange: exchange, routingKey: key, type: type, subject: subject, addressee: addressee,
                reports: reports, handoffID: handoff, body: body ?? [], isStored: body == nil),
            keyID.flatMap { keyID in sealed.map { SealedBox(keyID: keyID, sealed: $0) } }
        )
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
