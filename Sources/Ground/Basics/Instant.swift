public import Foundation

/// A moment of business time: microseconds since 1970-01-01T00:00:00Z.
///
/// Rules never read a clock: an instant comes in as a parameter (invariant 11), so a rehearsal can run a year in a
/// minute.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var microsecondsSinceEpoch: Int64

    public init(microsecondsSinceEpoch: Int64) { self.microsecondsSinceEpoch = microsecondsSinceEpoch }

    public init(_ date: Date) {
        self.init(microsecondsSinceEpoch: Int64((date.timeIntervalSince1970 * 1_000_000).rounded()))
    }

    /// The first moment of a day, in UTC.
    public init(startOf day: CivilDate) {
        self.init(microsecondsSinceEpoch: Int64(day.daysSinceEpoch) * 86_400_000_000)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }

    public func adding(seconds: Double) -> Instant {
        Instant(microsecondsSinceEpoch: microsecondsSinceEpoch + Int64((seconds * 1_000_000).rounded()))
    }

    public func seconds(since earlier: Instant) -> Double {
        Double(microsecondsSinceEpoch - earlier.microsecondsSinceEpoch) / 1_000_000
    }

    /// RFC 3339 in UTC, with microseconds only if they are not zero: `2026-03-02T08:00:00Z`.
    public var description: String {
        let (days, micros) = microsecondsSinceEpoch.quotientAndRemainder(floor: 86_400_000_000)
        let seconds = Int(micros / 1_000_000)
        let fraction = Int(micros % 1_000_000)
        var digits = DigitWriter()
        CivilDate(daysSinceEpoch: Int(days)).write(to: &digits)
        digits.write("T", seconds / 3600, width: 2)
        digits.write(":", seconds / 60 % 60, width: 2)
        digits.write(":", seconds % 60, width: 2)
        if fraction != 0 { digits.write(".", fraction, width: 6) }
        return digits.text + "Z"
    }

    /// The range of the years 1 to 9999, in seconds since 1970.
    private static let readableSeconds = -719_162 * 86_400..<2_932_897 * 86_400

    /// Reads RFC 3339 with `Z` or an offset; `nil` for anything else, including dates that do not exist.
    public init?(_ text: String) {
        var text = text
        guard
            let parsed = text.withUTF8({ bytes -> Int64? in
                var reader = DigitReader(bytes)
                guard let day = CivilDate(&reader), reader.take(oneOf: "Tt "),
                    let hour = reader.number(2), reader.take(":"), let minute = reader.number(2), reader.take(":"),
                    let second = reader.number(2), hour < 24, minute < 60, second < 60
                else { return nil }
                var micros: Int64 = 0
                if reader.take(".") {
                    guard let fraction = reader.fraction() else { return nil }
                    micros = fraction
                }
                var offset = 0
                if !reader.take(oneOf: "Zz") {
                    let sign = reader.take("+") ? 1 : reader.take("-") ? -1 : 0
                    guard sign != 0, let hours = reader.number(2), reader.take(":"), let minutes = reader.number(2),
                        hours < 24, minutes < 60
                    else { return nil }
                    offset = sign * (hours * 3600 + minutes * 60)
                }
                guard reader.isAtEnd else { return nil }
                let seconds = day.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second - offset
                // An offset may lead out of the years of four digits; such an instant could not be read again.
                guard Instant.readableSeconds.contains(seconds) else { return nil }
                return Int64(seconds) * 1_000_000 + micros
            })
        else { return nil }
        self.init(microsecondsSinceEpoch: parsed)
    }
}

extension Instant: Codable {
    /// The error text for an unreadable value; likewise below and for ids.
    public static let shape = "not a date and time as RFC 3339 writes it, such as 2026-03-02T08:00:00Z"

    /// The error texts for values that are almost right, by what is wrong with them.
    public enum Complaint: String, CaseIterable, Sendable {
        case noSeconds = "the seconds are missing: RFC 3339 writes them, such as 2026-03-02T08:00:00Z"
        case noZone = "the zone is missing: end it with Z or an offset such as +08:00, as in 2026-03-02T08:00:00+08:00"
        case sixtiethSecond =
            """
            seconds are counted from 00 to 59: write a leap second as 59, or as second 00 of the next minute, \
            such as 2017-01-01T00:00:00Z
            """
        case twentyFourthHour =
            "hours are counted from 00 to 23: write midnight as 00:00:00 of the next day, such as 2026-03-03T00:00:00Z"
        case noTime = "the time is missing: a date alone is no moment; write both, such as 2026-03-02T08:00:00Z"
        case noColon = "the offset's colon is missing: write +08:00 and not +0800, as in 2026-03-02T08:00:00+08:00"
        case noSuchDay = "there is no such day: look at month and day"
        case mailDate = "this is how mail and HTTP write a date; RFC 3339 writes it so: 2026-03-02T08:00:00Z"
    }

