public import Basics
import CaseStore
public import Casework
public import Foundation
public import PostgreSQL

// The queries of `trace`: one report with all that is kept about its way. Ids, states, codes and times; no text, no
// title, no name, and no id that somebody outside the office chose.

/// The report with a number or an id, or of the handoff with that id.
public struct FindTraced: Statement {
    public var number: Int64?
    public var id: UUID?
    public init(number: Int64? = nil, id: UUID? = nil) {
        self.number = number
        self.id = id
    }
    public static let sql = """
        SELECT id FROM report WHERE number = $1 UNION ALL SELECT id FROM report WHERE id = $2
        UNION ALL SELECT report_id FROM handoff WHERE id = $2
        """
    public var parameters: [Parameter] { [.int8(number), .uuid(id)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { try row.id() }
}

public struct TracedReport: Sendable {
    public let id: ReportID
    public let number: String
    public let source: SourceID
    public let state: ReportState
    /// Its first state, and the row of the policy that decided it.
    public let verdict: ReportState
    public let rule: String
    public let registeredAt: Instant
    public let repeatOf: ReportID?
    /// Attachments that were announced, and those of them that are whole; 0 of a sealed report.
    public let attachments: Int
    public let attachmentsWhole: Int
    public let head: LedgerHead
}

public struct ReadTracedReport: Statement {
    public var id: ReportID
    public init(id: ReportID) { self.id = id }
    public static let sql = """
        SELECT id, number, verdict, source, state, rule, registered_at, repeat_of, head, entry_count,
            (SELECT count(*) FROM attachment WHERE report_id = $1),
            (SELECT count(*) FROM attachment WHERE report_id = $1 AND received_at IS NOT NULL)
        FROM report WHERE id = $1
        """
    public var parameters: [Parameter] { [.uuid(id.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TracedReport {
        let (id, number): (ReportID, Int64) = (try row.id(), try row.int8())
        let verdict: ReportState = try row.word()
        let (source, state): (SourceID, ReportState) = (try row.name(), try row.word())
        let (rule, registeredAt, repeatOf): (String, Instant, ReportID?) = (
            try row.text(), try row.instant(), try row.idOrNil()
        )
        let head = LedgerHead(hash: try row.bytea(), count: try row.int())
        return TracedReport(
            id: id, number: Report.display(number, sealed: verdict == .passedUp), source: source, state: state,
            verdict: verdict, rule: rule, registeredAt: registeredAt, repeatOf: repeatOf, attachments: try row.int(),
            attachmentsWhole: try row.int(), head: head)
    }
}

/// The chain of one report, unit or office, from its start.
public struct ReadChain: Statement {
    public var chain: UUID
    public init(chain: UUID) { self.chain = chain }
    public static let sql = "SELECT sequence, bytes, hash FROM ledger_entry WHERE chain = $1 ORDER BY sequence"
    public var parameters: [Parameter] { [.uuid(chain)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> LedgerEntry {
        LedgerEntry(sequence: try row.int(), bytes: try row.bytea(), hash: try row.bytea())
    }
}

public struct TracedHandoff: Sendable {
    public let id: HandoffID
    /// 1 for the first.
    public let attempt: Int
    public let unit: UnitID
    public let kind: String
    public let state: HandoffState
    public let express: Bool
    public let rule: String
    public let runningClocks: Int
}

public struct ReadTracedHandoffs: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT id, attempt, unit, kind, state, express, rule, running_clocks FROM handoff WHERE report_id = $1
        ORDER BY attempt
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TracedHandoff {
        TracedHandoff(
            id: try row.id(), attempt: try row.int(), unit: try row.name(), kind: try row.text(),
            state: try row.word(), express: try row.bool(), rule: try row.text(), runningClocks: try row.int())
    }
}

/// The clocks of a report, each with how many steps of its ladder were taken.
public struct ReadTracedClocks: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT \(Clock.columns.names), (SELECT count(*) FROM clock_step WHERE clock_id = clock.id)
        FROM clock WHERE report_id = $1 ORDER BY started_at, due_at, id
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (clock: Clock, steps: Int) {
        (try Clock(&row), try row.int())
    }
}

/// A message about a report that waits to be sent.
public struct TracedOutboxRow: Sendable {
    public let type: String
    public let addressee: String
    /// The queue's name, where the addressee has one of its own.
    public let routingKey: String
    public let worker: String
    public let lane: String
    public let handoff: HandoffID?
    /// Wall time.
    public let since: Instant
}

public struct ReadTracedOutbox: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT type, addressee, routing_key, worker, lane, handoff_id, created_at FROM outbox
        WHERE reports @> ARRAY[$1::uuid] ORDER BY created_at, event_id
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TracedOutboxRow {
        TracedOutboxRow(
            type: try row.text(), addressee: try row.text(), routingKey: try row.text(), worker: try row.text(),
            lane: try row.text(), handoff: try row.idOrNil(), since: try row.instant())
    }
}

/// A dead letter about a report, in any state.
public struct TracedDeadLetter: Sendable {
    public let id: UUID
    public let reason: String
    /// As it was sent: it may be anything.
    public let type: String?
    public let sender: String?
    public let worker: String
    public let isOpen: Bool
    /// `open`, `replayed`, `discarded`.
    public let state: String
    /// Wall time.
    public let receivedAt: Instant
}

/// By the reports and the handoff that it names, and by its subject: the submission, or a handoff.
public struct ReadTracedDeadLetters: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT id, reason, type, sender, worker, state, received_at FROM dead_letter
        WHERE reports @> ARRAY[$1::uuid] OR handoff_id IN (SELECT id FROM handoff WHERE report_id = $1)
            OR subject IN (SELECT id::text FROM handoff WHERE report_id = $1)
            OR (sender, subject) = (SELECT 'source.' || source, source_id FROM report WHERE id = $1)
        ORDER BY received_at, id
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TracedDeadLetter {
        let (id, reason, type) = (try row.uuid(), try row.text(), try row.textOrNil())
        let (sender, worker, state) = (try row.textOrNil(), try row.text(), try row.text())
        return TracedDeadLetter(
            id: id, reason: reason, type: type, sender: sender, worker: worker, isOpen: state == "open", state: state,
            receivedAt: try row.instant())
    }
}

/// A notice to a person of the office.
public struct TracedNotice: Sendable {
    public let person: PersonID
    public let kind: String
    public let rule: String
    public let handoff: HandoffID?
    /// Business time.
    public let createdAt: Instant
    public let seenAt: Instant?
}

public struct ReadTracedNotices: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT person, kind, rule, handoff_id, created_at, seen_at FROM person_notice WHERE report_id = $1
        ORDER BY created_at, id
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TracedNotice {
        TracedNotice(
            person: try row.name(), kind: try row.text(), rule: try row.text(), handoff: try row.idOrNil(),
            createdAt: try row.instant(), seenAt: try row.instantOrNil())
    }
}
