import Foundation
import PostgreSQL
import Testing

private let awkward = "it's \"quoted\", {braces}, back\\slash,\nnew line,\ttab, 报送, 🧾𝄞, NULL, \u{1}"
private let allBytes = [UInt8](0...255)
private let moments = [
    Timestamp(microsecondsSinceEpoch: 0), Timestamp(microsecondsSinceEpoch: -1),
    Timestamp(microsecondsSinceEpoch: -2_208_988_800_123_456), Timestamp(microsecondsSinceEpoch: 1_793_373_226_654_321),
    .distantFuture, .distantPast,
]

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct TypeTests {
    @Test("every scalar comes back as it was sent, NULL included")
    func keepsEveryScalar() throws {
        try TestDatabase.reading { connection in
            let id = UUID()
            let full = Scalars(
                bool: true, int4: .min, int8: .max, double: -0.1, text: awkward, bytea: allBytes, uuid: id,
                timestamptz: moments[2], jsonb: #"{"a": [1, "é🧾", null]}"#)
            let empty = Scalars(
                bool: false, int4: 0, int8: .min, double: .infinity, text: "", bytea: [], uuid: id,
                timestamptz: .distantPast, jsonb: "null")
            for scalars in [full, empty, Scalars()] {
                let back = try connection.run(EchoScalars(scalars: scalars)).rows
                #expect(back == [scalars])
            }
        }
    }

    @Test("every array comes back element by element, NULL elements included")
    func keepsArraysWithNulls() throws {
        try TestDatabase.reading { connection in
            let rows = [
                Scalars(
                    bool: false, int4: -1, int8: 1 << 40, double: 2.5, text: awkward, bytea: [0, 0], uuid: UUID(),
                    timestamptz: moments[3], jsonb: "[]"),
                Scalars(),
                Scalars(
                    bool: true, int4: 7, int8: -7, double: .nan, text: "", bytea: [], uuid: UUID(),
                    timestamptz: .distantFuture, jsonb: #""x""#),
            ]
            let back = try connection.run(Unnest(rows: rows)).rows
            #expect(back.count == 3)
            #expect(back[0] == rows[0])
            #expect(back[1] == rows[1])
            #expect(back[2].double?.isNaN == true)
            #expect(back[2].text == "" && back[2].bytea == [] && back[2].timestamptz == .distantFuture)
            #expect(try connection.run(Unnest(rows: [])).rows.isEmpty)
        }
    }

    @Test("arrays are read as arrays, the empty ones too")
    func readsArraysIncludingEmptyOnes() throws {
        try TestDatabase.reading { connection in
            let full = Arrays(
                bools: [true, false], int8s: [.min, 0, .max], doubles: [0, -1.5], texts: [awkward, ""],
                byteas: [allBytes, []], uuids: [UUID(), UUID()], timestamptzs: moments, jsonbs: ["1", #"{"k": "v"}"#])
            for arrays in [full, Arrays()] {
                let back = try connection.run(EchoArrays(arrays: arrays)).rows
                #expect(back == [arrays])
            }
        }
    }

    @Test("times mean on the server what they mean here")
    func agreesWithServerOnTimes() throws {
        try TestDatabase.reading { connection in
            let texts = try connection.run(TimesAsText(times: moments)).rows
            #expect(
                texts == [
                    "1970-01-01 00:00:00.000000", "1969-12-31 23:59:59.999999", "1899-12-31 23:59:59.876544",
                    "2026-10-30 15:13:46.654321", "infinity", "-infinity",
                ])
        }
    }

    @Test("smaller integers, float4, varchar, name, enumerations and json are read too")
    func readsRelatedTypes() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TYPE mood AS ENUM ('calm', 'busy')")
            let row = try #require(try connection.run(Relatives()).rows.first)
            #expect(row == "-2 3 0.5 v pg_class busy [\"calm\", \"busy\"] {\"a\":1}")
        }
    }

    @Test("a NUL within a text is refused before anything is sent")
    func refusesNULInText() throws {
        try TestDatabase.reading { connection in
            let text = try error { try connection.run(EchoScalars(scalars: Scalars(text: "a\0b"))) }
            #expect(text.code == .invalidArgument)
            #expect(text.description.contains("NUL"))
            #expect(try error { try connection.execute("SELECT 'a\0b'") }.code == .invalidArgument)
            try connection.ping()
        }
    }

    @Test("a row of another shape is a decoding error, and the connection stays usable")
    func reportsRowOfAnotherShape() throws {
        try TestDatabase.reading { connection in
            for wrong in [
                try error { try connection.run(WrongType()) }, try error { try connection.run(UnexpectedNull()) },
                try error { try connection.run(TooFewColumns()) }, try error { try connection.run(NullElement()) },
            ] {
                #expect(wrong.code == .decoding)
                #expect(wrong.operation != nil)
                #expect(!wrong.isTransient)
            }
            try connection.ping()
        }
    }
}

private struct Scalars: Equatable, Sendable {
    var bool: Bool?
    var int4: Int32?
    var int8: Int64?
    var double: Double?
    var text: String?
    var bytea: [UInt8]?
    var uuid: UUID?
    var timestamptz: Timestamp?
    var jsonb: String?

    init(
        bool: Bool? = nil, int4: Int32? = nil, int8: Int64? = nil, double: Double? = nil, text: String? = nil,
        bytea: [UInt8]? = nil, uuid: UUID? = nil, timestamptz: Timestamp? = nil, jsonb: String? = nil
    ) {
        (self.bool, self.int4, self.int8, self.double, self.text) = (bool, int4, int8, double, text)
        (self.bytea, self.uuid, self.timestamptz, self.jsonb) = (bytea, uuid, timestamptz, jsonb)
    }

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        bool = try row.boolOrNil()
        int4 = try row.intOrNil().map { Int32($0) }
        int8 = try row.int8OrNil()
        double = try row.doubleOrNil()
        text = try row.textOrNil()
        bytea = try row.byteaOrNil()
        uuid = try row.uuidOrNil()
        timestamptz = try row.timestamptzOrNil()
        jsonb = try row.jsonbOrNil()
    }
}

