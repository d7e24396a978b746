import CPostgreSQL
public import Foundation

/// Reads one row's columns in order. It is valid only while `Statement.decode` runs, and cannot be kept.
///
/// Each method reads the next column, checks its type, and throws `.decoding` if the column has another type, is NULL
/// (unless the method ends in `OrNil`), or does not exist. Arrays must have one dimension; their lower bound is not
/// kept. Use `array(of:)` for arrays with NULLs.
public struct RowReader: ~Copyable {
    private let result: OpaquePointer
    private let row: Int32
    private let columnCount: Int32
    private var column: Int32 = 0

    init(_ result: OpaquePointer, row: Int32, columnCount: Int32) {
        self.result = result
        self.row = row
        self.columnCount = columnCount
    }

    public mutating func bool() throws(PostgreSQLError) -> Bool { try value(Wire.bool) }
    public mutating func boolOrNil() throws(PostgreSQLError) -> Bool? { try valueOrNil(Wire.bool) }
    public mutating func bools() throws(PostgreSQLError) -> [Bool] { try array(Wire.bool) }

    /// `smallint`, `integer` and `bigint`.
    public mutating func int() throws(PostgreSQLError) -> Int { Int(try value(Wire.integer)) }
    public mutating func intOrNil() throws(PostgreSQLError) -> Int? { try valueOrNil(Wire.integer).map { Int($0) } }
    /// `smallint`, `integer` and `bigint`.
    public mutating func int8() throws(PostgreSQLError) -> Int64 { try value(Wire.integer) }
    public mutating func int8OrNil() throws(PostgreSQLError) -> Int64? { try valueOrNil(Wire.integer) }
    public mutating func int8s() throws(PostgreSQLError) -> [Int64] { try array(Wire.integer) }

    public mutating func double() throws(PostgreSQLError) -> Double { try value(Wire.double) }
    public mutating func doubleOrNil() throws(PostgreSQLError) -> Double? { try valueOrNil(Wire.double) }
    public mutating func doubles() throws(PostgreSQLError) -> [Double] { try array(Wire.double) }

    /// `text`, `varchar`, `char`, `name`, and enumerations.
    public mutating func text() throws(PostgreSQLError) -> String { try value(Wire.text) }
    public mutating func textOrNil() throws(PostgreSQLError) -> String? { try valueOrNil(Wire.text) }
    public mutating func texts() throws(PostgreSQLError) -> [String] { try array(Wire.text) }

    public mutating func bytea() throws(PostgreSQLError) -> [UInt8] { try value(Wire.bytea) }
    public mutating func byteaOrNil() throws(PostgreSQLError) -> [UInt8]? { try valueOrNil(Wire.bytea) }
    public mutating func byteas() throws(PostgreSQLError) -> [[UInt8]] { try array(Wire.bytea) }

    public mutating func uuid() throws(PostgreSQLError) -> UUID { try value(Wire.uuid) }
    public mutating func uuidOrNil() throws(PostgreSQLError) -> UUID? { try valueOrNil(Wire.uuid) }
    public mutating func uuids() throws(PostgreSQLError) -> [UUID] { try array(Wire.uuid) }

    public mutating func timestamptz() throws(PostgreSQLError) -> Timestamp { try value(Wire.timestamptz) }
    public mutating func timestamptzOrNil() throws(PostgreSQLError) -> Timestamp? { try valueOrNil(Wire.timestamptz) }
    public mutating func timestamptzs() throws(PostgreSQLError) -> [Timestamp] { try array(Wire.timestamptz) }

    public mutating func date() throws(PostgreSQLError) -> CalendarDate { try value(Wire.date) }
    public mutating func dateOrNil() throws(PostgreSQLError) -> CalendarDate? { try valueOrNil(Wire.date) }
    public mutating func dates() throws(PostgreSQLError) -> [CalendarDate] { try array(Wire.date) }

    public mutating func numeric() throws(PostgreSQLError) -> ExactDecimal { try value(Wire.numeric) }
    public mutating func numericOrNil() throws(PostgreSQLError) -> ExactDecimal? { try valueOrNil(Wire.numeric) }
    public mutating func numerics() throws(PostgreSQLError) -> [ExactDecimal] { try array(Wire.numeric) }

    /// The document's text in the server's spelling.
    public mutating func jsonb() throws(PostgreSQLError) -> String { try value(Wire.json) }
    public mutating func jsonbOrNil() throws(PostgreSQLError) -> String? { try valueOrNil(Wire.json) }
    public mutating func jsonbs() throws(PostgreSQLError) -> [String] { try array(Wire.json) }

    /// Skips the next column.
    public mutating func skip() { column += 1 }

    private mutating func value<T>(_ type: WireType<T>) throws(PostgreSQLError) -> T {
        guard let value = try valueOrNil(type) else { throw error(column - 1, "is NULL") }
        return value
    }

    private mutating func valueOrNil<T>(_ type: WireType<T>) throws(PostgreSQLError) -> T? {
        let column = try next()
        let oid = PQftype(result, column)
        guard type.accepts(oid) else { throw error(column, "has type oid \(oid), not \(type.name)") }
        guard let bytes = bytes(column) else { return nil }
        guard let value = type.decode(bytes, oid) else { throw error(column, "is no \(type.name)") }
        return value
    }

    /// An array that may contain NULLs: nil for a NULL column, nil elements for NULL elements.
    public mutating func array<T>(of type: ElementType<T>) throws(PostgreSQLError) -> [T?]? {
        guard let (column, bytes) = try arrayBytes(type.wire) else { return nil }
        var values: [T?] = []
        let isWhole = type.wire.forEachElement(bytes) { value in
            values.append(value)
            return true
        }
        guard isWhole else { throw error(column, "is no one-dimensional array of \(type.wire.name)") }
        return values
    }

    private mutating func array<T>(_ type: WireType<T>) throws(PostgreSQLError) -> [T] {
        guard let (column, bytes) = try arrayBytes(type) else { throw error(column - 1, "is NULL") }
        var values: [T] = []
        let isWhole = type.forEachElement(bytes) { value in
            guard let value else { return false }
            values.append(value)
            return true
        }
        guard isWhole else { throw error(column, "is no one-dimensional array of \(type.name) without NULLs") }
        return values
    }

    private mutating func arrayBytes<T>(
        _ type: WireType<T>
    ) throws(PostgreSQLError) -> (column: Int32, bytes: UnsafeRawBufferPointer)? {
        let column = try next()
        let oid = PQftype(result, column)
        guard type.acceptsArray(oid) else { throw error(column, "has type oid \(oid), not an array of \(type.name)") }
        return bytes(column).map { (column, $0) }
    }

    private mutating func next() throws(PostgreSQLError) -> Int32 {
        guard column < columnCount else { throw PostgreSQLError(.decoding, "the row has only \(columnCount) columns") }
        defer { column += 1 }
        return column
    }

    private func bytes(_ column: Int32) -> UnsafeRawBufferPointer? {
        if PQgetisnull(result, row, column) == 1 { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }

    private func error(_ column: Int32, _ what: String) -> PostgreSQLError {
        let name = PQfname(result, column).map { String(cString: $0) } ?? "?"
        return PostgreSQLError(.decoding, "column \(column + 1) (\(name)) \(what)")
    }
}
