public import Foundation

/// A value for `$1`, `$2`, …, or for a column of a COPY, sent in PostgreSQL's binary format with its type, so that
/// the server never infers one. A scalar may be nil for NULL and keeps its type; so may the elements of an array. An
/// array passes hundreds of rows in one statement: `… FROM unnest($1::uuid[], $2::text[])`.
public enum Parameter: Sendable {
    /// NULL, of the type that the statement implies.
    case null
    case bool(Bool?)
    case int2(Int16?)
    case int4(Int32?)
    case int8(Int64?)
    /// `real`
    case float(Float?)
    /// `double precision`
    case double(Double?)
    case numeric(ExactDecimal?)
    /// Must not contain a NUL character, which PostgreSQL cannot store.
    case text(String?)
    case bytea([UInt8]?)
    case uuid(UUID?)
    case timestamptz(Timestamp?)
    case date(CalendarDate?)
    /// The document as JSON text.
    case jsonb(String?)

    case bools([Bool?])
    case int2s([Int16?])
    case int4s([Int32?])
    case int8s([Int64?])
    case floats([Float?])
    case doubles([Double?])
    case numerics([ExactDecimal?])
    case texts([String?])
    case byteas([[UInt8]?])
    case uuids([UUID?])
    case timestamptzs([Timestamp?])
    case dates([CalendarDate?])
    case jsonbs([String?])
}

/// The parameters of one execution in wire form: all values in one buffer, each found by its offset and length.
struct ParameterBuffer {
    private(set) var oids: [UInt32] = []
    /// The first byte is a filler, so that an empty value still has an address (no address means NULL).
    private(set) var bytes: [UInt8] = [0]
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []

    init(_ parameters: [Parameter]) throws(PostgreSQLError) {
        // The protocol has a 16-bit count.
        if parameters.count > 65535 { throw PostgreSQLError(.invalidArgument, "there are more than 65,535 parameters") }
        oids.reserveCapacity(parameters.count)
        offsets.reserveCapacity(parameters.count)
        lengths.reserveCapacity(parameters.count)
        for parameter in parameters {
            let start = bytes.count
            let isNull = try parameter.encode(into: &bytes)
            oids.append(parameter.oid)
            offsets.append(isNull ? nil : start)
            lengths.append(isNull ? 0 : Int32(bytes.count - start))
        }
    }

    /// Calls `body` with the count and the arrays for libpq: values, lengths, formats (all binary).
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
}
