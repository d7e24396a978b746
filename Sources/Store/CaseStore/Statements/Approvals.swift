public import Basics
public import Casework
public import PostgreSQL

extension Approval {
    static let columns = Columns<Approval>(
        of: "approval",
        [
            .uuid("id", \.id, .key), .word("act", \.act), .text("worker", \.worker), .uuid("report_id", \.reportID),
            .uuid("handoff_id", \.handoffID), .bytea("command", \.command),
            .texts("roles", { $0.roles.map(\.rawValue).sorted() }), .text("rule", \.rule), .name("asked_by", \.askedBy),
            .instant("asked_at", \.askedAt), .word("state", \.state, .changing),
            .name("decided_by", \.decidedBy, .later),
            .instant("decided_at", \.decidedAt, .later), .text("decided_because", \.decidedBecause, .later),
        ])

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        self.init(
            id: try row.id(), act: try row.word(), worker: try row.text(), reportID: try row.idOrNil(),
            handoffID: try row.idOrNil(), command: try row.bytea(),
            roles: Set(try row.texts().compactMap { PersonRole(rawValue: $0) }), rule: try row.text(),
            askedBy: try row.name(), askedAt: try row.instant(), state: try row.word(), decidedBy: try row.nameOrNil(),
            decidedAt: try row.instantOrNil(), decidedBecause: try row.textOrNil())
    }
}

/// Approvals by their ids, and the open ones of these reports, or of the office.
public struct ReadApprovals: Statement {
    public var ids: [ApprovalID]
    public var openOf: [ReportID]
    public var openOfOffice: Bool
    public init(ids: [ApprovalID], openOf: [ReportID] = [], openOfOffice: Bool = false) {
        self.ids = ids
        self.openOf = openOf
        self.openOfOffice = openOfOffice
    }
    public static let sql = """
        SELECT \(Approval.columns.names) FROM approval
        WHERE id = ANY ($1::uuid[])
            OR (state = 'open' AND (report_id = ANY ($2::uuid[]) OR (report_id IS NULL AND $3)))
        """
    public var parameters: [Parameter] { [.ids(ids), .ids(openOf), .bool(openOfOffice)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Approval { try Approval(&row) }
}

public struct InsertApprovals: Command {
    public var approvals: [Approval]
    public init(approvals: [Approval]) { self.approvals = approvals }
    public static let sql = Approval.columns.insert
    public var parameters: [Parameter] { Approval.columns.inserting(approvals) }
}

public struct UpdateApprovals: Command {
    public var approvals: [Approval]
    public init(approvals: [Approval]) { self.approvals = approvals }
    public static let sql = Approval.columns.update()
    public var parameters: [Parameter] { Approval.columns.updating(approvals) }
}
