import Basics
import Casework
import Foundation
import Testing

@Suite("Instants and days")
struct InstantTests {
    /// What is read, the microseconds since 1970 (worked out by Python's datetime), and how it is written again.
    static let readings: [(text: String, microseconds: Int64, written: String)] = [
        ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
        ("2026-03-02T08:00:00Z", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2026-03-02T08:00:00.123456Z", 1_772_438_400_123_456, "2026-03-02T08:00:00.123456Z"),
        ("2026-03-02T08:00:00.5Z", 1_772_438_400_500_000, "2026-03-02T08:00:00.500000Z"),
        ("2026-03-02T08:00:00.000001Z", 1_772_438_400_000_001, "2026-03-02T08:00:00.000001Z"),
        ("2026-03-02T08:00:00.1234569Z", 1_772_438_400_123_456, "2026-03-02T08:00:00.123456Z"),
        ("2026-03-02T16:00:00+08:00", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2026-03-01T22:30:00-09:30", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2026-03-02T08:00:00-00:00", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2026-03-02t08:00:00z", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2026-03-02 08:00:00Z", 1_772_438_400_000_000, "2026-03-02T08:00:00Z"),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000_000, "2024-02-29T12:00:00Z"),
        ("2024-03-01T00:30:00+12:30", 1_709_208_000_000_000, "2024-02-29T12:00:00Z"),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000, "2000-02-29T00:00:00Z"),
        ("1969-12-31T23:59:59Z", -1_000_000, "1969-12-31T23:59:59Z"),
        ("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z"),
        ("1900-03-01T00:00:00Z", -2_203_891_200_000_000, "1900-03-01T00:00:00Z"),
        ("1600-02-29T06:30:00Z", -11_670_975_000_000_000, "1600-02-29T06:30:00Z"),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000, "9999-12-31T23:59:59Z"),
    ]

    static let unreadable = [
        "", "now", "2026-03-02", "08:00:00Z", "2026-03-02T08:00Z", "2026-03-02T08:00:00", "2026-03-02T08:00:00 Z",
        "2026-03-02T08:00:00Z ", " 2026-03-02T08:00:00Z", "2026-03-02T08:00:00.Z", "2026-03-02T08:00:00,5Z",
        "2026-03-02X08:00:00Z",
        "2026-3-2T08:00:00Z", "26-03-02T08:00:00Z", "+2026-03-02T08:00:00Z", "-2026-03-02T08:00:00Z",
        "20260302T080000Z",
        // Times that no clock shows; leap seconds are not kept.
        "2026-03-02T24:00:00Z", "2026-03-02T08:60:00Z", "2026-03-02T08:00:60Z", "2026-03-02T-8:00:00Z",
        // Offsets
        "2026-03-02T08:00:00+8", "2026-03-02T08:00:00+0800", "2026-03-02T08:00:00+24:00", "2026-03-02T08:00:00+08:60",
        "2026-03-02T08:00:00+08:00Z", "2026-03-02T08:00:00UTC",
        // Days that do not exist
        "2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "0000-01-01T00:00:00Z",
        // Digits of other scripts, and a second dot
        "２０２６-03-02T08:00:00Z", "2026-03-02T08:00:00.1.2Z",
        // Moments whose day in UTC has a year that four digits cannot write
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    ]

    @Test("an instant is read from RFC 3339, and written in UTC", arguments: readings)
    func readsRFC3339AndWritesUTC(text: String, microseconds: Int64, written: String) throws {
        let instant = try #require(Instant(text))
        #expect(instant.microsecondsSinceEpoch == microseconds)
        #expect(instant.description == written)
        #expect(Instant(written) == instant)
    }

    @Test("a text that is no instant is refused", arguments: unreadable)
    func refusesMalformedInstants(text: String) { #expect(Instant(text) == nil) }

    @Test("an instant in JSON is a string, and the error for a bad one is in plain words")
    func readsInstantsFromJSON() throws {
        let instant = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        let json = try JSONEncoder().encode([instant])
        #expect(String(decoding: json, as: UTF8.self) == #"["2026-03-02T08:00:00Z"]"#)
        #expect(try JSONDecoder().decode([Instant].self, from: json) == [instant])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Instant].self, from: Data(#"["yesterday"]"#.utf8))
        }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([CivilDate].self, from: Data(#"["2026-02-30"]"#.utf8))
        }
    }

    @Test("every day of 1900 to 2100 round-trips and follows the day before, as an independent calendar counts")
    func agreesWithCalendarOnEveryDay() throws {
        let first = try #require(CivilDate("1900-01-01"))
        let last = try #require(CivilDate("2100-12-31"))
        #expect(first.daysSinceEpoch == -25_567)
        #expect(last.daysSinceEpoch == 47_846)
        // A counter of its own: it knows the lengths of months, and nothing of eras.
        var (year, month, day) = (1900, 1, 1)
        var wrong: [Int] = []
        for number in first.daysSinceEpoch...last.daysSinceEpoch {
            let date = CivilDate(daysSinceEpoch: number)
            if date.components != (year, month, day) || CivilDate(year: year, month: month, day: day) != date
                || CivilDate(date.description) != date
                || Instant("\(date)T23:59:59.999999Z")?.description != "\(date)T23:59:59.999999Z"
            {
                wrong.append(number)
            }
            let leap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
            let length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
            if day < length {
                day += 1
            } else if month < 12 {
                (month, day) = (month + 1, 1)
            } else {
                (year, month, day) = (year + 1, 1, 1)
            }
        }
        #expect(wrong.isEmpty)
        #expect((year, month, day) == (2101, 1, 1))
    }

    @Test(
        "days are counted over the whole range of four-digit years",
        arguments: [("0001-01-01", -719_162), ("9999-12-31", 2_932_896)])
    func countsDaysToTheEdges(text: String, days: Int) throws {
        let date = try #require(CivilDate(text))
        #expect(date.daysSinceEpoch == days)
        #expect(date.description == text)
    }

    @Test(
        "a text that is no day is refused",
        arguments: [
            "2026-02-29", "2026-2-1", "2026-02-01 ", "2026/02/01", "20260201", "0000-12-31", "10000-01-01",
            "2026-06-31", "", "2026-02-01T",
        ])
    func refusesMalformedDays(text: String) { #expect(CivilDate(text) == nil) }

    @Test("instants are ordered and counted in seconds")
    func countsInSeconds() {
        let start = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        #expect(start.adding(seconds: 1.5).seconds(since: start) == 1.5)
        #expect(start.adding(seconds: -0.000001) < start)
        #expect(Instant(Date(timeIntervalSince1970: -0.25)).microsecondsSinceEpoch == -250_000)
    }

    @Test("business time runs at its rate from its origin, and in service it is wall time")
    func scalesBusinessTime() {
        let wall = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        #expect(BusinessClock.real.instant(atWall: wall) == wall)
        let origin = Instant(microsecondsSinceEpoch: 1_000_000_000_000_000)
        let fast = BusinessClock(wallOrigin: wall, businessOrigin: origin, rate: 86_400)
        #expect(fast.instant(atWall: wall) == origin)
        #expect(fast.instant(atWall: wall.adding(seconds: 2)).seconds(since: origin) == 172_800)
        let offset = BusinessClock(wallOrigin: wall, businessOrigin: origin, rate: 1)
        #expect(offset.instant(atWall: wall.adding(seconds: 3)) == origin.adding(seconds: 3))
    }
}
