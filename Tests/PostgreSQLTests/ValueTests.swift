import Foundation
import PostgreSQL
import Testing

/// The ends of the ranges, and what lies beyond.
@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct ValueTests {
    @Test("integers keep their extremes, and one out of range is an error of the server")
    func keepsExtremeIntegers() throws {
        try TestDatabase.reading { connection in
            for (values, texts) in [
                ([.int2(.min), .int4(.min), .int8(.min)], ["-32768", "-2147483648", "-9223372036854775808"]),
                ([.int2(.max), .int4(.max), .int8(.max)], ["32767", "2147483647", "9223372036854775807"]),
            ] as [([Parameter], [String])] {
                let back = try connection.run(AsTexts(parameters: values)).rows
                #expect(back == [texts])
            }
            struct Narrow: Statement {
                static let sql = "SELECT $1::int2"
                var parameters: [Parameter] { [.int8(40_000)] }
                func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
            }
            #expect(try error { try connection.run(Narrow()) }.sqlState == "22003")
        }
    }

    @Test("floating-point numbers keep every bit, NaN, infinities and negative zero")
    func keepsEveryBitOfFloats() throws {
        try TestDatabase.reading { connection in
            let doubles: [Double] = [
                .nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi,
            ]
            let backDoubles = try connection.run(Doubles(parameters: [.doubles(doubles)])).rows[0]
            #expect(backDoubles.map(\.bitPattern) == doubles.map(\.bitPattern))
            let floats: [Float] = [.nan, .infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1]
            let backFloats = try connection.run(Doubles(parameters: [.floats(floats)])).rows[0]
            #expect(backFloats.map { Float($0).bitPattern } == floats.map(\.bitPattern))
        }
    }

    @Test("exact numbers come back digit by digit, as the server spells them")
    func keepsExactNumbers() throws {
        try TestDatabase.reading { connection in
            let long = String(repeating: "9", count: 131_072) + "." + String(repeating: "1", count: 16_383)
            let texts = [
                "0", "0.00", "-0.0000001", "1", "10000", "100000000", "9999", "-12345678.90", "0.00010000",
                "1234567890123456789.0987654321",
                "NaN", "Infinity", "-Infinity", "10000000000000000000000.0000000000000000000000000001", long,
                "-" + long,
            ]
            let values = texts.map { ExactDecimal($0) }
            #expect(values.map { $0?.text } == texts)
            let back = try connection.run(Numerics(values: values)).rows
            let spelled = try connection.run(NumericTexts(values: values)).rows
            #expect(back == values && spelled == texts)
            for (spelt, canonical) in [("+007.50", "7.50"), ("-0.0", "0.0"), ("000", "0")] {
                #expect(ExactDecimal(spelt)?.text == canonical)
            }
            for wrong in [
                "", "-", ".", "1.", ".5", "1e5", "0x1", "1,5", " 1", "１", "--1", "nan", "1.2.3", "9" + long, long + "1",
            ] {
                #expect(ExactDecimal(wrong) == nil)
            }
        }
    }

    @Test("times and days from before Christ to beyond 9999 mean the same on both sides")
    func keepsFarTimes() throws {
        try TestDatabase.reading { connection in
            let far: [(text: String, date: CalendarDate?)] = [
                ("4714-11-24 BC", CalendarDate(year: -4713, month: 11, day: 24)),
                ("0001-12-31 BC", CalendarDate(year: 0, month: 12, day: 31)),
                ("0005-02-29 BC", CalendarDate(year: -4, month: 2, day: 29)),
                ("0001-01-01", CalendarDate(year: 1, month: 1, day: 1)),
                ("1970-01-01", CalendarDate(daysSinceEpoch: 0)),
                ("2000-02-29", CalendarDate(year: 2000, month: 2, day: 29)),
                ("12345-06-07", CalendarDate(year: 12_345, month: 6, day: 7)),
                ("5874897-12-31", CalendarDate(year: 5_874_897, month: 12, day: 31)),
                ("infinity", .distantFuture), ("-infinity", .distantPast),
            ]
            let dates = try connection.run(DatesFromText(texts: far.map(\.text))).rows
            #expect(dates == far.map(\.date))
            let spelled = try connection.run(DatesAsText(dates: dates)).rows
            #expect(spelled == far.map(\.text))
            let times = [
                "4714-11-24 00:00:00+00 BC", "0001-12-31 23:59:59.999999+00 BC", "12345-06-07 08:09:10.000001+00",
                "294246-12-31 00:00:00+00",
            ]
            let moments = try connection.run(TimesFromText(texts: times)).rows
            let momentsSpelled = try connection.run(TimesAsText(times: moments)).rows
            #expect(momentsSpelled == times)
            #expect(
                try error { _ = try connection.run(TimesFromText(texts: ["294276-12-31 00:00:00+00"])) }.code
                    == .decoding)
        }
    }

    @Test("every day of more than 400 years is the server's day")
    func agreesWithServersCalendar() throws {
        try TestDatabase.reading { connection in
            let rows = try connection.run(EveryDay()).rows
            #expect(rows.count > 150_000)
            let wrong = rows.filter { row in
                guard let (year, month, day) = row.date.components else { return true }
                return [year, month, day] != row.parts || CalendarDate(year: year, month: month, day: day) != row.date
            }
            #expect(wrong.count == 0)
            #expect(
                CalendarDate(year: 2023, month: 2, day: 29) == nil && CalendarDate(year: 1900, month: 2, day: 29) == nil
            )
            #expect(
                CalendarDate(year: 2023, month: 13, day: 1) == nil && CalendarDate(year: 2023, month: 4, day: 31) == nil
            )
            #expect(
                CalendarDate(year: .max, month: 1, day: 1) == nil && CalendarDate(year: 1, month: 1, day: .max) == nil)
            #expect(
                CalendarDate.distantFuture.components == nil
                    && CalendarDate.distantPast < CalendarDate(daysSinceEpoch: 0))
        }
    }

    @Test("times and days that PostgreSQL does not have are refused before they are sent")
    func refusesTimesBeyondRange() throws {
        try TestDatabase.reading { connection in
            let beyond: [Parameter] = [
                .timestamptz(Timestamp(microsecondsSinceEpoch: .min + 1)),
                .timestamptz(Timestamp(microsecondsSinceEpoch: .min + 946_684_800_000_000)),
                .timestamptz(Timestamp(microsecondsSinceEpoch: -210_866_803_200_000_001)),
                .dates([CalendarDate(daysSinceEpoch: .max - 1)]),
                .date(CalendarDate(daysSinceEpoch: -2_440_589)), .date(CalendarDate(daysSinceEpoch: 2_145_042_906)),
                .date(CalendarDate(daysSinceEpoch: .min + 1)),
            ]
            for value in beyond {
                #expect(try error { try connection.run(AsText(parameters: [value])) }.code == .invalidArgument)
            }
            let last = try connection.run(AsText(parameters: [.date(CalendarDate(daysSinceEpoch: 2_145_042_905))])).rows
            #expect(last == ["5874897-12-31"])
        }
    }

    @Test("text and bytes may be empty, which is not NULL; every byte survives")
    func keepsEmptyApartFromNull() throws {
        try TestDatabase.reading { connection in
            let values: [Parameter] = [.text(""), .text(nil), .bytea([]), .bytea(nil), .texts([]), .texts(["", nil])]
            let areNull = try connection.run(AreNull(parameters: values)).rows
            #expect(areNull == [[false, true, false, true, false, false]])
        }
    }
}

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct ArrayTests {
    @Test("arrays are read with NULL elements, as NULL, empty, and with any lower bound")
    func readsNullElementsAndBounds() throws {
        try TestDatabase.reading { connection in
            let row = try #require(try connection.run(ArraysWithNulls()).rows.first)
            #expect(row.texts == ["a", nil, ""])
            #expect(row.none == nil && row.empty == [])
            #expect(row.shifted == [1, 2, nil])
            #expect(
                row.others == "[Optional(true), nil] [nil, Optional(0.5)] [Optional(1.50), nil] [Optional([1]), nil] "
                    + #"[nil] [nil, nil] [nil] [Optional("{}"), nil]"#)
        }
    }

    @Test("reading an array of arrays is refused, and the error names the column")
    func refusesNestedArrays() throws {
        try TestDatabase.reading { connection in
            for failure in [
                try error { try connection.run(NestedArray()) },
                try error { try connection.run(NestedArrayWithNulls()) },
            ] {
                #expect(failure.code == .decoding && failure.description.contains("one-dimensional"))
                #expect(failure.description.contains("nested"))
            }
            try connection.ping()
        }
    }

    @Test("an array of a million elements goes in and comes back")
    func sendsArrayOfAMillion() throws {
        try TestDatabase.reading { connection in
            let numbers = (0..<1_000_000).map { Int64($0) }
            let back = try connection.run(EchoNumbers(parameters: [.int8s(numbers)])).rows
            #expect(back == [numbers])
        }
    }

    @Test("a value of more than a gigabyte is refused before it is sent, because the server would hang up")
    func refusesMoreThanAGigabyte() throws {
        try TestDatabase.reading { connection in
            let bytes = [UInt8](repeating: 0, count: 600 << 20)
            let failure = try error { try connection.run(AreNull(parameters: [.byteas([bytes, bytes])])) }
            #expect(failure.code == .invalidArgument && failure.description.contains("1 GiB"))
            try connection.ping()
        }
    }
}

