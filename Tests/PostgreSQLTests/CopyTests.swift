import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(2)))
struct CopyTests {
    private static let table = """
        CREATE TYPE mood AS ENUM ('calm', 'busy'); CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0); CREATE DOMAIN \
        fee AS amount;
        CREATE TABLE item (id int8 CONSTRAINT item_once PRIMARY KEY, word text CONSTRAINT word_short CHECK \
        (length(word) < 1000000),
            mood mood, fee fee, "odd ""name" int2[], added date DEFAULT '2001-01-01')
        """

    @Test("rows of every kind of type arrive as they were, NULLs, enumerations, domains and arrays included")
    func copiesEveryType() throws {
        struct Row: CopyRow {
            static let table = "every"
            static let columns = [
                "b", "i2", "i4", "i8", "f4", "f8", "n", "t", "v", "j", "jb", "by", "u", "ts", "d", "ns", "ds",
            ]
            let parameters: [Parameter]
        }
        try TestDatabase.connected { connection in
            try connection.execute(
                """
                CREATE TABLE every (b bool, i2 int2, i4 int4, i8 int8, f4 real, f8 float8, n numeric, t text, v \
                varchar(9), j json,
                    jb jsonb, by bytea, u uuid, ts timestamptz, d date, ns numeric[], ds date[])
                """)
            let full: [Parameter] = [
                .bool(true), .int2(.min), .int4(.max), .int8(.min), .float(-0.5), .double(.nan),
                .numeric(ExactDecimal("-12345.6700")),
                .text("报\t\\N\n"), .text("v"), .text("[1]"), .jsonb(#"{"a": 1}"#), .bytea([0, 255]),
                .uuid(UUID(uuidString: "00000000-0000-0000-0000-0000000000AB")), .timestamptz(.distantPast),
                .date(CalendarDate(year: 2024, month: 2, day: 29)), .numerics([ExactDecimal("1"), nil]), .dates([]),
            ]
            let rows = [Row(parameters: full), Row(parameters: Row.columns.map { _ in .null })]
            #expect(try connection.copyIn(rows) == 2)
            let text = try connection.run(EveryLine()).rows
            #expect(
                text == [
                    #"""
                    (t,-32768,2147483647,-9223372036854775808,-0.5,NaN,-12345.6700,"报 \\N|",v,[1],"{""a"": \#
                    1}","\\x00ff",
                    """#
                        + #"00000000-0000-0000-0000-0000000000ab,-infinity,2024-02-29,"{1,NULL}",{})"#,
                    "(,,,,,,,,,,,,,,,,)",
                ])
        }
    }

    @Test("names are quoted, a schema may be given, omitted columns take defaults, and no rows are no error")
    func quotesNamesAndFillsDefaults() throws {
        try TestDatabase.connected { connection in
            try connection.execute(
                "CREATE SCHEMA \"My Schema\"; SET search_path TO \"My Schema\"; " + Self.table + "; RESET search_path")
            #expect(try connection.copyIn([Odd]()) == 0)
            #expect(try connection.copyIn([Odd(id: 1, mood: "busy", odd: [1, nil])]) == 1)
            try connection.execute("SET search_path TO \"My Schema\"")
            #expect(try connection.run(ItemLine()).rows == [#"(1,,busy,3.50,"{1,NULL}",2001-01-01)"#])
        }
    }

    @Test("a value of another type than its column's, or one too many, is refused before it can be misread")
    func refusesWrongTypesAndExtraColumns() throws {
        struct Row: CopyRow {
            static let table = "item"
            static let columns = ["id", "added"]
            let parameters: [Parameter]
        }
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            for values in [
                [.int4(1), .null], [.int8(1), .int4(7)], [.text("1"), .null], [.int8(1)], [.int8(1), .null, .null],
            ] as [[Parameter]] {
                let failure = try error {
                    try connection.copyIn([Row(parameters: [.int8(0), .null]), Row(parameters: values)])
                }
                #expect(failure.code == .invalidArgument && failure.operation == "Row")
            }
            #expect(try connection.run(CountItems()).rows == [0])
        }
    }

    @Test("a row that breaks a constraint undoes them all; the error names table, constraint and row type, no value")
    func undoesAllRowsOnViolation() throws {
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            let failure = try error { try connection.copyIn([1, 2, 3, 2].map { Item(id: $0, word: "secret") }) }
            #expect("\(failure)" == "PostgreSQL: server, SQLSTATE 23505, constraint item_once, in Item")
            #expect(failure.tableName == "item" && !failure.debugDescription.contains("secret"))
            #expect(try connection.run(CountItems()).rows == [0])
            #expect(try connection.copyIn([Item(id: 2, word: "good")]) == 1)
            #expect(try connection.run(CountItems()).rows == [1])
            let unknown = try error { try connection.copyIn([Nowhere()]) }
            #expect(unknown.sqlState == "42P01" && unknown.operation == "Nowhere")
            try connection.ping()
        }
    }

    @Test("the server's error stops an endless run of rows")
    func stopsEndlessRowsOnServerError() throws {
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            let failure = try error { try connection.copyIn(Item.self) { Item(id: 1, word: "again") } }
            #expect(failure.constraintName == "item_once")
            #expect(try connection.run(CountItems()).rows == [0])
        }
    }

    @Test("an error of the row producer ends the COPY, undoes it, and is passed on")
    func passesOnProducersError() throws {
        struct Enough: Error {}
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            for rowsBefore in [0, 1, 20_000] {
                var id: Int64 = 0
                #expect(throws: Enough.self) {
                    try connection.copyIn(Item.self) {
                        id += 1
                        if id > rowsBefore { throw Enough() }
                        return Item(id: id, word: "w")
                    }
                }
                #expect(!connection.isInTransaction)
                #expect(try connection.run(CountItems()).rows == [0])
            }
            let nul = try error { try connection.copyIn([Item(id: 1, word: "a"), Item(id: 2, word: "a\0")]) }
            #expect(nul.code == .invalidArgument && nul.operation == "Item")
            #expect(try connection.run(CountItems()).rows == [0])
        }
    }

    @Test("a COPY within a transaction is part of it, and a failed COPY fails it")
    func joinsItsTransaction() throws {
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            try connection.transaction { connection in
                #expect(try connection.copyIn([Item(id: 1, word: "a")]) == 1)
                try connection.copyIn([Item(id: 2, word: "b")])
            }
            #expect(try connection.run(CountItems()).rows == [2])
            try connection.begin()
            _ = try error { try connection.copyIn([Item(id: 1, word: "a")]) }
            #expect(try error { try connection.ping() }.sqlState == "25P02")
            try connection.rollback()
            try connection.ping()
        }
    }

    @Test("the connection refuses other work while rows go out, and a pipeline refuses a COPY")
    func refusesOtherWorkWhileRowsGoOut() throws {
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            var refusals: [PostgreSQLError] = []
            var id: Int64 = 0
            try connection.copyIn(Item.self) { () -> Item? in
                id += 1
                if id > 2 { return nil }
                refusals.append(try error { try connection.ping() })
                refusals.append(try error { try connection.execute("SELECT 1") })
                refusals.append(try error { try connection.copyIn([Item(id: 9, word: "")]) })
                refusals.append(try error { try connection.begin() })
                return Item(id: id, word: "w")
            }
            #expect(refusals.count == 8 && refusals.allSatisfy { $0.code == .invalidArgument })
            #expect(try connection.run(CountItems()).rows == [2])
            struct CopyFromClient: Command { static let sql = "copy item FROM stdin" }
            let refused = try error { _ = try connection.pipeline(CountItems(), CopyFromClient()) }
            #expect(refused.code == .invalidArgument && refused.operation == "CopyFromClient")
            try connection.ping()
        }
    }

    @Test("a connection that is closed or lost while rows go out is a lost connection, and nothing else breaks")
    func reportsConnectionLostDuringCopy() throws {
        try TestDatabase.with { database in
            let watcher = try database.connect()
            defer { watcher.close() }
            try watcher.execute(Self.table)
            let closed = try database.connect()
            let failure = try error {
                try closed.copyIn(Item.self) {
                    closed.close()
                    return Item(id: 1, word: "w")
                }
            }
            #expect(failure.isConnectionLost && !closed.isOpen)
            let ended = try database.connect()
            let processID = ended.backendProcessID
            var id: Int64 = 0
            let killed = try error {
                try ended.copyIn(Item.self) {
                    id += 1
                    if id == 1000 { try watcher.run(EndSession(processID: processID)) }
                    return Item(id: id, word: "w")
                }
            }
            #expect(killed.isConnectionLost && !ended.isOpen)
            #expect(try watcher.run(CountItems()).rows == [0])
        }
    }

    @Test("notices of a trigger on every row are delivered while the rows go on")
    func deliversNoticesDuringCopy() throws {
        try TestDatabase.connected { connection in
            try connection.execute(Self.table)
            try connection.execute(
                """
                CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row %', NEW.id; \
                RETURN NEW; END $$;
                CREATE TRIGGER speak BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION speak()
                """)
            let received = ReceivedNotices()
            connection.onNotice = { received.notices.append($0) }
            try connection.withoutStatementTimeout { connection in
                let rows = (1...30_000).map { Item(id: $0, word: "w") }
                try connection.copyIn(rows)
            }
            #expect(received.notices.count == 30_000 && received.notices.last?.debugDetail == "row 30000")
        }
    }

    @Test("a row of 20 MB goes through")
    func copiesTwentyMegabyteRow() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8, word text)")
            try connection.copyIn([Item(id: 1, word: String(repeating: "x", count: 20_000_000)), Item(id: 2, word: "")])
            #expect(try connection.run(CountItems()).rows == [2])
        }
    }
}

private struct Item: CopyRow {
    static let table = "item"
    static let columns = ["id", "word"]
    let id: Int64
    let word: String
    var parameters: [Parameter] { [.int8(id), .text(word)] }
}

private struct Odd: CopyRow {
    static let schema: String? = "My Schema"
    static let table = "item"
    static let columns = ["odd \"name", "id", "mood", "fee"]
    let id: Int64
    let mood: String
    let odd: [Int16?]
    var parameters: [Parameter] { [.int2s(odd), .int8(id), .text(mood), .numeric(ExactDecimal("3.50"))] }
}

private struct Nowhere: CopyRow {
    static let table = "no_such_table"
    static let columns = ["id"]
    var parameters: [Parameter] { [.int8(1)] }
}

private struct CountItems: Statement {
    static let sql = "SELECT count(*) FROM item"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// Whole rows as the server spells them, tabs and line ends made visible.
private struct EveryLine: Statement {
    static let sql = "SELECT translate(every::text, E'\\t\\n', ' |') FROM every"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct ItemLine: Statement {
    static let sql = "SELECT item::text FROM item"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
