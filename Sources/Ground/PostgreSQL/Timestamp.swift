public import Foundation

/// A point in time as in PostgreSQL's `timestamptz`: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
/// `infinity` and `-infinity` are `distantFuture` and `distantPast`.
///
/// The range is 4714-11-24 BC, PostgreSQL's first day, to the year 294,247; the last 30 years of PostgreSQL's range
/// do not fit and are a `.decoding` error.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var microsecondsSinceEpoch: Int64

    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    /// PostgreSQL's `infinity`.
    public static let distantFuture = Timestamp(microsecondsSinceEpoch: .max)
    /// PostgreSQL's `-infinity`.
    public static let distantPast = Timestamp(microsecondsSinceEpoch: .min)

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microsecondsSinceEpoch < b.microsecondsSinceEpoch }

    /// The nearest microsecond; a date outside the range becomes one of the infinities.
    public init(_ date: Date) {
        let microseconds = (date.timeIntervalSince1970 * 1_000_000).rounded()
        self.init(microsecondsSinceEpoch: Int64(exactly: microseconds) ?? (microseconds < 0 ? .min : .max))
    }

    public var date: Date { Date(timeIntervalSince1970: Double(microsecondsSinceEpoch) / 1_000_000) }
}

extension Timestamp {
    /// 2000-01-01T00:00:00Z, the zero of the wire format.
    private static let wireEpoch: Int64 = 946_684_800_000_000
    /// 4714-11-24 00:00:00 BC, in the wire format.
    private static let firstWireValue: Int64 = -211_813_488_000_000_000

    /// nil if the time is outside PostgreSQL's range.
    var wireValue: Int64? {
        if self == .distantFuture || self == .distantPast { return microsecondsSinceEpoch }
        let (value, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.wireEpoch)
        return overflow || value < Self.firstWireValue ? nil : value
    }

    /// nil if the time, some 292,000 years away, does not fit.
    init?(wireValue: Int64) {
        if wireValue == .max || wireValue == .min {
            self.init(microsecondsSinceEpoch: wireValue)
            return
        }
        let (value, overflow) = wireValue.addingReportingOverflow(Self.wireEpoch)
        if overflow || value == .max { return nil }
        self.init(microsecondsSinceEpoch: value)
    }
}