// MARK: Statements

private struct AsTexts: Statement {
    static let sql = "SELECT $1::text, $2::text, $3::text"
    let parameters: [Parameter]
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [String] {
        [try row.text(), try row.text(), try row.text()]
    }
}

private struct AsText: Statement {
    static let sql = "SELECT $1::text"
    let parameters: [Parameter]
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct Doubles: Statement {
    static let sql = "SELECT $1"
    let parameters: [Parameter]
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [Double] { try row.doubles() }
}

private struct Numerics: Statement {
    static let sql = "SELECT n FROM unnest($1) WITH ORDINALITY AS list (n, place) ORDER BY place"
    let values: [ExactDecimal?]
    var parameters: [Parameter] { [.numerics(values)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ExactDecimal? { try row.numericOrNil() }
}

private struct NumericTexts: Statement {
    static let sql = "SELECT n::text FROM unnest($1) WITH ORDINALITY AS list (n, place) ORDER BY place"
    let values: [ExactDecimal?]
    var parameters: [Parameter] { [.numerics(values)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct DatesFromText: Statement {
    static let sql = "SELECT t::date FROM unnest($1::text[]) AS t"
    let texts: [String]
    var parameters: [Parameter] { [.texts(texts)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> CalendarDate { try row.date() }
}

private struct DatesAsText: Statement {
    static let sql = "SELECT d::text FROM unnest($1) AS d"
    let dates: [CalendarDate]
    var parameters: [Parameter] { [.dates(dates)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct TimesFromText: Statement {
    static let sql = "SELECT t::timestamptz FROM unnest($1::text[]) AS t"
    let texts: [String]
    var parameters: [Parameter] { [.texts(texts)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Timestamp { try row.timestamptz() }
}

private struct TimesAsText: Statement {
    static let sql = """
        SELECT replace((t AT TIME ZONE 'UTC')::text, ' BC', '') || '+00'
            || CASE WHEN t < '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END
        FROM unnest($1) AS t
        """
    let times: [Timestamp]
    var parameters: [Parameter] { [.timestamptzs(times)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct EveryDay: Statement {
    static let sql = """
        SELECT day, extract(year FROM day)::int4, extract(month FROM day)::int4, extract(day FROM day)::int4
        FROM (SELECT '1690-01-01'::date + n AS day FROM generate_series(0, 160000) AS n) AS days
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (date: CalendarDate, parts: [Int]) {
        (try row.date(), [try row.int(), try row.int(), try row.int()])
    }
}

private struct AreNull: Statement {
    static let sql = "SELECT ARRAY[$1 IS NULL, $2 IS NULL, $3 IS NULL, $4 IS NULL, $5 IS NULL, $6 IS NULL]"
    let parameters: [Parameter]
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [Bool] { try row.bools() }
}

private struct ArraysWithNulls: Statement {
    static let sql = """
        SELECT ARRAY['a', NULL, ''], NULL::text[], '{}'::int4[], '[5:7]={1,2,NULL}'::int2[], ARRAY[true, NULL], \
        ARRAY[NULL, 0.5::real],
            ARRAY[1.50, NULL], ARRAY['\\x01'::bytea, NULL], ARRAY[NULL]::uuid[], ARRAY[NULL, NULL]::timestamptz[], \
            ARRAY[NULL]::date[],
            ARRAY['{}', NULL]::jsonb[]
        """
    struct Arrays: Sendable {
        let texts: [String?]?, none: [String?]?, empty: [Int64?]?, shifted: [Int64?]?, others: String
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Arrays {
        Arrays(
            texts: try row.array(of: .text), none: try row.array(of: .text), empty: try row.array(of: .int8),
            shifted: try row.array(of: .int8),
            others: [
                "\(try row.array(of: .bool) ?? [])", "\(try row.array(of: .double) ?? [])",
                "\(try row.array(of: .numeric) ?? [])",
                "\(try row.array(of: .bytea) ?? [])", "\(try row.array(of: .uuid) ?? [])",
                "\(try row.array(of: .timestamptz) ?? [])",
                "\(try row.array(of: .date) ?? [])", "\(try row.array(of: .jsonb) ?? [])",
            ].joined(separator: " "))
    }
}

private struct NestedArray: Statement {
    static let sql = "SELECT '{{1,2},{3,4}}'::int8[] AS nested"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [Int64] { try row.int8s() }
}

private struct NestedArrayWithNulls: Statement {
    static let sql = "SELECT '{{1,NULL},{3,4}}'::int8[] AS nested"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [Int64?]? { try row.array(of: .int8) }
}

private struct EchoNumbers: Statement {
    static let sql = "SELECT $1"
    let parameters: [Parameter]
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [Int64] { try row.int8s() }
}
