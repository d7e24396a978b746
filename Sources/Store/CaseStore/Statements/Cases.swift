public import Basics
public import Casework
public import PostgreSQL

/// SQL that reads the rows of several reports, one report after the other, each by index.
///
/// With one condition (`= ANY`) and missing or old statistics, the planner would scan the whole index and discard
/// most rows. `OFFSET 0` keeps it from flattening the subquery.
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
        -- A report's id never changes, so other transactions may meanwhile write rows that refer to it. A plain
        -- FOR UPDATE would make them wait, in varying lock orders, and so cause deadlocks.
        FOR NO KEY UPDATE
        """
    public var parameters: [Parameter] { [.ids(reports), .ids(handoffs)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// Locks the newest report that no other transaction has locked.
public struct LockAnyFreeReport: Statement {
    public init() {}
    public static let sql = """
        SELECT \(reportColumns) FROM report ORDER BY number DESC LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// Like `LockReports`, but skips reports that another transaction has locked: the next sweep finds a due clock again.
public struct LockFreeReports: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = """
        SELECT \(reportColumns) FROM report WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// Rows of reports without a lock: only for answers about them.
public struct ReadReports: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = "SELECT \(reportColumns) FROM report WHERE id = ANY ($1::uuid[])"
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

package let reportColumns = Report.columns.names

/// All handoffs of the reports, oldest first.
public struct ReadHandoffs: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = rowsByReport(of: "handoff", orderedBy: "attempt", Handoff.columns.names)
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Handoff { try Handoff(&row) }
}

/// All clocks of the reports.
public struct ReadClocks: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }

    public static let sql = rowsByReport(of: "clock", Clock.columns.names)
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Clock { try Clock(&row) }
}

/// Units that the reports may not reach: the stored roots and the units now below them.
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

/// The text of a report that a unit may read: masked.
public struct ReportContent: Sendable {
    public let reportID: ReportID
    public let title: String
    public let body: String
}

public struct ReadReportTexts: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(of: "report_text", reportTextColumns.names)
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportContent {
        ReportContent(reportID: try row.id(), title: try row.text(), body: try row.text())
    }
}

public struct ReadAccused: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(of: "accused", orderedBy: "ordinal", accusedColumns.names)
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ReportID, Accused) {
        let (report, _) = (try row.id(ReportID.self), try row.int())
        return (
            report,
            Accused(
                name: try row.text(), organ: try row.textOrNil(), position: try row.textOrNil(),
                level: try row.textOrNil(), region: try row.textOrNil(), unit: try row.nameOrNil())
        )
    }
}

public struct ReadAllegations: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = rowsByReport(of: "allegation", orderedBy: "ordinal", allegationColumns.names)
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ReportID, Allegation) {
        let (report, _) = (try row.id(ReportID.self), try row.int())
        return (report, Allegation(category: try row.textOrNil(), act: try row.text()))
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

/// The next registration numbers.
public struct TakeReportNumbers: Statement {
    public var count: Int
    public init(count: Int) { self.count = count }
    public static let sql = "SELECT nextval('report_number') FROM generate_series(1, $1::bigint)"
    public var parameters: [Parameter] { [.int8(Int64(count))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int64 { try row.int8() }
}

/// Stores which report had a content first; of equal keys the first in order is kept.
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

/// The report that had the content first.
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

/// A report by its written number or by its id.
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

/// Reports that were submitted under these ids, in any state.
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
