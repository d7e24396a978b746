public import Basics
public import Casework
public import PostgreSQL

/// The stored form of an announced attachment: a keyed digest to find it, and its SHA-256, sealed.
public struct AttachmentKey: Hashable, Sendable {
    public let id: [UInt8]
    public let sealedSHA256: [UInt8]

    public init(_ attachment: Attachment, of report: ReportID, _ key: DigestKey) throws {
        let sha256 = [UInt8](hexadecimal: attachment.sha256) ?? []
        id = key.attachment(sha256, of: report)
        sealedSHA256 = try key.seal(announced: sha256, of: report)
    }
}

/// An attachment that was announced with a report, and whether it was received completely.
public struct AnnouncedAttachment: Hashable, Sendable {
    public let reportID: ReportID
    /// The id of the attachment: see `AttachmentKey`.
    public let attachment: [UInt8]
    public let bytes: Int
    public let isWhole: Bool

    public init(reportID: ReportID, attachment: [UInt8], bytes: Int, isWhole: Bool) {
        self.reportID = reportID
        self.attachment = attachment
        self.bytes = bytes
        self.isWhole = isWhole
    }
}

public struct ReadAnnouncedAttachments: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = """
        SELECT report_id, paper, max(bytes), bool_and(received_at IS NOT NULL) FROM attachment
        WHERE report_id = ANY ($1::uuid[]) GROUP BY report_id, paper
        """
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> AnnouncedAttachment {
        AnnouncedAttachment(
            reportID: try row.id(), attachment: try row.bytea(), bytes: try row.int(), isWhole: try row.bool())
    }
}

/// The key of one part of an attachment: the report, the attachment and the part's number, from 1.
public struct AttachmentPartKey: Hashable, Sendable, Comparable {
    public let reportID: ReportID
    public let attachment: [UInt8]
    public let part: Int

    public init(reportID: ReportID, attachment: [UInt8], part: Int) {
        self.reportID = reportID
        self.attachment = attachment
        self.part = part
    }

    public static func < (left: AttachmentPartKey, right: AttachmentPartKey) -> Bool {
        (left.reportID, left.attachment.hexadecimal, left.part) < (
            right.reportID, right.attachment.hexadecimal, right.part
        )
    }
}

public struct StoredAttachmentPart: Sendable {
    public let key: AttachmentPartKey
    public let digest: [UInt8]
    public let box: SealedBox

    public init(key: AttachmentPartKey, digest: [UInt8], box: SealedBox) {
        self.key = key
        self.digest = digest
        self.box = box
    }
}

/// The stored parts of these attachments: digests and sizes in bytes.
public struct ReadAttachmentPartDigests: Statement {
    public var attachments: [(ReportID, attachment: [UInt8])]
    public init(attachments: [(ReportID, attachment: [UInt8])]) { self.attachments = attachments }
    public static let sql = """
        SELECT p.report_id, p.paper, p.part, p.digest, octet_length(p.sealed) - \(SealedBox.overheadBytes)
        FROM unnest($1::uuid[], $2::bytea[]) AS asked (report_id, paper)
        JOIN attachment_part p ON p.report_id = asked.report_id AND p.paper = asked.paper
        """
    public var parameters: [Parameter] { [.ids(attachments.map(\.0)), .byteas(attachments.map(\.attachment))] }
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (key: AttachmentPartKey, digest: [UInt8], bytes: Int) {
        (
            AttachmentPartKey(reportID: try row.id(), attachment: try row.bytea(), part: try row.int()),
            try row.bytea(),
            try row.int()
        )
    }
}

