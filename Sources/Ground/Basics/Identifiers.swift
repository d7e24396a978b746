public import Foundation

/// An id that is a UUID, written in lower case on the wire and ordered as PostgreSQL orders `uuid`.
public protocol UUIDIdentifier: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    var uuid: UUID { get }
    init(_ uuid: UUID)
}

extension UUIDIdentifier {
    /// A new time-ordered id (UUIDv7), so that index writes stay close together.
    public static func make(at instant: Instant) -> Self { Self(.version7(at: instant)) }

    /// Reads the canonical form, 8-4-4-4-12 hexadecimal digits; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard let uuid = UUID(canonical: text) else { return nil }
        self.init(uuid)
    }

    public static var shape: String { "not a UUID" }

    public var description: String { uuid.lowercased }

    public static func < (left: Self, right: Self) -> Bool { left.uuid.precedes(right.uuid) }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Self.shape)
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The id of one report (信访举报件) of this office.
public struct ReportID: UUIDIdentifier {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// The id of one handoff of a report to one unit (移送件, 转送件, 交办件).
public struct HandoffID: UUIDIdentifier {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// The id of one clock (时限), running or ended.
public struct ClockID: UUIDIdentifier {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// The id of one approval (审批): a command that waits for a second person.
public struct ApprovalID: UUIDIdentifier {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// An id chosen by people: `[a-z0-9-]{1,40}`, safe in queue names, routing keys and regular expressions.
public protocol NameIdentifier: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    var rawValue: String { get }
    init(unchecked rawValue: String)
}

extension NameIdentifier {
    public init?(_ rawValue: some StringProtocol) {
        guard (1...40).contains(rawValue.utf8.count),
            rawValue.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
        else { return nil }
        self.init(unchecked: String(rawValue))
    }

    public static var shape: String { "an id matches [a-z0-9-]{1,40}" }

    public var description: String { rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Self.shape)
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// The id of a unit that receives handoffs (承办单位): a department, a lower or higher organ, another authority.
public struct UnitID: NameIdentifier {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// The id of a source of reports (来源): a channel or another body that passes reports on.
public struct SourceID: NameIdentifier {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// The id of a person on the staff (工作人员).
public struct PersonID: NameIdentifier {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

extension UUID {
    /// A UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds since 1970, the rest random.
    public static func version7(at instant: Instant) -> UUID {
        var generator = SystemRandomNumberGenerator()
        let (high, low) = (generator.next() as UInt64, generator.next() as UInt64)
        return version7(at: instant, high, low)
    }

    /// A UUIDv7 whose rest are the first ten of these bytes, such as a hash: the same for the same values.
    package static func version7(at instant: Instant, filledFrom bytes: [UInt8]) -> UUID {
        func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return version7(at: instant, number(bytes.prefix(2)), number(bytes.dropFirst(2).prefix(8)))
    }

    private static func version7(at instant: Instant, _ high: UInt64, _ low: UInt64) -> UUID {
        let milliseconds = UInt64(max(0, instant.microsecondsSinceEpoch / 1000))
        func byte(_ value: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        return UUID(
            uuid: (
                byte(milliseconds, 40), byte(milliseconds, 32), byte(milliseconds, 24), byte(milliseconds, 16),
                byte(milliseconds, 8), byte(milliseconds, 0),
                0x70 | (byte(high, 8) & 0x0F), byte(high, 0),
                0x80 | (byte(low, 56) & 0x3F), byte(low, 48), byte(low, 40), byte(low, 32),
                byte(low, 24), byte(low, 16), byte(low, 8), byte(low, 0)
            ))
    }

    /// Reads 8-4-4-4-12 hexadecimal digits; `nil` for anything else. Foundation's own reader also accepts blanks
    /// in place of digits, so one id would have many spellings.
    package init?(canonical text: some StringProtocol) {
        guard text.utf8.count == 36,
            text.utf8.enumerated().allSatisfy({ index, byte in
                switch index {
                case 8, 13, 18, 23: byte == 0x2D
                default: (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
                }
            })
        else { return nil }
        self.init(uuidString: String(text))
    }

    /// The canonical form in lower case, as PostgreSQL prints it.
    public var lowercased: String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 36) { text in
            withUnsafeBytes(of: uuid) { bytes in
                var at = 0
                for (index, byte) in bytes.enumerated() {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        text[at] = 0x2D
                        at += 1
                    }
                    text[at] = digits.utf8Start[Int(byte >> 4)]
                    text[at + 1] = digits.utf8Start[Int(byte & 15)]
                    at += 2
                }
            }
            return 36
        }
    }

    /// Byte order, which is PostgreSQL's order of `uuid`; locks taken in this order cannot deadlock.
    public func precedes(_ other: UUID) -> Bool {
        withUnsafeBytes(of: uuid) { left in
            withUnsafeBytes(of: other.uuid) { right in left.lexicographicallyPrecedes(right) }
        }
    }
}
