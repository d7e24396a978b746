import Casework
import Foundation
import Testing
@testable import Basics
@testable import Submitting

@Suite("Times of foreign files")
struct TimePatternTests {
    static func read(_ at: String, format: String) throws -> Result<ReportLine, LineProblem> {
        let map = try FieldMap(yaml: "fields:\n  text: text\n  receivedAt: { from: at, \(format) }\n")
        let reader = ReportLineReader(map: map, defaultSource: SourceID(unchecked: "web"))
        return try #require(reader.read("{\"text\":\"x\",\"at\":\(at)}", number: 7))
    }

    static let any = #"zone: "+08:00""#

    @Test(
        "with only a zone given, every unambiguous time is read",
        arguments: [
            ("2019/3/5 8:05", "2019-03-05T00:05:00Z"), ("2019/03/05 08:05:00", "2019-03-05T00:05:00Z"),
            ("2019-03-05 08:05:00.0", "2019-03-05T00:05:00Z"), ("2019-03-05 08:05:00.123", "2019-03-05T00:05:00.123Z"),
            ("2019年3月5日", "2019-03-04T16:00:00Z"), ("2019年3月5日 8时5分", "2019-03-05T00:05:00Z"),
            ("43529.336805", "2019-03-05T00:05:00Z"),
            ("43529", "2019-03-04T16:00:00Z"), ("2019.3.5", "2019-03-04T16:00:00Z"),
            ("20190305", "2019-03-04T16:00:00Z"),
            ("20190305080500", "2019-03-05T00:05:00Z"), ("2019-03-05T08:05", "2019-03-05T00:05:00Z"),
            ("2019-03-05T00:05:00Z", "2019-03-05T00:05:00Z"),
            (" 2019/3/5\u{3000}8:05 ", "2019-03-05T00:05:00Z"), ("2020-2-29", "2020-02-28T16:00:00Z"),
            ("2019/3/5 上午9:05", "2019-03-05T01:05:00Z"), ("2019/3/5 下午9:05:07", "2019-03-05T13:05:07Z"),
            ("2019/3/5 下午12:05", "2019-03-05T04:05:00Z"),
            ("2019/3/5 上午12:05", "2019-03-04T16:05:00Z"), ("2019年3月5日 下午3时", "2019-03-05T07:00:00Z"),
            ("2019-3-5 下午15:30", "2019-03-05T07:30:00Z"),
            ("2019-3-5 8:05 PM", "2019-03-05T12:05:00Z"), ("2019/3/5 8:05:00 a.m.", "2019-03-05T00:05:00Z"),
            ("2019-3-5 9:5", "2019-03-05T01:05:00Z"),
            ("201903050805", "2019-03-05T00:05:00Z"), ("20190305 08:05", "2019-03-05T00:05:00Z"),
            ("2019年3月5号 8点5分", "2019-03-05T00:05:00Z"),
            ("２０１９年３月５日 ８：０５", "2019-03-05T00:05:00Z"), ("2019-03-05T08:05:00.000+0800", "2019-03-05T00:05:00Z"),
            ("2019-03-05 08:05:00 +0800", "2019-03-05T00:05:00Z"), ("2019-03-05T08:05:00-0400", "2019-03-05T12:05:00Z"),
        ])
    func readsUnambiguousTimes(text: String, moment: String) throws {
        #expect(try Self.read("\"\(text)\"", format: Self.any).get().submission.receivedAt == Instant(moment))
    }

    @Test(
        "an impossible or ambiguous date is named as a problem, and never guessed",
        arguments: [
            "0000-00-00 00:00:00", "2019-03-05 24:00:00", "2019年2月30日", "2019/13/1", "2019-02-29", "2019-3-5 8:60",
            "2019-03-05 08:05:60", "2019年3月", "03/04/2019", "3/4/19", "5.3.2019", "4352", "1",
            "999999999", "-1", "2019-3-5 13:05 AM", "2019/3/5 上午15:05", "2019/3/5 上午", "下午 2019/3/5",
            "2019/3/5 上午9:05 PM", "2019/3/5 下午0:05", "昨天",
        ])
    func refusesAmbiguousDates(text: String) throws {
        let result = try Self.read("\"\(text)\"", format: Self.any)
        guard case .failure(let problem) = result else {
            Issue.record("\(text) was read")
            return
        }
        #expect(problem.reason.hasPrefix("the date in \"at\" does not exist, or is not written as expected"))
    }

