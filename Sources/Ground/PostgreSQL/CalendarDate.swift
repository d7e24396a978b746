/// A day as in PostgreSQL's `date`: without time or zone, in the Gregorian calendar also before its introduction.
/// `infinity` and `-infinity` are `distantFuture` and `distantPast`.
///
/// PostgreSQL's range is 4714-11-24 BC to 5874897-12-31; other days are refused when sent.
public struct CalendarDate: Hashable, Comparable, Sendable {
    /// Days since 1970-01-01.
    public var daysSinceEpoch: Int

    public init(daysSinceEpoch: Int) {
        self.daysSinceEpoch = daysSinceEpoch
    }

    /// PostgreSQL's `infinity`.
    public static let distantFuture = CalendarDate(daysSinceEpoch: .max)
    /// PostgreSQL's `-infinity`.
    public static let distantPast = CalendarDate(daysSinceEpoch: .min)

    public static func < (a: CalendarDate, b: CalendarDate) -> Bool { a.daysSinceEpoch < b.daysSinceEpoch }

    /// - Parameter year: astronomical: 0 is 1 BC, -1 is 2 BC.
    /// - Returns: nil for a day that does not exist, such as 30 February, and for years beyond ten million.
    public init?(year: Int, month: Int, day: Int) {
        guard (-10_000_000...10_000_000).contains(year), (1...12).contains(month), (1...31).contains(day) else {
            return nil
        }
        // Years are counted from March, so that the leap day is the last of its year.
        let marchYear = month > 2 ? year : year - 1
        let daysBeforeMonth = (153 * ((month + 9) % 12) + 2) / 5
        let era = Self.floorDivide(marchYear, 400)
        let yearOfEra = marchYear - era * 400
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + daysBeforeMonth + day - 1
        self.init(daysSinceEpoch: era * Self.daysPerEra + dayOfEra - Self.daysFromEraToEpoch)
        if components ?? (0, 0, 0) != (year, month, day) { return nil }
    }

    /// Year (astronomical), month and day; nil for the infinities and for days beyond PostgreSQL's range.
    public var components: (year: Int, month: Int, day: Int)? {
        guard wireValue != nil, self != .distantFuture, self != .distantPast else { return nil }
        let days = daysSinceEpoch + Self.daysFromEraToEpoch
        let era = Self.floorDivide(days, Self.daysPerEra)
        let dayOfEra = days - era * Self.daysPerEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// The calendar repeats itself after 400 years.
    private static let daysPerEra = 146_097
    /// From 0000-03-01 to 1970-01-01.
    private static let daysFromEraToEpoch = 719_468

    private static func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((-a + b - 1) / b) }
}

extension CalendarDate {
    /// The days from 1970-01-01 to 2000-01-01, the zero of the wire format.
    private static let wireEpoch = 10_957
    private static let wireRange = -2_451_545..<2_145_031_949

    /// nil if the day is outside PostgreSQL's range.
    var wireValue: Int32? {
        if self == .distantFuture { return .max }
        if self == .distantPast { return .min }
        let (value, overflow) = daysSinceEpoch.subtractingReportingOverflow(Self.wireEpoch)
        return overflow || !Self.wireRange.contains(value) ? nil : Int32(value)
    }

    init(wireValue: Int32) {
        switch wireValue {
        case .max: self = .distantFuture
        case .min: self = .distantPast
        default: self.init(daysSinceEpoch: Int(wireValue) + Self.wireEpoch)
        }
    }
}