    /// The reason why a text is not an instant. It repeats nothing of the text.
    public static func complaint(about text: String) -> String {
        let text = text.trimmingCharacters(in: .whitespaces)
        let head = text.prefix(16)
        func isRight(_ text: String) -> Bool { Instant(text) != nil }
        let complaint: Complaint? =
            if text.utf8.count > 64 {
                nil
            } else if isRight(text + "Z") {
                .noZone
            } else if isRight(head + ":00" + text.dropFirst(16)) || isRight(text + ":00Z") {
                .noSeconds
            } else if isRight(text.replacing(":60", with: ":59")) {
                .sixtiethSecond
            } else if isRight(text.replacing("T24:", with: "T23:")) {
                .twentyFourthHour
            } else if CivilDate(text) != nil {
                .noTime
            } else if isRight(text.dropLast(2) + ":" + text.suffix(2)) {
                .noColon
            } else if isRight("2026-01-01" + text.dropFirst(10)),
                text.prefix(10).wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}/) != nil
            {
                .noSuchDay
            } else if text.hasSuffix("GMT") || text.hasSuffix("UTC")
                || text.prefix(3).allSatisfy(\.isLetter) && text.contains(",")
            {
                .mailDate
            } else {
                nil
            }
        return complaint?.rawValue ?? shape
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let instant = Instant(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Instant.complaint(about: text))
        }
        self = instant
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A day of the Gregorian calendar, without time or zone: `2026-03-02`.
public struct CivilDate: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Days since 1970-01-01.
    public let daysSinceEpoch: Int

    public init(daysSinceEpoch: Int) { self.daysSinceEpoch = daysSinceEpoch }

    /// `nil` if the date does not exist, such as 2026-02-30.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= CivilDate.length(ofMonth: month, year: year)
        else { return nil }
        // Days from civil, after Howard Hinnant's derivation: the year starts in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(daysSinceEpoch: era * 146_097 + dayOfEra - 719_468)
    }

    public init?(_ text: String) {
        var text = text
        guard
            let date = text.withUTF8({ bytes -> CivilDate? in
                var reader = DigitReader(bytes)
                guard let date = CivilDate(&reader), reader.isAtEnd else { return nil }
                return date
            })
        else { return nil }
        self = date
    }

    fileprivate init?(_ reader: inout DigitReader) {
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2)
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    public var components: (year: Int, month: Int, day: Int) {
        let shifted = daysSinceEpoch + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
    }

    public var description: String {
        var digits = DigitWriter()
        write(to: &digits)
        return digits.text
    }

    fileprivate func write(to digits: inout DigitWriter) {
        let (year, month, day) = components
        digits.write(nil, year, width: 4)
        digits.write("-", month, width: 2)
        digits.write("-", day, width: 2)
    }

    public static func < (left: CivilDate, right: CivilDate) -> Bool { left.daysSinceEpoch < right.daysSinceEpoch }

    package static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension CivilDate: Codable {
    public static let shape = "not a date such as 2026-03-02"

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let date = CivilDate(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: CivilDate.shape)
        }
        self = date
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Business time as a function of wall time, so that a rehearsal can run days in seconds (invariant 11). SQL gets it as
/// a parameter and reads no clock of its own: `TidyTests.noSQLReadsAClock`.
public struct BusinessClock: Sendable, Hashable {
    /// The wall time at which business time was `businessOrigin`.
    public let wallOrigin: Instant
    public let businessOrigin: Instant
    /// Business seconds per wall second; 1 in production.
    public let rate: Double

    public init(wallOrigin: Instant, businessOrigin: Instant, rate: Double) {
        self.wallOrigin = wallOrigin
        self.businessOrigin = businessOrigin
        self.rate = rate
    }

    /// The clock on which business time is wall time.
    public static let real = BusinessClock(
        wallOrigin: Instant(microsecondsSinceEpoch: 0), businessOrigin: Instant(microsecondsSinceEpoch: 0), rate: 1)

    public func instant(atWall wall: Instant) -> Instant {
        rate == 1 && wallOrigin == businessOrigin
            ? wall : businessOrigin.adding(seconds: wall.seconds(since: wallOrigin) * rate)
    }
}

private struct DigitReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func take(oneOf characters: StaticString) -> Bool {
        guard index < bytes.count else { return false }
        let found = characters.withUTF8Buffer { $0.contains(bytes[index]) }
        if found { index += 1 }
        return found
    }

    mutating func number(_ digits: Int) -> Int? {
        guard index + digits <= bytes.count else { return nil }
        var value = 0
        for _ in 0..<digits {
            guard (0x30...0x39).contains(bytes[index]) else { return nil }
            value = value * 10 + Int(bytes[index] - 0x30)
            index += 1
        }
        return value
    }

    /// Reads fractional digits as microseconds; finer digits are cut off.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var digits = 0
        while index < bytes.count, (0x30...0x39).contains(bytes[index]), digits < 18 {
            if digits < 6 { value = value * 10 + Int64(bytes[index] - 0x30) }
            digits += 1
            index += 1
        }
        guard digits > 0 else { return nil }
        for _ in min(digits, 6)..<6 { value *= 10 }
        return value
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(floor divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Writes numbers padded with zeros on the left; a fast one, because every message and ledger entry contains
/// times.
private struct DigitWriter {
    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(27) }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func write(_ separator: Unicode.Scalar?, _ number: Int, width: Int) {
        if let separator { bytes.append(UInt8(ascii: separator)) }
        guard number >= 0 else { return bytes += Array(String(number).utf8) }
        var divisor = 1
        var left = width - 1
        while left > 0 || number / divisor >= 10 {
            divisor *= 10
            left -= 1
        }
        while divisor > 0 {
            bytes.append(UInt8(0x30 + number / divisor % 10))
            divisor /= 10
        }
    }
}
