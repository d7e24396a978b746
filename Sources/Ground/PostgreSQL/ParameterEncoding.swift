import Foundation

/// The binary form of each type, as the server's `…recv` functions read it.
extension Parameter {
    /// The most bytes of one message to the server.
    private static let bytesMax = 1 << 30 - 65536

    /// Appends the value's bytes; returns true for NULL, which has none.
    func encode(into bytes: inout [UInt8]) throws(PostgreSQLError) -> Bool {
        switch self {
        case .null: true
        case .bool(let value): try Self.scalar(value, &bytes, Self.put)
        case .int2(let value): try Self.scalar(value, &bytes, Self.putInteger)
        case .int4(let value): try Self.scalar(value, &bytes, Self.putInteger)
        case .int8(let value): try Self.scalar(value, &bytes, Self.putInteger)
        case .float(let value): try Self.scalar(value?.bitPattern, &bytes, Self.putInteger)
        case .double(let value): try Self.scalar(value?.bitPattern, &bytes, Self.putInteger)
        case .numeric(let value): try Self.scalar(value, &bytes, Self.put)
        case .text(let value): try Self.scalar(value, &bytes, Self.put)
        case .bytea(let value): try Self.scalar(value, &bytes, Self.put)
        case .uuid(let value): try Self.scalar(value, &bytes, Self.put)
        case .timestamptz(let value): try Self.scalar(value, &bytes, Self.put)
        case .date(let value): try Self.scalar(value, &bytes, Self.put)
        case .jsonb(let value): try Self.scalar(value, &bytes, Self.putDocument)
        case .bools(let values): try Self.array(of: OID.bool, values, &bytes, Self.put)
        case .int2s(let values): try Self.array(of: OID.int2, values, &bytes, Self.putInteger)
        case .int4s(let values): try Self.array(of: OID.int4, values, &bytes, Self.putInteger)
        case .int8s(let values): try Self.array(of: OID.int8, values, &bytes, Self.putInteger)
        case .floats(let values): try Self.array(of: OID.float4, values, &bytes, Self.put)
        case .doubles(let values): try Self.array(of: OID.float8, values, &bytes, Self.put)
        case .numerics(let values): try Self.array(of: OID.numeric, values, &bytes, Self.put)
        case .texts(let values): try Self.array(of: OID.text, values, &bytes, Self.put)
        case .byteas(let values): try Self.array(of: OID.bytea, values, &bytes, Self.put)
        case .uuids(let values): try Self.array(of: OID.uuid, values, &bytes, Self.put)
        case .timestamptzs(let values): try Self.array(of: OID.timestamptz, values, &bytes, Self.put)
        case .dates(let values): try Self.array(of: OID.date, values, &bytes, Self.put)
        case .jsonbs(let values): try Self.array(of: OID.jsonb, values, &bytes, Self.putDocument)
        }
    }

    /// The OID of the type; 0 leaves the type to the server.
    var oid: UInt32 {
        switch self {
        case .null: 0
        case .bool: OID.bool
        case .int2: OID.int2
        case .int4: OID.int4
        case .int8: OID.int8
        case .float: OID.float4
        case .double: OID.float8
        case .numeric: OID.numeric
        case .text: OID.text
        case .bytea: OID.bytea
        case .uuid: OID.uuid
        case .timestamptz: OID.timestamptz
        case .date: OID.date
        case .jsonb: OID.jsonb
        case .bools: OID.boolArray
        case .int2s: OID.int2Array
        case .int4s: OID.int4Array
        case .int8s: OID.int8Array
        case .floats: OID.float4Array
        case .doubles: OID.float8Array
        case .numerics: OID.numericArray
        case .texts: OID.textArray
        case .byteas: OID.byteaArray
        case .uuids: OID.uuidArray
        case .timestamptzs: OID.timestamptzArray
        case .dates: OID.dateArray
        case .jsonbs: OID.jsonbArray
        }
    }

    private typealias Put<T> = (T, inout [UInt8]) throws(PostgreSQLError) -> Void

