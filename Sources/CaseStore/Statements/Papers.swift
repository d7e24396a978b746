public import Casework
public import PostgreSQL

/// A paper that was announced with a report: which one, and whether it is here whole.
public struct AnnouncedPaper: Hashable, Sendable {
    public let reportID: ReportID
    /// Lower-case hexadecimal.
    public let sha256: String
    public let bytes: Int
    public let isWhole: Bool

    public init(reportID: ReportID, sha256: String, bytes: Int, isWhole: Bool) {
        self.reportID = reportID
        self.sha256 = sha256
        self.bytes = bytes
        self.isWhole = isWhole
    }
}

public struct ReadAnnouncedPapers: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = """
        SELECT report_id, encode(sha256, 'hex'), max(bytes), bool_and(received_at IS NOT NULL) FROM attachment
        WHERE report_id = ANY ($1::uuid[]) GROUP BY report_id, sha256
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> AnnouncedPaper {
        AnnouncedPaper(reportID: try row.id(), sha256: try row.text(), bytes: try row.int(), isWhole: try row.bool())
    }
}

/// A piece of a paper: what it is of, its number from 1, and its bytes' digest.
public struct PaperPartKey: Hashable, Sendable, Comparable {
    public let reportID: ReportID
    public let sha256: String
    public let part: Int

    public init(reportID: ReportID, sha256: String, part: Int) {
        self.reportID = reportID
        self.sha256 = sha256
        self.part = part
    }

    public static func < (left: PaperPartKey, right: PaperPartKey) -> Bool {
        (left.reportID, left.sha256, left.part) < (right.reportID, right.sha256, right.part)
    }
}

public struct PaperPart: Sendable {
    public let key: PaperPartKey
    public let digest: [UInt8]
    public let box: VaultBox

    public init(key: PaperPartKey, digest: [UInt8], box: VaultBox) {
        self.key = key
        self.digest = digest
        self.box = box
    }
}

/// Which parts of these papers are here, by digest.
public struct ReadPaperPartDigests: Statement {
    public var papers: [(ReportID, sha256: String)]
    public init(papers: [(ReportID, sha256: String)]) { self.papers = papers }
    public static let sql = """
        SELECT p.report_id, encode(p.sha256, 'hex'), p.part, p.digest
        FROM unnest($1::uuid[], $2::text[]) AS asked (report_id, sha256)
        JOIN attachment_part p ON p.report_id = asked.report_id AND p.sha256 = decode(asked.sha256, 'hex')
        """
    public var parameters: [Parameter] { [.ids(papers.map(\.0)), .texts(papers.map(\.sha256))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (key: PaperPartKey, digest: [UInt8]) {
        (PaperPartKey(reportID: try row.id(), sha256: try row.text(), part: try row.int()), try row.bytea())
    }
}

/// A run of parts of one paper with their bytes, in order.
public struct ReadPaperParts: Statement {
    public var report: ReportID
    public var sha256: String
    public var parts: ClosedRange<Int>
    public init(report: ReportID, sha256: String, parts: ClosedRange<Int>) {
        self.report = report
        self.sha256 = sha256
        self.parts = parts
    }
    public static let sql = """
        SELECT part, digest, key_id, sealed FROM attachment_part
        WHERE report_id = $1 AND sha256 = decode($2, 'hex') AND part BETWEEN $3 AND $4 ORDER BY part
        """
    public var parameters: [Parameter] {
        [.uuid(report.uuid), .text(sha256), .int4(Int32(clamping: parts.lowerBound)), .int4(Int32(clamping: parts.upperBound))]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> PaperPart {
        PaperPart(
            key: PaperPartKey(reportID: report, sha256: sha256, part: try row.int()), digest: try row.bytea(),
            box: VaultBox(keyID: try row.text(), sealed: try row.bytea()))
    }
}

public struct InsertPaperParts: Command {
    public var parts: [PaperPart]
    public init(parts: [PaperPart]) { self.parts = parts }
    public static let sql = """
        INSERT INTO attachment_part (report_id, sha256, part, digest, key_id, sealed)
        SELECT report_id, decode(sha256, 'hex'), part, digest, key_id, sealed
        FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::text[], $6::bytea[])
            AS piece (report_id, sha256, part, digest, key_id, sealed)
        """
    public var parameters: [Parameter] {
        [
            .ids(parts.map(\.key.reportID)), .texts(parts.map(\.key.sha256)), .integers(parts.map(\.key.part)),
            .byteas(parts.map(\.digest)), .texts(parts.map(\.box.keyID)), .byteas(parts.map(\.box.sealed)),
        ]
    }
}

/// The parts do not make the paper that was announced: they are of no use.
public struct DeletePaperParts: Command {
    public var papers: [(ReportID, sha256: String)]
    public init(papers: [(ReportID, sha256: String)]) { self.papers = papers }
    public static let sql = """
        DELETE FROM attachment_part USING unnest($1::uuid[], $2::text[]) AS bad (report_id, sha256)
        WHERE attachment_part.report_id = bad.report_id AND attachment_part.sha256 = decode(bad.sha256, 'hex')
        """
    public var parameters: [Parameter] { [.ids(papers.map(\.0)), .texts(papers.map(\.sha256))] }
}

public struct MarkPapersReceived: Command {
    public var papers: [(ReportID, sha256: String)]
    public var at: Instant
    public init(papers: [(ReportID, sha256: String)], at: Instant) {
        self.papers = papers
        self.at = at
    }
    public static let sql = """
        UPDATE attachment SET received_at = $3 FROM unnest($1::uuid[], $2::text[]) AS whole (report_id, sha256)
        WHERE attachment.report_id = whole.report_id AND attachment.sha256 = decode(whole.sha256, 'hex')
        """
    public var parameters: [Parameter] { [.ids(papers.map(\.0)), .texts(papers.map(\.sha256)), .instant(at)] }
}