    @Test(
        "blanks, null and the words of `empty` are none",
        arguments: ["\"\"", "\"  \"", "\"\u{3000} \u{A0}\"", "null", "\"null\"", "\"NULL \"", "\"无\"", "\"/\""])
    func treatsBlanksAsNone(value: String) throws {
        #expect(try Self.read(value, format: #"zone: "+08:00", empty: [无, "/"]"#).get().submission.receivedAt == nil)
    }

    @Test("several formats are tried, and a date that two of them read differently is a problem")
    func triesSeveralFormats() throws {
        let formats = #"format: ["dd/MM/yyyy", "MM/dd/yyyy", excel], zone: Z"#
        #expect(
            try Self.read("\"25/04/2019\"", format: formats).get().submission.receivedAt
                == Instant("2019-04-25T00:00:00Z"))
        #expect(
            try Self.read("\"04/04/2019\"", format: formats).get().submission.receivedAt
                == Instant("2019-04-04T00:00:00Z"))
        #expect(
            try Self.read("43580.5", format: formats).get().submission.receivedAt == Instant("2019-04-25T12:00:00Z"))
        guard case .failure(let problem) = try Self.read("\"03/04/2019\"", format: formats) else {
            Issue.record("a day or a month was guessed")
            return
        }
        #expect(problem.reason.contains("can be read in two ways"))
    }

    @Test(
        "a spreadsheet's days are counted as it counts them, to the second; its 29 February 1900 is none",
        arguments: [
            ("1", "1900-01-01T00:00:00Z"), ("59", "1900-02-28T00:00:00Z"), ("60", nil), ("61", "1900-03-01T00:00:00Z"),
            ("43529.999999", "2019-03-06T00:00:00Z"),
            ("2958465", "9999-12-31T00:00:00Z"), ("2958466", nil), ("0", nil), ("1e3", nil), ("-5", nil),
        ] as [(String, String?)])
    func countsSpreadsheetDays(number: String, moment: String?) throws {
        let result = try Self.read(number, format: "format: excel, zone: Z")
        #expect((try? result.get().submission.receivedAt) == moment.flatMap { Instant($0) })
    }

    @Test(
        "a pattern accepts only the widths it states",
        arguments: [
            ("yyyy/MM/dd HH:mm:ss", "2019/03/05 08:05:00", true), ("yyyy/MM/dd HH:mm:ss", "2019/3/5 8:05:00", false),
            ("yyyy/M/d H:mm", "2019/3/5 8:05", true), ("yyyy/M/d H:mm", "2019/03/05 08:05", true),
            ("yyyy/M/d H:mm", "2019/3/5 8:5", false),
            ("d.M.yyyy", "5.3.2019", true), ("yyyy-MM-dd HH:mm:ss.S", "2019-03-05 08:05:00.5", true),
            ("yyyy-MM-dd HH:mm:ss.S", "2019-03-05 08:05:00", false),
        ])
    func takesOnlyItsWidths(pattern: String, text: String, fits: Bool) throws {
        let result = try Self.read("\"\(text)\"", format: "format: \"\(pattern)\", zone: Z")
        #expect(((try? result.get()) != nil) == fits)
    }

    @Test(
        "an incomplete or ambiguous pattern is refused",
        arguments: ["yyyy-MM", "yy-MM-dd", "yyyyMd", "yyyy-MM-dd MM", "yyyy-MM-dd .S", "yyyy-MMM-dd", ""])
    func refusesAmbiguousPatterns(pattern: String) {
        #expect(DatePattern(pattern) == nil)
    }
}
