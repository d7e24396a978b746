public import Basics
public import Casework
public import PostgreSQL

/// Locks the rows of units and reads the ends of their chains, in the order of their ids: after reports, before the
/// office.
public struct LockUnitChains: Statement {
    public var units: [UnitID]
    public init(units: [UnitID]) { self.units = units }
    public static let sql = """
        SELECT id, chain, head, entry_count, head_at FROM unit WHERE id = ANY ($1::text[]) ORDER BY id
        -- Rows that refer to a unit may be written by others meanwhile.
        FOR NO KEY UPDATE
        """
    public var parameters: [Parameter] { [.texts(units.map(\.rawValue))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SubjectChain {
        let unit: UnitID = try row.name()
        return SubjectChain(loaded: .unit(unit), id: try row.id(), head: try LedgerHead(&row))
    }
}

/// Like `LockUnitChains`, but skips units that another transaction has locked: a later sweep finds their clocks again.
public struct LockFreeUnitChains: Statement {
    public var units: [UnitID]
    public init(units: [UnitID]) { self.units = units }
    public static let sql = LockUnitChains.sql + " SKIP LOCKED"
    public var parameters: [Parameter] { [.texts(units.map(\.rawValue))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SubjectChain {
        try LockUnitChains(units: []).decode(&row)
    }
}

/// Locks the office's row, the last of all, and reads the end of its chain.
public struct LockOfficeChain: Statement {
    public init() {}
    public static let sql = "SELECT chain, head, entry_count, head_at FROM office FOR NO KEY UPDATE"
    public var parameters: [Parameter] { [] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SubjectChain {
        SubjectChain(loaded: .office, id: try row.id(), head: try LedgerHead(&row))
    }
}

/// Like `LockOfficeChain`, unless another transaction has locked the office.
public struct LockFreeOfficeChain: Statement {
    public init() {}
    public static let sql = LockOfficeChain.sql + " SKIP LOCKED"
    public var parameters: [Parameter] { [] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SubjectChain {
        try LockOfficeChain().decode(&row)
    }
}

extension SubjectChain {
    private static func columns(
        of table: String, _ key: Columns<SubjectChain>.Column
    ) -> Columns<SubjectChain> {
        Columns(
            of: table,
            [
                key, .bytea("head", \.head.hash, .changing), .int4("entry_count", \.head.count, .changing),
                .instant("head_at", \.head.at, .changing),
            ])
    }

    static let unitColumns = columns(of: "unit", .text("id", \.subject.id, .key))
    static let officeColumns = columns(of: "office", .int4("id", { _ in 1 }, .key))
}
