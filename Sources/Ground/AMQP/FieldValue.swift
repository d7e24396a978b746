/// A value in a message header or in the arguments of a declaration. Types of the wire without a case here are read
/// as the nearest one: every integer as `int`, floats and decimals as `double`.
public indirect enum FieldValue: Equatable, Sendable {
    case void
    case bool(Bool)
    /// An integer of any width on the wire; unsigned values beyond `Int64.max` are read as `Int64.max`.
    case int(Int64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(UInt64)
    case array([FieldValue])
    case table(FieldTable)
}

/// A table with names of at most 255 bytes and at most `fieldDepthMax` nested tables and arrays.
public typealias FieldTable = [String: FieldValue]

/// The maximum nesting. A deeper value is refused when sent and read as `.void` when received.
let fieldDepthMax = 16

extension FieldValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var intValue: Int64? {
        if case .int(let value) = self { value } else { nil }
    }
}
