public import Basics
public import Casework
public import PostgreSQL

/// Reads rows of reports, one report after the other, each by the index.
///
/// Asked in one condition (`= ANY`), the planner would read the whole index and throw away most, while statistics are
/// missing or old: `OFFSET 0` keeps it from turning the question round.
func rowsByReport(of table: String, orderedBy order: String? = nil, _ columns: String) -> String {
    """
    SELECT found.* FROM unnest($1::uuid[]) AS wanted (report)
    CROSS JOIN LATERAL (
        SELECT \(columns) FROM \(table) WHERE report_id = wanted.report\(order.map { " ORDER BY \($0)" } ?? "") OFFSET 0
    ) AS found
    """
}

/// Locks the reports and reads their rows, in the order of their ids. The report row is the only lock of a case.
public struct LockReports: Statement {
    public var reports: [ReportID]
    public var handoffs: [HandoffID]
    public init(reports: [ReportID], handoffs: [HandoffID] = []) {
        self.reports = reports
        self.handoffs = handoffs
    }

    public static let sql = """
        SELECT \(reportColumns) FROM report
        WHERE id IN (
            SELECT unnest($1::uuid[])
            UNION
            SELECT report_id FROM unnest($2::uuid[]) AS wanted (id)
            CROSS JOIN LATERAL (SELECT report_id FROM handoff WHERE handoff.id = wanted.id OFFSET 0) AS found
        )
        ORDER BY id
        -- Nobody changes a report's id, so rows that refer to it may be written by others meanwhile: a plain FOR \
        UPDATE would
        -- make them wait, in an order of their own, and so in circles.
        FOR NO KEY UPDATE
        """
    public var parameters: [Parameter] { [.ids(reports), .ids(handoffs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// Like `LockReports`, but leaves out what another transaction holds: a due clock comes again with the next sweep.
public struct LockFreeReports: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = """
        SELECT \(reportColumns) FROM report WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// Rows of reports without a lock: only to answer about them.
public struct ReadReports: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = "SELECT \(reportColumns) FROM report WHERE id = ANY ($1::uuid[])"
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

package let reportColumns = """
    id, number, source, source_id, digest, state, source_kind, matter_kind, region, real_name, received_at,
        registered_at, \
    verdict, rule, reason, authority, repeat_of, receipt_only, custodian, handoff_count, papers, head, entry_count,
        head_at
    """

extension Report {
    package init(_ row: inout RowReader) throws(PostgreSQLError) {
        self.init(
            id: try row.id(), number: try row.int8(), source: try row.name(), submissionID: try row.text(),
            digest: try row.bytea(), state: try row.word(), sourceKind: try row.text(), matterKind: try row.textOrNil(),
            region: try row.textOrNil(), realName: try row.bool(), receivedAt: try row.instant(),
            registeredAt: try row.instant(), verdict: try row.word(), rule: try row.text(), reason: try row.textOrNil(),
            authority: try row.textOrNil(), repeatOf: try row.idOrNil(), receiptOnly: try row.bool(),
            custodian: try row.nameOrNil(), handoffCount: try row.int(), papers: try row.int(),
            head: try LedgerHead(&row))
    }
}

extension LedgerHead {
    package init(_ row: inout RowReader) throws(PostgreSQLError) {
        let hash = try row.bytea()
        self.init(hash: hash, count: try row.int(), at: try row.instantOrNil())
    }
}

/// All handoffs of the reports, oldest first.
public struct ReadHandoffs: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = rowsByReport(
        of: "handoff", orderedBy: "attempt",
        """
        id, report_id, attempt, unit, kind, state, express, rule, digest, released_at, dispatched_at, signed_at,
        signed_by, disposition, case_number, case_filed_on - DATE '1970-01-01', case_notified_at, outcome, concluded_at,
        times_sent_back, ended_at, ended_because, running_clocks, no_clock_reason
        """)
    public var parameters: [Parameter] { [.ids(reports)] }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Handoff {
        Handoff(
            id: try row.id(), reportID: try row.id(), attempt: try row.int(), unit: try row.name(),
            kind: try row.text(), state: try row.word(), express: try row.bool(), rule: try row.text(),
            digest: try row.bytea(), releasedAt: try row.instantOrNil(), dispatchedAt: try row.instantOrNil(),
            signedAt: try row.instantOrNil(), signedBy: try row.textOrNil(), disposition: try row.textOrNil(),
            caseNumber: try row.textOrNil(), caseFiledOn: try row.intOrNil().map { CivilDate(daysSinceEpoch: $0) },
            caseNotifiedAt: try row.instantOrNil(), outcome: try row.textOrNil(), concludedAt: try row.instantOrNil(),
            timesSentBack: try row.int(), endedAt: try row.instantOrNil(), endedBecause: try row.textOrNil(),
            runningClocks: try row.int(), noClockReason: try row.textOrNil())
    }
}

/// All clocks of the reports' handoffs.
public struct ReadClocks: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = """
        SELECT found.* FROM unnest($1::uuid[]) AS wanted (report)
        CROSS JOIN LATERAL (SELECT id FROM handoff WHERE report_id = wanted.report OFFSET 0) AS h
        CROSS JOIN LATERAL (
            SELECT handoff_id, kind, round, report_id, owed_by, started_at, due_at, rule, citation, ladder, next_step,
                stopped_at,
                stopped_by, next_at
            FROM clock WHERE handoff_id = h.id OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] { [.ids(reports)] }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Clock {
        let (key, report): (Clock.Key, ReportID) = (
            .init(handoffID: try row.id(), kind: try row.text(), round: try row.int()), try row.id()
        )
        let (owedBy, startedAt, dueAt): (UnitID, Instant, Instant) = (
            try row.name(), try row.instant(), try row.instant()
        )
        let (rule, citation, steps) = (try row.text(), try row.textOrNil(), Ladder.read(try row.text()) ?? [])
        let (nextStep, stoppedAt, stoppedBy) = (try row.int(), try row.instantOrNil(), try row.textOrNil())
        let nextAt = try row.instantOrNil()
        func clock(isAtOdds: Bool) -> Clock {
            Clock(
                key: key, reportID: report, owedBy: owedBy, startedAt: startedAt, dueAt: dueAt, rule: rule,
                citation: citation, steps: steps, nextStep: nextStep, stoppedAt: stoppedAt, stoppedBy: stoppedBy,
                isAtOdds: isAtOdds)
        }
        return clock(isAtOdds: clock(isAtOdds: false).nextAt != nextAt)
    }
}

/// A clock's steps as one text: `remind@2026-03-03T00:00:00Z overdue@2026-03-04T00:00:00Z`.
enum Ladder {
    static func write(_ steps: [Clock.Step]) -> String {
        steps.map { "\($0.action.rawValue)@\($0.at)" }.joined(separator: " ")
    }

    /// `nil` where one of them cannot be read: without it the others would stand in its place.
    static func read(_ text: String) -> [Clock.Step]? {
        let steps = text.split(separator: " ").map { step -> Clock.Step? in
            let parts = step.split(separator: "@", maxSplits: 1)
            guard parts.count == 2, let action = ClockPlan.Step.Action(rawValue: String(parts[0])),
                let at = Instant(String(parts[1]))
            else { return nil }
            return Clock.Step(at: at, action: action)
        }
        return steps.contains(nil) ? nil : steps.compactMap(\.self)
    }
}

/// Units that the reports may not reach: the roots that were entered, and what stands below them now.
public struct ReadBarredUnits: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = """
        SELECT found.* FROM unnest($1::uuid[]) AS wanted (report)
        CROSS JOIN LATERAL (
            SELECT b.report_id, coalesce(c.descendant, b.unit) FROM barred_root b LEFT JOIN unit_closure c ON c.ancestor
                = b.unit
            WHERE b.report_id = wanted.report OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ReportID, UnitID) {
        (try row.id(), try row.name())
    }
}

/// What a unit gets to read of a report: masked.
public struct ReportContent: Sendable {
    public let reportID: ReportID
    public let title: String
    public let body: String
}

public struct ReadReportTexts: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(of: "report_text", "report_id, title, body")
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportContent {
        ReportContent(reportID: try row.id(), title: try row.text(), body: try row.text())
    }
}

public struct ReadAccused: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(
        of: "accused", orderedBy: "ordinal", "report_id, name, organ, position, level, region, unit")
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ReportID, Accused) {
        (
            try row.id(),
            Accused(
                name: try row.text(), organ: try row.textOrNil(), position: try row.textOrNil(),
                level: try row.textOrNil(), region: try row.textOrNil(), unit: try row.nameOrNil())
        )
    }
}

public struct ReadAllegations: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(of: "allegation", orderedBy: "ordinal", "report_id, category, act")
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ReportID, Allegation) {
        (try row.id(), Allegation(category: try row.textOrNil(), act: try row.text()))
    }
}

public struct ReadAttachments: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(
        of: "attachment", orderedBy: "ordinal", "report_id, name, media_type, bytes, sha256")
    public var parameters: [Parameter] { [.ids(reports)] }

    public struct Row: Sendable {
        public let reportID: ReportID
        let name: String
        let mediaType: String?
        let bytes: Int
        let sealedSHA256: [UInt8]

        public func attachment(_ key: DigestKey) throws -> Attachment {
            let sha256 = try key.open(announced: sealedSHA256, of: reportID)
            return Attachment(name: name, mediaType: mediaType, bytes: bytes, sha256: sha256.hexadecimal)
        }
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            reportID: try row.id(), name: try row.text(), mediaType: try row.textOrNil(), bytes: try row.int(),
            sealedSHA256: try row.bytea())
    }
}

/// Next registration numbers.
public struct TakeReportNumbers: Statement {
    public var count: Int
    public init(count: Int) { self.count = count }
    public static let sql = "SELECT nextval('report_number') FROM generate_series(1, $1::bigint)"
    public var parameters: [Parameter] { [.int8(Int64(count))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int64 { try row.int8() }
}

/// Enters who said what first; of equal keys the first in order stays.
public struct EnterRepeatKeys: Command {
    public var keys: [[UInt8]]
    public var reports: [ReportID]
    public init(keys: [[UInt8]], reports: [ReportID]) {
        self.keys = keys
        self.reports = reports
    }

    public static let sql = """
        INSERT INTO repeat_key (key, report_id)
        SELECT key, report_id FROM unnest($1::bytea[], $2::uuid[]) WITH ORDINALITY AS said (key, report_id, place)
        ORDER BY key, place
        ON CONFLICT DO NOTHING
        """
    public var parameters: [Parameter] { [.byteas(keys), .ids(reports)] }
}

/// Which report said it first.
public struct ReadRepeatKeys: Statement {
    public var keys: [[UInt8]]
    public init(keys: [[UInt8]]) { self.keys = keys }
    public static let sql = """
        SELECT found.* FROM unnest($1::bytea[]) AS wanted (key)
        CROSS JOIN LATERAL (SELECT key, report_id FROM repeat_key WHERE repeat_key.key = wanted.key OFFSET 0) AS found
        """
    public var parameters: [Parameter] { [.byteas(keys)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (key: [UInt8], report: ReportID) {
        (try row.bytea(), try row.id())
    }
}

/// A report by its number as people write it, or by its id.
public struct FindReport: Statement {
    public var numberOrID: String
    public init(numberOrID: String) { self.numberOrID = numberOrID }
    public static let sql = """
        SELECT id FROM report WHERE id::text = $1
            OR CASE WHEN $1 ~ '^S?[0-9]{4}-[0-9]{8}$' THEN number = translate($1, 'S-', '')::bigint ELSE false END
        """
    public var parameters: [Parameter] { [.text(numberOrID)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { try row.id() }
}

/// Reports that were submitted under these ids, whatever became of them.
public struct ReadSubmissions: Statement {
    public var sources: [String]
    public var submissionIDs: [String]
    public init(sources: [String], submissionIDs: [String]) {
        self.sources = sources
        self.submissionIDs = submissionIDs
    }

    public static let sql = """
        SELECT found.* FROM unnest($1::text[], $2::text[]) AS asked (source, source_id)
        CROSS JOIN LATERAL (
            SELECT \(reportColumns) FROM report WHERE report.source = asked.source AND report.source_id =
                asked.source_id OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] { [.texts(sources), .texts(submissionIDs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}
