public import Basics
import Casework
public import Foundation
public import PostgreSQL

/// The content of an act on a handoff: one note per act, for kinds of acts that a handoff's state accepts more than
/// once.
public struct HandoffNote: Sendable {
    public let handoffID: HandoffID
    public let sender: String
    public let eventID: String
    public let kind: String
    public let writtenAt: Instant
    public let body: String

    public init(handoffID: HandoffID, sender: String, eventID: String, kind: String, writtenAt: Instant, body: String) {
        self.handoffID = handoffID
        self.sender = sender
        self.eventID = eventID
        self.kind = kind
        self.writtenAt = writtenAt
        self.body = body
    }

    public var key: InboxKey { InboxKey(sender: sender, eventID: eventID) }
}

/// Those of these acts that already have a note: they were applied, even if their inbox rows were pruned since.
public struct ReadAppliedActs: Statement {
    public var handoffs: [HandoffID]
    /// In the order of `handoffs`.
    public var keys: [InboxKey]
    public init(handoffs: [HandoffID], keys: [InboxKey]) {
        self.handoffs = handoffs
        self.keys = keys
    }
    public var isNeedless: Bool { keys.isEmpty }

    public static let sql = """
        SELECT act.sender, act.event_id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS act (handoff_id, sender,
            event_id)
        CROSS JOIN LATERAL (
            SELECT FROM handoff_note AS note
            WHERE note.handoff_id = act.handoff_id AND note.sender = act.sender AND note.event_id = act.event_id OFFSET
                0
        ) AS found
        """
    public var parameters: [Parameter] { [.ids(handoffs), .texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> InboxKey {
        InboxKey(sender: try row.text(), eventID: try row.text())
    }
}

/// The number of notes of the reports' handoffs, and their bytes.
public struct CountHandoffNotes: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public var isNeedless: Bool { reports.isEmpty }
    public static let sql = """
        SELECT counted.* FROM unnest($1::uuid[]) AS wanted (report)
        CROSS JOIN LATERAL (SELECT id FROM handoff WHERE report_id = wanted.report OFFSET 0) AS h
        CROSS JOIN LATERAL (
            SELECT h.id, count(*), coalesce(sum(octet_length(body)), 0)::bigint FROM handoff_note WHERE handoff_id =
                h.id OFFSET 0
        ) AS counted
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (handoff: HandoffID, count: Int, bytes: Int) {
        (try row.id(), try row.int(), try row.int())
    }
}

public struct InsertHandoffNotes: Command {
    public var notes: [HandoffNote]
    public init(notes: [HandoffNote]) { self.notes = notes }
    static let columns = Columns<HandoffNote>(
        of: "handoff_note",
        [
            .uuid("handoff_id", \.handoffID), .text("sender", \.sender), .text("event_id", \.eventID),
            .text("kind", \.kind), .instant("written_at", \.writtenAt), .text("body", \.body),
        ])
    public static let sql = columns.insert
    public var parameters: [Parameter] { Self.columns.inserting(notes) }
}

/// A notice to a person of the office.
public struct PersonNotice: Sendable {
    public let id: UUID
    public let person: PersonID
    /// The report that it is about; without one, it is about a duty of a unit or the office.
    public let reportID: ReportID?
    public let handoffID: HandoffID?
    public let clockID: ClockID?
    public let kind: String
    public let rule: String
    public let createdAt: Instant

    public init(
        id: UUID, person: PersonID, reportID: ReportID?, handoffID: HandoffID?, clockID: ClockID? = nil, kind: String,
        rule: String, createdAt: Instant
    ) {
        self.id = id
        self.person = person
        self.reportID = reportID
        self.handoffID = handoffID
        self.clockID = clockID
        self.kind = kind
        self.rule = rule
        self.createdAt = createdAt
    }
}

public struct InsertPersonNotices: Command {
    public var notices: [PersonNotice]
    public init(notices: [PersonNotice]) { self.notices = notices }
    static let columns = Columns<PersonNotice>(
        of: "person_notice",
        [
            .uuid("id", \.id), .name("person", \.person), .uuid("report_id", \.reportID),
            .uuid("handoff_id", \.handoffID), .uuid("clock_id", \.clockID), .text("kind", \.kind),
            .text("rule", \.rule), .instant("created_at", \.createdAt),
        ])
    public static let sql = columns.insert
    public var parameters: [Parameter] { Self.columns.inserting(notices) }
}
