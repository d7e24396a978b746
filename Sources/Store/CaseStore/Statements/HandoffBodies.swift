public import Basics
public import Foundation
public import PostgreSQL

/// The body of a handoff's message, stored once.
public struct HandoffBody: Sendable {
    public let handoffID: HandoffID
    public let eventID: UUID
    public let box: SealedBox

    public init(handoffID: HandoffID, eventID: UUID, box: SealedBox) {
        self.handoffID = handoffID
        self.eventID = eventID
        self.box = box
    }

    static let columns = Columns<HandoffBody>(
        of: "handoff_body",
        [
            .uuid("handoff_id", \.handoffID, .key), .uuid("event_id", \.eventID), .text("key_id", \.box.keyID),
            .bytea("sealed", \.box.sealed),
        ])
}

public struct InsertHandoffBodies: Command {
    public var bodies: [HandoffBody]
    public init(bodies: [HandoffBody]) { self.bodies = bodies }
    public static let sql = HandoffBody.columns.insert
    public var parameters: [Parameter] { HandoffBody.columns.inserting(bodies) }
}

/// Which of these handoffs have a stored body, under which event it is sent, and whether that still waits in the
/// outbox.
public struct ReadHandoffBodies: Statement {
    public struct Row: Sendable {
        public let handoffID: HandoffID
        public let eventID: UUID
        public let isWaiting: Bool
    }

    public var handoffs: [HandoffID]
    public init(handoffs: [HandoffID]) { self.handoffs = handoffs }

    public static let sql = """
        SELECT handoff_id, event_id, EXISTS (SELECT FROM outbox WHERE outbox.event_id = handoff_body.event_id)
        FROM handoff_body WHERE handoff_id = ANY ($1::uuid[])
        """
    public var parameters: [Parameter] { [.ids(handoffs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(handoffID: try row.id(), eventID: try row.uuid(), isWaiting: try row.bool())
    }
}