/// Consecutive parts of one attachment with their bytes, in order.
public struct ReadAttachmentParts: Statement {
    public var report: ReportID
    public var attachment: [UInt8]
    public var parts: ClosedRange<Int>
    public init(report: ReportID, attachment: [UInt8], parts: ClosedRange<Int>) {
        self.report = report
        self.attachment = attachment
        self.parts = parts
    }
    public static let sql = """
        SELECT part, digest, key_id, sealed FROM attachment_part
        WHERE report_id = $1 AND paper = $2 AND part BETWEEN $3 AND $4 ORDER BY part
        """
    public var parameters: [Parameter] {
        [
            .uuid(report.uuid), .bytea(attachment), .int4(Int32(clamping: parts.lowerBound)),
            .int4(Int32(clamping: parts.upperBound)),
        ]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> StoredAttachmentPart {
        StoredAttachmentPart(
            key: AttachmentPartKey(reportID: report, attachment: attachment, part: try row.int()),
            digest: try row.bytea(),
            box: SealedBox(keyID: try row.text(), sealed: try row.bytea()))
    }
}

public struct InsertAttachmentParts: Command {
    public var parts: [StoredAttachmentPart]
    public init(parts: [StoredAttachmentPart]) { self.parts = parts }
    static let columns = Columns<StoredAttachmentPart>(
        of: "attachment_part",
        [
            .uuid("report_id", \.key.reportID), .bytea("paper", \.key.attachment), .int4("part", \.key.part),
            .bytea("digest", \.digest), .text("key_id", \.box.keyID), .bytea("sealed", \.box.sealed),
        ])
    public static let sql = columns.insert
    public var parameters: [Parameter] { Self.columns.inserting(parts) }
}

/// Records when the first part of an incomplete attachment was received.
public struct MarkAttachmentsBegun: Command {
    public var attachments: [(ReportID, attachment: [UInt8])]
    public var at: Instant
    public init(attachments: [(ReportID, attachment: [UInt8])], at: Instant) {
        self.attachments = attachments
        self.at = at
    }
    public static let sql = """
        UPDATE attachment SET first_part_at = $3 FROM unnest($1::uuid[], $2::bytea[]) AS begun (report_id, paper)
        WHERE attachment.report_id = begun.report_id AND attachment.paper = begun.paper
          AND attachment.first_part_at IS NULL AND attachment.received_at IS NULL
        """
    public var parameters: [Parameter] {
        [.ids(attachments.map(\.0)), .byteas(attachments.map(\.attachment)), .instant(at)]
    }
}

/// The oldest incomplete attachment whose first part came before this time, of any report or of one.
public struct ReadUnfinishedAttachments: Statement {
    public var before: Instant
    public var report: ReportID?
    /// Reports to skip for now.
    public var except: [ReportID]
    public init(before: Instant, of report: ReportID? = nil, except: [ReportID] = []) {
        self.before = before
        self.report = report
        self.except = except
    }
    public static let sql = """
        SELECT report_id, paper FROM attachment
        WHERE first_part_at < $1 AND ($2::uuid IS NULL OR report_id = $2) AND report_id <> ALL ($3::uuid[])
        ORDER BY first_part_at LIMIT 1
        """
    public var parameters: [Parameter] { [.instant(before), .uuid(report?.uuid), .ids(except)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (report: ReportID, attachment: [UInt8]) {
        (try row.id(), try row.bytea())
    }
}

/// Deletes all parts of attachments: they do not form the announced attachment, or it was never closed.
public struct DeleteAttachmentParts: Command {
    public var attachments: [(ReportID, attachment: [UInt8])]
    public init(attachments: [(ReportID, attachment: [UInt8])]) { self.attachments = attachments }
    public static let sql = """
        WITH bad AS (SELECT * FROM unnest($1::uuid[], $2::bytea[]) AS bad (report_id, paper)),
        unbegun AS (
            UPDATE attachment SET first_part_at = NULL FROM bad WHERE attachment.report_id = bad.report_id AND
                attachment.paper = bad.paper
        )
        DELETE FROM attachment_part USING bad WHERE attachment_part.report_id = bad.report_id AND attachment_part.paper
            = bad.paper
        """
    public var parameters: [Parameter] { [.ids(attachments.map(\.0)), .byteas(attachments.map(\.attachment))] }
}

/// Deletes parts beyond the count in the closing manifest: they belong to no attachment.
public struct DeleteStrayParts: Command {
    public var attachments: [(ReportID, attachment: [UInt8], count: Int)]
    public init(attachments: [(ReportID, attachment: [UInt8], count: Int)]) { self.attachments = attachments }
    public static let sql = """
        DELETE FROM attachment_part USING unnest($1::uuid[], $2::bytea[], $3::int[]) AS closed (report_id, paper, count)
        WHERE attachment_part.report_id = closed.report_id AND attachment_part.paper = closed.paper
          AND attachment_part.part > closed.count
        """
    public var parameters: [Parameter] {
        [.ids(attachments.map(\.0)), .byteas(attachments.map(\.attachment)), .integers(attachments.map(\.count))]
    }
}

public struct MarkAttachmentsReceived: Command {
    public var attachments: [(ReportID, attachment: [UInt8])]
    public var at: Instant
    public init(attachments: [(ReportID, attachment: [UInt8])], at: Instant) {
        self.attachments = attachments
        self.at = at
    }
    public static let sql = """
        UPDATE attachment SET received_at = $3, first_part_at = NULL FROM unnest($1::uuid[], $2::bytea[]) AS whole
            (report_id, paper)
        WHERE attachment.report_id = whole.report_id AND attachment.paper = whole.paper
        """
    public var parameters: [Parameter] {
        [.ids(attachments.map(\.0)), .byteas(attachments.map(\.attachment)), .instant(at)]
    }
}

/// How many parts and bytes of attachments were passed up sealed with these reports.
public struct ReadSealedAttachments: Statement {
    public var reports: [ReportID]
    public init(reports: [ReportID]) { self.reports = reports }
    public static let sql = "SELECT report_id, parts, bytes FROM sealed_papers WHERE report_id = ANY ($1::uuid[])"
    public var parameters: [Parameter] { [.ids(reports)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (report: ReportID, parts: Int, bytes: Int) {
        (try row.id(), try row.int(), try row.int())
    }
}

public struct WriteSealedAttachments: Command {
    public var attachments: [(report: ReportID, parts: Int, bytes: Int)]
    public init(attachments: [(report: ReportID, parts: Int, bytes: Int)]) { self.attachments = attachments }
    public static let sql = """
        INSERT INTO sealed_papers (report_id, parts, bytes) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
        ON CONFLICT (report_id) DO UPDATE SET parts = excluded.parts, bytes = excluded.bytes
        """
    public var parameters: [Parameter] {
        [
            .ids(attachments.map(\.report)), .int8s(attachments.map { Int64($0.parts) }),
            .int8s(attachments.map { Int64($0.bytes) }),
        ]
    }
}
