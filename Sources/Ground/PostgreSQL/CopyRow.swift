/// A row to be written by COPY, for large numbers of rows: the table, its columns and the values side by side.
public protocol CopyRow {
    /// The table's name as in the catalogue: without quotes, capital letters unchanged.
    static var table: String { get }
    /// The table's schema; nil for the first schema of the search path with such a table.
    static var schema: String? { get }
    /// The columns' names as in the catalogue. Other columns get their defaults.
    static var columns: [String] { get }
    /// The values, in the order of the columns and of exactly their types: an `int8` column takes only `.int8`.
    /// `.text` fits text, varchar, char, name, json and enumerations; `.null` fits every column.
    var parameters: [Parameter] { get }
}

extension CopyRow {
    public static var schema: String? { nil }
}

/// The table and columns of a COPY.
struct CopyPlan {
    struct Column: Sendable {
        let name: String
        let oid: UInt32
        let isEnumeration: Bool
    }

    let sql: String
    let table: String
    /// In the order of the row's columns; nil if the table has no such column.
    private(set) var columns: [Column?]
    private let names: [String]

    init<Row: CopyRow>(_ type: Row.Type) {
        table = ([Row.schema, Row.table].compactMap { $0 }).map(Self.quoted).joined(separator: ".")
        names = Row.columns
        sql = "COPY \(table) (\(names.map(Self.quoted).joined(separator: ", "))) FROM STDIN (FORMAT binary)"
        columns = []
    }

    mutating func take(_ found: [Column]) {
        columns = names.map { name in found.first { $0.name == name } }
    }

    /// Compares the types. A binary COPY accepts any bytes of the right length, such as a number's eight for a time.
    func check(_ parameter: Parameter, at index: Int) throws(PostgreSQLError) {
        guard let column = columns[index] else { return }
        switch (parameter.oid, column.oid) {
        case (0, _): return
        case (let oid, let expected) where oid == expected: return
        case (OID.text, _) where column.isEnumeration || Self.textLike.contains(column.oid): return
        default:
            throw PostgreSQLError(
                .invalidArgument, "column \(column.name) has type oid \(column.oid), not \(parameter.oid)")
        }
    }

    private static let textLike: Set<UInt32> = [OID.varchar, OID.bpchar, OID.name, OID.json]

    private static func quoted(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }
}

/// The columns of a table with their types; for a domain, its base type.
struct CopyColumns: Statement {
    static let sql = """
        WITH RECURSIVE base (name, oid, kind, beneath) AS (
            SELECT attname, t.oid, typtype, typbasetype FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type AS t ON \
            t.oid = atttypid
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT name, t.oid, typtype, typbasetype FROM base JOIN pg_catalog.pg_type AS t ON t.oid = beneath WHERE \
            kind = 'd'
        )
        SELECT name, oid, kind = 'e' FROM base WHERE kind <> 'd'
        """
    let table: String
    var parameters: [Parameter] { [.text(table)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> CopyPlan.Column {
        CopyPlan.Column(name: try row.text(), oid: UInt32(try row.int8()), isEnumeration: try row.bool())
    }
}
