public import Basics
import CaseStore
public import Casework
public import Foundation
public import PostgreSQL

// Queries for the check of the invariants after a run, beside those of the witness: read-only, page by page.

/// The registration of a report: the data that must exist beside its row.
public struct WitnessedRegistration: Sendable {
    public let reportID: ReportID
    public let source: String
    public let submissionID: String
    public let state: ReportState
    public let rule: String
    public let registeredAt: Instant
    public let hasVault: Bool
    /// Whether the inbox has the submission with the verdict `taken` and the same digest.
    public let hasClaim: Bool
    /// Units that the report may not reach.
    public let barred: [UnitID]
}

/// Reports in the order of their ids, with their vault, inbox row and barrier.
public struct ReadRegistrationPage: Statement {
    public var after: WitnessedRegistration?
    public init(after: WitnessedRegistration?) { self.after = after }

    public static let sql = """
        SELECT r.id, r.source, r.source_id, r.state, r.rule, r.registered_at,
               EXISTS (SELECT FROM vault v WHERE v.report_id = r.id),
               EXISTS (SELECT FROM inbox i
                       WHERE i.sender = 'source.' || r.source AND i.event_id = r.source_id AND i.digest = r.digest
                         AND i.verdict = 'taken'),
               ARRAY(SELECT DISTINCT coalesce(c.descendant, b.unit) FROM barred_root b LEFT JOIN unit_closure c ON
                   c.ancestor = b.unit
                     WHERE b.report_id = r.id)
        FROM report r WHERE $1::uuid IS NULL OR r.id > $1 ORDER BY r.id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.reportID.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedRegistration {
        WitnessedRegistration(
            reportID: try row.id(), source: try row.text(), submissionID: try row.text(), state: try row.word(),
            rule: try row.text(), registeredAt: try row.instant(), hasVault: try row.bool(), hasClaim: try row.bool(),
            barred: try row.texts().map { UnitID(unchecked: $0) })
    }
}

/// A handoff with what explains it: who signed, which rule, which clocks.
public struct HandoffAudit: Sendable {
    public let id: HandoffID
    public let reportID: ReportID
    public let unit: UnitID
    public let kind: String
    public let state: HandoffState
    public let rule: String
    public let signedAt: Instant?
    public let signedBy: String?
    /// The count stored in the row.
    public let runningClocks: Int
    public let noClockReason: String?
}

/// Handoffs in the order of their ids.
public struct ReadHandoffAuditPage: Statement {
    public var after: HandoffAudit?
    public init(after: HandoffAudit?) { self.after = after }

    public static let sql = """
        SELECT id, report_id, unit, kind, state, rule, signed_at, signed_by, running_clocks, no_clock_reason
        FROM handoff WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.id.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> HandoffAudit {
        HandoffAudit(
            id: try row.id(), reportID: try row.id(), unit: try row.name(), kind: try row.text(), state: try row.word(),
            rule: try row.text(), signedAt: try row.instantOrNil(), signedBy: try row.textOrNil(),
            runningClocks: try row.int(), noClockReason: try row.textOrNil())
    }
}

/// A clock, and when the steps of its ladder were taken.
public struct WitnessedClock: Sendable {
    public let clock: Clock
    /// In the order of their numbers.
    public let stepsTakenAt: [Instant]
}

/// Clocks in the order of their ids.
public struct ReadClockPage: Statement {
    public var after: WitnessedClock?
    public init(after: WitnessedClock?) { self.after = after }

    public static let sql = """
        SELECT \(Clock.columns.names),
            ARRAY(SELECT s.taken_at FROM clock_step s WHERE s.clock_id = c.id ORDER BY s.step)
        FROM clock c WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.clock.id.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedClock {
        WitnessedClock(clock: try Clock(&row), stepsTakenAt: try row.timestamptzs().map { Instant($0) })
    }
}

/// A row of the inbox with its stored answer.
public struct WitnessedAnswer: Sendable {
    public let sender: String
    public let eventID: String
    public let verdict: String
    public let reply: String?
    public let reportID: ReportID?
    /// Wall-clock time, because it belongs to the transport.
    public let receivedAt: Instant
}

/// The inbox in the order of its key.
public struct ReadAnswerPage: Statement {
    public var after: WitnessedAnswer?
    public init(after: WitnessedAnswer?) { self.after = after }

    public static let sql = """
        SELECT sender, event_id, verdict, convert_from(reply, 'UTF8'), report_id, received_at FROM inbox
        WHERE $1::text IS NULL OR (sender, event_id) > ($1, $2::text)
        ORDER BY sender, event_id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.text(after?.sender), .text(after?.eventID)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedAnswer {
        WitnessedAnswer(
            sender: try row.text(), eventID: try row.text(), verdict: try row.text(), reply: try row.textOrNil(),
            reportID: try row.idOrNil(), receivedAt: try row.instant())
    }
}

