public import Foundation

/// A value for `$1`, `$2`, …: typed, so that the server never guesses, and sent in PostgreSQL's binary format.
/// Every scalar takes nil for NULL and keeps its type; so do the elements of arrays, which bring hundreds of rows in one
/// statement: `… FROM unnest($1::uuid[], $2::text[])`.
public enum Parameter: Sendable {
    /// NULL of whatever type the statement gives it.
    case null
    case bool(Bool?)
    case int4(Int32?)
    case int8(Int64?)
    case double(Double?)
    /// Must hold no NUL character, which PostgreSQL cannot store.
    case text(String?)
    case bytea([UInt8]?)
    case uuid(UUID?)
    case timestamptz(Timestamp?)
    /// The document as JSON text.
    case jsonb(String?)

    case bools([Bool?])
    case int4s([Int32?])
    case int8s([Int64?])
    case doubles([Double?])
    case texts([String?])
    case byteas([[UInt8]?])
    case uuids([UUID?])
    case timestamptzs([Timestamp?])
    case jsonbs([String?])
}

/// The parameters of one execution in wire form: all values in one buffer, each known by its offset and length.
struct ParameterBuffer {
    private(set) var oids: [UInt32] = []
    /// The first byte is a filler, so that an empty value still has an address (no address means NULL).
    private(set) var bytes: [UInt8] = [0]
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []

    init(_ parameters: [Parameter]) throws(PostgreSQLError) {
        // The protocol counts them in 16 bits.
        if parameters.count > 65535 { throw PostgreSQLError(.invalidArgument, "there are more than 65,535 parameters") }
        oids.reserveCapacity(parameters.count)
        for parameter in parameters { try append(parameter) }
    }

    /// Calls `body` with the count and the arrays that libpq wants: values, lengths, formats (all binary).
    func withPointers<T>(
        _ body: (Int32, [UnsafePointer<CChar>?], [Int32], [Int32]) -> T
    ) -> T {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                let values = offsets.map { offset in offset.flatMap { characters.baseAddress?.advanced(by: $0) } }
                return body(Int32(lengths.count), values, lengths, [Int32](repeating: 1, count: lengths.count))
            }
        }
    }

    private mutating func append(_ parameter: Parameter) throws(PostgreSQLError) {
        switch parameter {
        case .null: appendNull()
        case .bool(let value): try scalar(OID.bool, value, Self.put)
        case .int4(let value): try scalar(OID.int4, value, Self.put)
        case .int8(let value): try scalar(OID.int8, value, Self.put)
        case .double(let value): try scalar(OID.float8, value, Self.put)
        case .text(let value): try scalar(OID.text, value, Self.put)
        case .bytea(let value): try scalar(OID.bytea, value, Self.put)
        case .uuid(let value): try scalar(OID.uuid, value, Self.put)
        case .timestamptz(let value): try scalar(OID.timestamptz, value, Self.put)
        case .jsonb(let value): try scalar(OID.jsonb, value, Self.putDocument)
        case .bools(let values): try array(OID.boolArray, of: OID.bool, values, Self.put)
        case .int4s(let values): try array(OID.int4Array, of: OID.int4, values, Self.put)
        case .int8s(let values): try array(OID.int8Array, of: OID.int8, values, Self.put)
        case .doubles(let values): try array(OID.float8Array, of: OID.float8, values, Self.put)
        case .texts(let values): try array(OID.textArray, of: OID.text, values, Self.put)
        case .byteas(let values): try array(OID.byteaArray, of: OID.bytea, values, Self.put)
        case .uuids(let values): try array(OID.uuidArray, of: OID.uuid, values, Self.put)
        case .timestamptzs(let values): try array(OID.timestamptzArray, of: OID.timestamptz, values, Self.put)
        case .jsonbs(let values): try array(OID.jsonbArray, of: OID.jsonb, values, Self.putDocument)
        }
    }

    private typealias Put<T> = (T, inout [UInt8]) throws(PostgreSQLError) -> Void

    private mutating func appendNull(oid: UInt32 = 0) {
        oids.append(oid)
        offsets.append(nil)
        lengths.append(0)
    }

    private mutating func scalar<T>(_ oid: UInt32, _ value: T?, _ put: Put<T>) throws(PostgreSQLError) {
        guard let value else { return appendNull(oid: oid) }
        let start = bytes.count
        try put(value, &bytes)
        try finish(oid, from: start)
    }

    /// One dimension, lower bound 1; the empty array has no dimension.
    private mutating func array<T>(
        _ oid: UInt32, of elementOID: UInt32, _ values: [T?], _ put: Put<T>
    ) throws(PostgreSQLError) {
        let start = bytes.count
        Self.append(Int32(values.isEmpty ? 0 : 1), &bytes)
        Self.append(Int32(values.contains { $0 == nil } ? 1 : 0), &bytes)
        Self.append(elementOID, &bytes)
        if !values.isEmpty {
            Self.append(try Self.length(values.count), &bytes)
            Self.append(Int32(1), &bytes)
        }
        for value in values {
            guard let value else {
                Self.append(Int32(-1), &bytes)
                continue
            }
            let lengthAt = bytes.count
            Self.append(Int32(0), &bytes)
            try put(value, &bytes)
            let length = try Self.length(bytes.count - lengthAt - 4)
            for index in 0..<4 { bytes[lengthAt + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index)) }
        }
        try finish(oid, from: start)
    }

    private mutating func finish(_ oid: UInt32, from start: Int) throws(PostgreSQLError) {
        oids.append(oid)
        offsets.append(start)
        lengths.append(try Self.length(bytes.count - start))
    }

    private static func length(_ count: Int) throws(PostgreSQLError) -> Int32 {
        if let length = Int32(exactly: count) { return length }
        throw PostgreSQLError(.invalidArgument, "a parameter exceeds 2 GiB")
    }
}

/// The binary form of each type.
extension ParameterBuffer {
    private static func append<T: FixedWidthInteger>(_ value: T, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func put(_ value: Bool, _ bytes: inout [UInt8]) { bytes.append(value ? 1 : 0) }
    private static func put(_ value: Int32, _ bytes: inout [UInt8]) { append(value, &bytes) }
    private static func put(_ value: Int64, _ bytes: inout [UInt8]) { append(value, &bytes) }
    private static func put(_ value: Double, _ bytes: inout [UInt8]) { append(value.bitPattern, &bytes) }
    private static func put(_ value: [UInt8], _ bytes: inout [UInt8]) { bytes.append(contentsOf: value) }

    private static func put(_ value: UUID, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.uuid) { bytes.append(contentsOf: $0) }
    }

    private static func put(_ value: String, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        var value = value
        let holdsNUL = value.withUTF8 { utf8 in
            bytes.append(contentsOf: utf8)
            return utf8.contains(0)
        }
        // Said here, because the server's message for it speaks of an invalid encoding.
        if holdsNUL { throw PostgreSQLError(.invalidArgument, "a text holds a NUL character") }
    }

    private static func put(_ value: Timestamp, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        guard let wireValue = value.wireValue else {
            throw PostgreSQLError(.invalidArgument, "a timestamp lies outside PostgreSQL's range")
        }
        append(wireValue, &bytes)
    }

    /// The version of the `jsonb` format, then the text.
    private static func putDocument(_ value: String, _ bytes: inout [UInt8]) throws(PostgreSQLError) {
        bytes.append(1)
        try put(value, &bytes)
    }
}