    private static func scalar<T>(_ value: T?, _ bytes: inout [UInt8], _ put: Put<T>) throws(PostgreSQLError) -> Bool {
        guard let value else { return true }
        try put(value, &bytes)
        return false
    }

    /// Writes one dimension with lower bound 1; an empty array has no dimension.
    private static func array<T>(
        of elementOID: UInt32, _ values: [T?], _ bytes: inout [UInt8], _ put: Put<T>
    ) throws(PostgreSQLError) -> Bool {
        putInteger(Int32(values.isEmpty ? 0 : 1), &bytes)
        putInteger(Int32(values.contains { $0 == nil } ? 1 : 0), &bytes)
        putInteger(elementOID, &bytes)
        if !values.isEmpty {
            try makeRoom(for: values.count, &bytes)
            putInteger(Int32(values.count), &bytes)
            putInteger(Int32(1), &bytes)
        }
        for value in values { try putWithLength(value, &bytes, put) }
        return false
    }

    /// Writes the length in four bytes, -1 for NULL, then the value.
    private static func putWithLength<T>(_ value: T?, _ bytes: inout [UInt8], _ put: Put<T>) throws(PostgreSQLError) {
        guard let value else { return putInteger(Int32(-1), &bytes) }
        let lengthAt = bytes.count
        putInteger(Int32(0), &bytes)
        try put(value, &bytes)
        setLength(at: lengthAt, &bytes)
        try makeRoom(for: 0, &bytes)
    }

    /// Does the same for a value of a row in COPY.
    func encodeWithLength(into bytes: inout [UInt8]) throws(PostgreSQLError) {
        let lengthAt = bytes.count
        Self.putInteger(Int32(-1), &bytes)
        if try !encode(into: &bytes) { Self.setLength(at: lengthAt, &bytes) }
    }

    private static func setLength(at lengthAt: Int, _ bytes: inout [UInt8]) {
        let length = bytes.count - lengthAt - 4
        for index in 0..<4 { bytes[lengthAt + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index)) }
    }

    /// Checks the size here, because the server closes the connection when it receives too much.
    private static func makeRoom(for count: Int, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        if bytes.count + count > bytesMax { throw PostgreSQLError(.invalidArgument, "the parameters exceed 1 GiB") }
    }

    static func putInteger<T: FixedWidthInteger>(_ value: T, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func put(_ value: Bool, _ bytes: inout [UInt8]) { bytes.append(value ? 1 : 0) }
    private static func put(_ value: Float, _ bytes: inout [UInt8]) { putInteger(value.bitPattern, &bytes) }
    private static func put(_ value: Double, _ bytes: inout [UInt8]) { putInteger(value.bitPattern, &bytes) }

    private static func put(_ value: [UInt8], _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        try makeRoom(for: value.count, &bytes)
        bytes.append(contentsOf: value)
    }

    private static func put(_ value: UUID, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.uuid) { bytes.append(contentsOf: $0) }
    }

    private static func put(_ value: String, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        try makeRoom(for: value.utf8.count, &bytes)
        var value = value
        let holdsNUL = value.withUTF8 { utf8 in
            bytes.append(contentsOf: utf8)
            return utf8.contains(0)
        }
        // Checked here, because the server's error for it reports an invalid encoding.
        if holdsNUL { throw PostgreSQLError(.invalidArgument, "a text holds a NUL character") }
    }

    private static func put(_ value: Timestamp, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        guard let wireValue = value.wireValue else {
            throw PostgreSQLError(.invalidArgument, "a timestamp lies outside PostgreSQL's range")
        }
        putInteger(wireValue, &bytes)
    }

    private static func put(_ value: CalendarDate, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        guard let wireValue = value.wireValue else {
            throw PostgreSQLError(.invalidArgument, "a date lies outside PostgreSQL's range")
        }
        putInteger(wireValue, &bytes)
    }

    private static func put(_ value: ExactDecimal, _ bytes: inout [UInt8]) {
        for field in value.wireFields { putInteger(field, &bytes) }
    }

    /// Writes the version of the `jsonb` format, then the text.
    private static func putDocument(_ value: String, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        bytes.append(1)
        try put(value, &bytes)
    }
}
