import CPostgreSQL

@testable import PostgreSQL

/// One column of one row. The first byte picks its type, the rest is the value in the binary format.
enum Rows {
    static let oids: [UInt32] = [
        OID.bool, OID.boolArray, OID.bytea, OID.byteaArray, OID.char, OID.name, OID.nameArray, OID.int8, OID.int8Array,
        OID.int2,
        OID.int2Array, OID.int4, OID.int4Array, OID.text, OID.textArray, OID.oid, OID.json, OID.jsonArray, OID.float4,
        OID.float4Array, OID.float8, OID.float8Array, OID.unknown, OID.bpchar, OID.bpcharArray, OID.varchar,
        OID.varcharArray,
        OID.date, OID.dateArray, OID.timestamptz, OID.timestamptzArray, OID.numeric, OID.numericArray, OID.uuid,
        OID.uuidArray,
        OID.jsonb, OID.jsonbArray, OID.firstOfUsers,
    ]

    static func read(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let first = bytes.first, let result = PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK) else { return }
        defer { PQclear(result) }
        var value = Array(bytes.dropFirst())
        let isSet = "c".withCString { name in
            var column = PGresAttDesc()
            column.name = UnsafeMutablePointer(mutating: name)
            column.typid = oids[Int(first) % oids.count]
            column.format = 1
            column.typlen = -1
            column.atttypmod = -1
            return PQsetResultAttrs(result, 1, &column) == 1
                && value.withUnsafeMutableBytes {
                    PQsetvalue(result, 0, 0, $0.baseAddress?.assumingMemoryBound(to: CChar.self), CInt($0.count)) == 1
                }
        }
        try WrongAnswer.unless(isSet, "libpq takes no value")
        readAll(result)
        try numeric(result)
    }

    /// With every method, the wrong ones too.
    private static func readAll(_ result: OpaquePointer) {
        func row<Value>(_ body: (inout RowReader) throws(PostgreSQLError) -> Value) {
            var reader = RowReader(result, row: 0, columnCount: 1)
            _ = try? body(&reader)
        }
        row { (reader) throws(PostgreSQLError) in try reader.bool() }
        row { (reader) throws(PostgreSQLError) in try reader.int() }
        row { (reader) throws(PostgreSQLError) in try reader.double() }
        row { (reader) throws(PostgreSQLError) in try reader.text() }
        row { (reader) throws(PostgreSQLError) in try reader.bytea() }
        row { (reader) throws(PostgreSQLError) in try reader.uuid() }
        row { (reader) throws(PostgreSQLError) in try reader.timestamptz().date }
        row { (reader) throws(PostgreSQLError) in try reader.date().components?.year }
        row { (reader) throws(PostgreSQLError) in try reader.jsonb() }
        row { (reader) throws(PostgreSQLError) in try reader.bools() }
        row { (reader) throws(PostgreSQLError) in try reader.int8s() }
        row { (reader) throws(PostgreSQLError) in try reader.doubles() }
        row { (reader) throws(PostgreSQLError) in try reader.texts() }
        row { (reader) throws(PostgreSQLError) in try reader.byteas() }
        row { (reader) throws(PostgreSQLError) in try reader.uuids() }
        row { (reader) throws(PostgreSQLError) in try reader.timestamptzs() }
        row { (reader) throws(PostgreSQLError) in try reader.dates() }
        row { (reader) throws(PostgreSQLError) in try reader.numerics() }
        row { (reader) throws(PostgreSQLError) in try reader.jsonbs() }
        row { (reader) throws(PostgreSQLError) in try reader.array(of: .text) }
        row { (reader) throws(PostgreSQLError) in try reader.array(of: .numeric) }
    }

    private static func numeric(_ result: OpaquePointer) throws(WrongAnswer) {
        var reader = RowReader(result, row: 0, columnCount: 1)
        guard let number = try? reader.numeric() else { return }
        try WrongAnswer.unless(
            ExactDecimal(wireFields: number.wireFields) == number, "\(number) is not the same when sent back")
    }
}