private struct EchoScalars: Statement {
    static let sql = "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"
    let scalars: Scalars
    var parameters: [Parameter] {
        [
            .bool(scalars.bool), .int4(scalars.int4), .int8(scalars.int8), .double(scalars.double), .text(scalars.text),
            .bytea(scalars.bytea), .uuid(scalars.uuid), .timestamptz(scalars.timestamptz), .jsonb(scalars.jsonb),
        ]
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Scalars { try Scalars(&row) }
}

private struct Unnest: Statement {
    static let sql = """
        SELECT * FROM unnest($1::bool[], $2::int4[], $3::int8[], $4::float8[], $5::text[], $6::bytea[], $7::uuid[],
            $8::timestamptz[], $9::jsonb[])
        """
    let rows: [Scalars]
    var parameters: [Parameter] {
        [
            .bools(rows.map(\.bool)), .int4s(rows.map(\.int4)), .int8s(rows.map(\.int8)), .doubles(rows.map(\.double)),
            .texts(rows.map(\.text)), .byteas(rows.map(\.bytea)), .uuids(rows.map(\.uuid)),
            .timestamptzs(rows.map(\.timestamptz)), .jsonbs(rows.map(\.jsonb)),
        ]
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Scalars { try Scalars(&row) }
}

private struct Arrays: Equatable, Sendable {
    var bools: [Bool] = []
    var int8s: [Int64] = []
    var doubles: [Double] = []
    var texts: [String] = []
    var byteas: [[UInt8]] = []
    var uuids: [UUID] = []
    var timestamptzs: [Timestamp] = []
    var jsonbs: [String] = []
}

private struct EchoArrays: Statement {
    static let sql = "SELECT $1, $2, $3, $4, $5, $6, $7, $8"
    let arrays: Arrays
    var parameters: [Parameter] {
        [
            .bools(arrays.bools), .int8s(arrays.int8s), .doubles(arrays.doubles), .texts(arrays.texts),
            .byteas(arrays.byteas), .uuids(arrays.uuids), .timestamptzs(arrays.timestamptzs), .jsonbs(arrays.jsonbs),
        ]
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Arrays {
        Arrays(
            bools: try row.bools(), int8s: try row.int8s(), doubles: try row.doubles(), texts: try row.texts(),
            byteas: try row.byteas(), uuids: try row.uuids(), timestamptzs: try row.timestamptzs(),
            jsonbs: try row.jsonbs())
    }
}

private struct TimesAsText: Statement {
    static let sql = """
        SELECT CASE WHEN isfinite(t) THEN to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') ELSE t::text END
        FROM unnest($1::timestamptz[]) AS t
        """
    let times: [Timestamp]
    var parameters: [Parameter] { [.timestamptzs(times)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct Relatives: Statement {
    static let sql = """
        SELECT (-2)::int2, 3::int4, 0.5::float4, 'v'::varchar(5), 'pg_class'::name, 'busy'::mood, '{calm,busy}'::mood[],
            '{"a":1}'::json
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String {
        "\(try row.int()) \(try row.int8()) \(try row.double()) \(try row.text()) \(try row.text()) \(try row.text()) "
            + "\(try row.texts()) \(try row.jsonb())"
    }
}

private struct WrongType: Statement {
    static let sql = "SELECT 1::int4"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct UnexpectedNull: Statement {
    static let sql = "SELECT NULL::text"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct TooFewColumns: Statement {
    static let sql = "SELECT 'a'::text"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() + row.text() }
}

private struct NullElement: Statement {
    static let sql = "SELECT ARRAY['a', NULL]::text[]"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [String] { try row.texts() }
}
