import Basics
import Foundation
import Testing

@testable import Casework

@Suite("Periods of duties")
struct DutyPeriodTests {
    /// Where a period ends, in zones whose clocks change at the very midnight, or that change their date.
    static let ends: [(String, String, String)] = [
        ("2026-10", "Asia/Shanghai", "2026-10-31T16:00:00Z"), ("2026-Q3", "Asia/Shanghai", "2026-09-30T16:00:00Z"),
        ("2026-12", "Asia/Shanghai", "2026-12-31T16:00:00Z"), ("2026-Q4", "UTC", "2027-01-01T00:00:00Z"),
        ("2024-02", "UTC", "2024-03-01T00:00:00Z"),
        // Summer time ended some days before: the offset is that of the day itself.
        ("2026-10", "Europe/Vienna", "2026-10-31T23:00:00Z"), ("2026-03", "Europe/Vienna", "2026-03-31T22:00:00Z"),
        // No clock showed this midnight: it went from 23:59:59 to 01:00.
        ("2017-Q3", "America/Asuncion", "2017-10-01T04:00:00Z"),
        // This midnight came twice: the clocks went back from 01:00 to 00:00.
        ("2015-10", "America/Havana", "2015-11-01T04:00:00Z"),
        // A day that did not exist: Samoa went from the 29th of December to the 31st.
        ("2011-12", "Pacific/Apia", "2011-12-31T10:00:00Z"),
    ]

    @Test("a period ends when the first day of the next begins in the office's zone", arguments: ends)
    func endsAtMidnightOfTheZone(period: String, zone: String, end: String) throws {
        let (period, zone) = (try #require(DutyPeriod(period)), try #require(TimeZone(identifier: zone)))
        let moment = period.end(in: zone)
        #expect(moment.description == end)
        #expect(DutyPeriod(period.length, containing: moment, in: zone) == period.next)
        #expect(
            DutyPeriod(period.length, containing: moment.adding(seconds: -0.000_001), in: zone) == period
                || zone.identifier == "America/Havana")
    }

    @Test("a period is read as it is written, and nothing else is")
    func readsWhatItWrites() {
        for text in ["2026-01", "2026-12", "2026-Q1", "2026-Q4", "0001-Q1"] {
            #expect(DutyPeriod(text)?.description == text)
        }
        for text in [
            "2026-00", "2026-13", "2026-Q0", "2026-Q5", "2026-1", "2026-QQ1", "26-01", "2026-01-01", "", "2026",
        ] {
            #expect(DutyPeriod(text) == nil, "\(text)")
        }
        #expect(
            DutyPeriod("2026-12")?.next.description == "2027-01"
                && DutyPeriod("2026-Q1")?.previous.description == "2025-Q4")
        let months = (DutyPeriod("2026-02"), DutyPeriod("2027-01"))
        #expect(months.0.flatMap { months.1?.distance(from: $0) } == 11)
    }

    @Test("a duty is read as it is written: who owes it, the row, the period")
    func readsDutyKeys() {
        for text in ["office/duty-summary/2026-10", "unit.d1/duty-return/2026-Q3", "person.li/x/2026-Q3"] {
            #expect(DutyKey(text)?.description == text)
        }
        for text in [
            "d1/duty-return/2026-Q3", "unit./duty/2026-Q3", "office/Duty/2026-Q3", "office/duty/2026", "office/duty",
            "office/duty/2026-Q3/x", "source.web/duty/2026-Q3",
        ] { #expect(DutyKey(text) == nil, "\(text)") }
        #expect(DutyKey("person.li/x/2026-Q3")?.clock == nil)
    }
}
