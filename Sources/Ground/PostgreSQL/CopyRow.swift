/// A row that goes into a table by COPY, with hundreds of thousands of its like: the table, its columns and the values
/// side by side.
public protocol CopyRow {
    /// The table's name, as it stands in the catalogue: without quotes, capital letters as they are.
    static var table: String { get }
    /// Its schema; nil for the first of the search path that has such a table.
    static var schema: String? { get }
    /// The names of the columns, as they stand in the catalogue. Columns left out take their defaults.
    static var columns: [String] { get }
    /// The values, in the order of the columns and of their very types: an `int8` column takes `.int8` and no other
    /// integer. `.text` goes into text, varchar, char, name, json and enumerations, `.null` into any.
    var parameters: [Parameter] { get }
}

extension CopyRow {
    public static var schema: String? { nil }
}

/// What a COPY needs to know of its table.
struct CopyPlan {
    struct Column: Sendable {
        let name: String
        let oid: UInt32
        let isEnumeration: Bool
    }

    let sql: String
    let table: String
    /// In the order of the row's columns; nil where the table has no such column.
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

    /// A binary COPY takes bytes for whatever its column is: the eight of a number for a time. So the types are
    /// compared here.
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

/// The columns of a table with their types; of a domain, the type beneath.
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
