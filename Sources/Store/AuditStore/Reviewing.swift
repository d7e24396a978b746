public import Basics
import CaseStore
import Casework
public import PostgreSQL

/// A report that needs review: why, since when, and what it was through. No text, no name.
public struct ReviewedReport: Sendable {
    public let id: ReportID
    public let number: Int64
    public let sourceKind: String
    public let matterKind: String?
    public let reason: String?
    /// Of the last entry in its chain, in business time.
    public let since: Instant?
    public let handoffs: Int
    /// The unit of the last handoff.
    public let lastUnit: UnitID?
    /// An open approval about it.
    public let approval: ApprovalID?
}

/// The reports that need review, the longest waiting first.
public struct ListReviews: Statement {
    public var countMax: Int
    public init(countMax: Int) { self.countMax = countMax }
    public static let sql = """
        SELECT r.id, r.number, r.source_kind, r.matter_kind, r.reason, r.head_at, r.handoff_count,
            (SELECT unit FROM handoff h WHERE h.report_id = r.id ORDER BY attempt DESC LIMIT 1),
            (SELECT a.id FROM approval a WHERE a.report_id = r.id AND a.state = 'open' ORDER BY asked_at LIMIT 1)
        FROM report r WHERE r.state = 'needs_review' ORDER BY r.head_at NULLS FIRST, r.number LIMIT $1
        """
    public var parameters: [Parameter] { [.int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReviewedReport {
        ReviewedReport(
            id: try row.id(), number: try row.int8(), sourceKind: try row.text(), matterKind: try row.textOrNil(),
            reason: try row.textOrNil(), since: try row.instantOrNil(), handoffs: try row.int(),
            lastUnit: try row.nameOrNil(), approval: try row.idOrNil())
    }
}

/// How many handoffs of a report ended without a result.
public struct CountTakenBack: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }
    public static let sql = """
        SELECT count(*) FROM handoff WHERE report_id = $1 AND state IN ('returned', 'recalled', 'undeliverable')
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// How often other versions of policies were activated.
public struct CountOtherActivations: Statement {
    /// Such as `cn-discipline@2`.
    public var version: String
    public init(version: String) { self.version = version }
    public static let sql = "SELECT count(*) FROM policy_activation WHERE name || '@' || version <> $1"
    public var parameters: [Parameter] { [.text(version)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// An approval with its clock.
public struct ListedApproval: Sendable {
    public let id: ApprovalID
    public let act: String
    public let worker: String
    public let number: Int64?
    public let handoff: HandoffID?
    public let askedBy: PersonID
    public let askedAt: Instant
    public let dueAt: Instant?
    public let roles: [String]
    public let state: String
    public let decidedBy: PersonID?
}

/// Approvals: the open ones, or all of the last ones; or one.
public struct ListApprovals: Statement {
    public var id: ApprovalID?
    public var isAll: Bool
    public var countMax: Int
    public init(id: ApprovalID? = nil, all isAll: Bool = false, countMax: Int = 1) {
        (self.id, self.isAll, self.countMax) = (id, isAll, countMax)
    }
    public static let sql = """
        SELECT a.id, a.act, a.worker, r.number, a.handoff_id, a.asked_by, a.asked_at, c.due_at, a.roles, a.state,
            a.decided_by
        FROM approval a LEFT JOIN report r ON r.id = a.report_id
        LEFT JOIN clock c ON c.duty = 'approval' AND c.period = a.id::text AND c.handoff_id IS NULL
        WHERE CASE WHEN $1::uuid IS NULL THEN $2 OR a.state = 'open' ELSE a.id = $1 END
        ORDER BY a.state <> 'open', c.due_at, a.id LIMIT $3
        """
    public var parameters: [Parameter] { [.uuid(id?.uuid), .bool(isAll), .int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ListedApproval {
        ListedApproval(
            id: try row.id(), act: try row.text(), worker: try row.text(),
            number: try row.int8OrNil(), handoff: try row.idOrNil(), askedBy: try row.name(),
            askedAt: try row.instant(), dueAt: try row.instantOrNil(), roles: try row.texts(), state: try row.text(),
            decidedBy: try row.nameOrNil())
    }
}