/// A notice to a person of the staff about a report, or about a duty.
public struct WitnessedNotice: Sendable {
    public let person: PersonID
    public let reportID: ReportID?
    public let rule: String
    public let createdAt: Instant
}

public struct ReadPersonNotices: Statement {
    public init() {}
    public static let sql = "SELECT person, report_id, rule, created_at FROM person_notice ORDER BY id"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedNotice {
        WitnessedNotice(
            person: try row.name(), reportID: try row.idOrNil(), rule: try row.text(), createdAt: try row.instant())
    }
}

/// Outbox rows with their addressees and reports: messages not yet published.
public struct ReadOutboxAddresses: Statement {
    public init() {}
    public static let sql = "SELECT event_id, type, addressee, reports, created_at FROM outbox ORDER BY event_id"
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (
        eventID: UUID, type: String, addressee: String, reports: [ReportID], createdAt: Instant
    ) {
        (try row.uuid(), try row.text(), try row.text(), try row.uuids().map { ReportID($0) }, try row.instant())
    }
}

/// Everything stored in clear about one report, as one text.
public struct ClearText: Sendable {
    public let reportID: ReportID
    public let source: String
    public let submissionID: String
    public let text: String
}

/// The clear text of each report: texts, acts, attachments, the units' notes and the ledger, in the order of the ids.
public struct ReadClearTextPage: Statement {
    public static let rowsMax = 2_000
    public var after: ReportID?
    public init(after: ReportID?) { self.after = after }

    public static let sql = """
        SELECT r.id, r.source, r.source_id, concat_ws(E'\\n',
            (SELECT t.title || E'\\n' || t.body FROM report_text t WHERE t.report_id = r.id),
            (SELECT string_agg(concat_ws(' ', a.organ, a.position), E'\\n') FROM accused a WHERE a.report_id = r.id),
            (SELECT string_agg(a.act, E'\\n') FROM allegation a WHERE a.report_id = r.id),
            (SELECT string_agg(a.name, E'\\n') FROM attachment a WHERE a.report_id = r.id),
            (SELECT string_agg(n.body, E'\\n') FROM handoff_note n JOIN handoff h ON h.id = n.handoff_id WHERE
                h.report_id = r.id),
            (SELECT string_agg(convert_from(e.bytes, 'SQL_ASCII'), E'\\n') FROM ledger_entry e WHERE e.chain = r.id),
            r.reason, r.authority)
        FROM report r WHERE $1::uuid IS NULL OR r.id > $1 ORDER BY r.id LIMIT \(rowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ClearText {
        ClearText(reportID: try row.id(), source: try row.text(), submissionID: try row.text(), text: try row.text())
    }
}

/// The policies that were in force, by name and version.
public struct ReadPolicyVersions: Statement {
    public init() {}
    public static let sql = "SELECT name, version, yaml FROM policy_version ORDER BY name, version"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (name: String, version: Int, yaml: String) {
        (try row.text(), try row.int(), try row.text())
    }
}

/// The durability settings of the server that an acknowledgement depends on, by name and value.
public struct ReadDurability: Statement {
    public init() {}
    public static let sql = """
        SELECT s.name, current_setting(s.name)
        FROM unnest(ARRAY['fsync', 'synchronous_commit', 'full_page_writes']) AS s (name)
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (name: String, value: String) {
        (try row.text(), try row.text())
    }
}

/// The clear text of dead letters, including settled ones.
public struct ReadDeadLetterTexts: Statement {
    public init() {}
    public static let sql = """
        SELECT coalesce(sender, ''), coalesce(event_id, ''), reports, concat_ws(' ', reason, detail, settled_because)
        FROM dead_letter ORDER BY id
        """
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (sender: String, eventID: String, reports: [ReportID], text: String) {
        (try row.text(), try row.text(), try row.uuids().map { ReportID($0) }, try row.text())
    }
}

/// Whether one process of a worker has work in progress: a session of one of its lanes has written in a transaction
/// that is still open, or the outbox has rows of one of its lanes.
public struct ReadWorkInHand: Statement {
    /// The common prefix of its lanes' names: `intake-3fa9c1d2.4711-`.
    public var lanePrefix: String
    public init(lanePrefix: String) { self.lanePrefix = lanePrefix }

    public static let sql = """
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE starts_with(application_name, 'bihuan ' || $1) AND backend_xid
            IS NOT NULL)
            OR EXISTS (SELECT FROM outbox WHERE starts_with(lane, $1))
        """
    public var parameters: [Parameter] { [.text(lanePrefix)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}
