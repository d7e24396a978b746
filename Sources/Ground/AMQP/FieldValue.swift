/// A value in a message header or in the arguments of a declaration. What the wire knows more finely is read as the
/// next of these: every integer as `int`, floats and decimals as `double`.
public indirect enum FieldValue: Equatable, Sendable {
    case void
    case bool(Bool)
    /// Every integer width of the wire; unsigned values beyond `Int64.max` read as `Int64.max`.
    case int(Int64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(UInt64)
    case array([FieldValue])
    case table(FieldTable)
}

/// Names of at most 255 bytes, at most `fieldDepthMax` tables and arrays inside one another.
public typealias FieldTable = [String: FieldValue]

/// Deeper values are refused when sent and read as `.void` when received.
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
