public import Basics
import Casework
public import PostgreSQL

/// A deferred message: it arrived before the state that it needs. It is encrypted while it waits.
public struct DeferredMessage: Sendable {
    public let key: InboxKey
    public let handoffID: HandoffID
    public let reportID: ReportID
    public let type: String
    /// The size of the encrypted bytes.
    public let bytes: Int
    /// The encrypted bytes, if loaded. Those of stored messages are read separately, within a budget.
    public var box: SealedBox?
    public let deferredAt: Instant
    /// Whether the state it waited for has come: then it is tried in its turn.
    public var isRipe: Bool

    public init(
        key: InboxKey, handoffID: HandoffID, reportID: ReportID, type: String, box: SealedBox, deferredAt: Instant,
        isRipe: Bool = false
    ) {
        self.key = key
        self.handoffID = handoffID
        self.reportID = reportID
        self.type = type
        self.box = box
        self.deferredAt = deferredAt
        self.isRipe = isRipe
        bytes = box.sealed.count
    }

    fileprivate init(head row: inout RowReader) throws(PostgreSQLError) {
        key = InboxKey(sender: try row.text(), eventID: try row.text())
        (handoffID, reportID, type, bytes) = (try row.id(), try row.id(), try row.text(), try row.int())
        (deferredAt, isRipe) = (try row.instant(), try row.bool())
    }
}

extension DeferredMessage {
    static let columns = Columns<DeferredMessage>(
        of: "held_message",
        [
            .text("sender", \.key.sender, .key), .text("event_id", \.key.eventID, .key),
            .uuid("handoff_id", \.handoffID), .uuid("report_id", \.reportID), .text("type", \.type),
            .text("key_id", \.box?.keyID), .bytea("sealed", \.box?.sealed), .instant("held_at", \.deferredAt),
            .bool("ripe", \.isRipe),
        ])
}

/// The deferred messages of these reports, oldest first, without their bytes.
public struct ReadDeferredMessages: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(
        of: "held_message", orderedBy: "id",
        "sender, event_id, handoff_id, report_id, type, octet_length(sealed), held_at, ripe")
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> DeferredMessage {
        try DeferredMessage(head: &row)
    }
}

/// The encrypted bytes of some deferred messages.
public struct ReadDeferredBoxes: Statement {
    public var keys: [InboxKey]
    public init(keys: [InboxKey]) { self.keys = keys }
    public static let sql = """
        SELECT found.* FROM unnest($1::text[], $2::text[]) AS wanted (sender, event_id)
        CROSS JOIN LATERAL (
            SELECT sender, event_id, key_id, sealed FROM held_message AS held
            WHERE held.sender = wanted.sender AND held.event_id = wanted.event_id OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (key: InboxKey, box: SealedBox) {
        (
            InboxKey(sender: try row.text(), eventID: try row.text()),
            SealedBox(keyID: try row.text(), sealed: try row.bytea())
        )
    }
}

/// The number and size of deferred messages of each sender.
public struct CountDeferredMessages: Statement {
    public var senders: [String]
    public init(senders: [String]) { self.senders = senders }
    public var isNeedless: Bool { senders.isEmpty }
    public static let sql = """
        SELECT found.* FROM unnest($1::text[]) AS wanted (sender)
        CROSS JOIN LATERAL (
            SELECT wanted.sender, count(*), coalesce(sum(octet_length(sealed)), 0)::bigint FROM held_message AS held
            WHERE held.sender = wanted.sender OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] { [.texts(senders)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (sender: String, count: Int, bytes: Int) {
        (try row.text(), try row.int(), try row.int())
    }
}

/// The units whose signature deferred messages wait for.
public struct ReadAwaitedUnits: Statement {
    public init() {}
    public static let sql =
        "SELECT DISTINCT handoff.unit FROM held_message AS held JOIN handoff ON handoff.id = held.handoff_id"
    public var parameters: [Parameter] { [] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> UnitID { try row.name() }
}

/// The report whose message has been ripe for longest.
public struct ReadRipeReport: Statement {
    /// Reports to skip for now.
    public var except: [ReportID]
    public init(except: [ReportID]) { self.except = except }
    public static let sql =
        "SELECT report_id FROM held_message WHERE ripe AND report_id <> ALL ($1::uuid[]) ORDER BY id LIMIT 1"
    public var parameters: [Parameter] { [.ids(except)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { try row.id() }
}

/// The report whose message has been deferred for longest, if since before the moment up to which the queue of the
/// handoff's unit was read: it is time to give it up.
public struct ReadOverdueReport: Statement {
    public var deferredBefore: [UnitID: Instant]
    /// Reports to skip for now.
    public var except: [ReportID]
    public init(deferredBefore: [UnitID: Instant], except: [ReportID]) {
        self.deferredBefore = deferredBefore
        self.except = except
    }
    public static let sql = """
        SELECT held.report_id FROM held_message AS held JOIN handoff ON handoff.id = held.handoff_id
        JOIN unnest($1::text[], $2::timestamptz[]) AS heard (unit, before) ON heard.unit = handoff.unit
        WHERE held.held_at < heard.before AND NOT held.ripe AND held.report_id <> ALL ($3::uuid[])
        ORDER BY held.held_at LIMIT 1
        """
    public var parameters: [Parameter] {
        let units = deferredBefore.keys.sorted { $0.rawValue < $1.rawValue }
        return [
            .texts(units.map(\.rawValue)), .instants(units.compactMap { deferredBefore[$0] }), .ids(except),
        ]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { try row.id() }
}

public struct InsertDeferredMessages: Command {
    /// The messages, with their bytes.
    public var messages: [DeferredMessage]
    public init(messages: [DeferredMessage]) { self.messages = messages }
    public static let sql = DeferredMessage.columns.insert
    public var parameters: [Parameter] { DeferredMessage.columns.inserting(messages) }
}

/// Stores whether the state that deferred messages waited for has come.
public struct MarkDeferredMessages: Command {
    public var keys: [InboxKey]
    public var ripe: [Bool]
    public init(_ marks: [InboxKey: Bool]) {
        keys = marks.keys.sorted()
        ripe = keys.map { marks[$0] ?? false }
    }
    public static let sql = """
        UPDATE held_message SET ripe = mark.ripe FROM unnest($1::text[], $2::text[], $3::bool[]) AS mark (sender,
            event_id, ripe)
        WHERE held_message.sender = mark.sender AND held_message.event_id = mark.event_id
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID)), .bools(ripe)] }
}

public struct DeleteDeferredMessages: Command {
    public var keys: [InboxKey]
    public init(keys: [InboxKey]) { self.keys = keys }
    public static let sql = """
        DELETE FROM held_message USING unnest($1::text[], $2::text[]) AS done (sender, event_id)
        WHERE held_message.sender = done.sender AND held_message.event_id = done.event_id
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }
}
