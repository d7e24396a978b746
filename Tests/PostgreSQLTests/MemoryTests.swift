import Foundation
import PostgreSQL
import Testing

/// What a connection holds does not depend on how much goes through it. The bounds leave room for tests beside these.
@Suite(
    .serialized, .enabled(if: TestDatabase.isAvailable && TestDatabase.isLinux, TestDatabase.whyDisabled),
    .timeLimit(.minutes(2)))
struct MemoryTests {
    private static let boundBytes = 48 << 20

    @Test("a million rows of 200 bytes go in by COPY and come out one by one, in bounded memory")
    func copiesAMillionRowsInBoundedMemory() throws {
        try TestDatabase.with { database in
            let connection = try database.connect { $0.statementTimeoutMilliseconds = 100_000 }
            defer { connection.close() }
            try connection.execute("CREATE UNLOGGED TABLE item (id int8, filler bytea)")
            let filler = Parameter.bytea([UInt8](repeating: 7, count: 200))
            let before = try anonymousMemory()
            var (peak, id) = (0, 0)
            let written = try connection.copyIn(Item.self) {
                id += 1
                if id % 50_000 == 0 { peak = max(peak, try anonymousMemory()) }
                return id > 1_000_000 ? nil : Item(parameters: [.int8(Int64(id)), filler])
            }
            #expect(written == 1_000_000)
            #expect(peak - before < Self.boundBytes)
            (peak, id) = (0, 0)
            var wrong = 0
            let read = try connection.forEachRow(of: ReadItems()) { row in
                id += 1
                if id % 50_000 == 0 { peak = max(peak, try anonymousMemory()) }
                if row != 200 { wrong += 1 }
                return .next
            }
            #expect(read == 1_000_000 && wrong == 0)
            #expect(peak - before < Self.boundBytes)
        }
    }

    @Test("a server that takes rows slowly slows the producer down, and memory does not fill")
    func slowServerSlowsProducer() throws {
        try TestDatabase.with { database in
            let connection = try database.connect { $0.statementTimeoutMilliseconds = 60_000 }
            defer { connection.close() }
            // Sleeps on the first row and stores none.
            try connection.execute(
                """
                CREATE TABLE item (id int8, filler bytea);
                CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN IF NEW.id = 1 THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END $$;
                CREATE TRIGGER doze BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION doze()
                """)
            let filler = Parameter.bytea([UInt8](repeating: 7, count: 50_000))
            let before = try anonymousMemory()
            var (peak, id) = (0, 0)
            try connection.copyIn(Item.self) {
                id += 1
                if id % 100 == 0 { peak = max(peak, try anonymousMemory()) }
                return id > 8000 ? nil : Item(parameters: [.int8(Int64(id)), filler])
            }
            #expect(id == 8001 && peak - before < Self.boundBytes)
        }
    }

    @Test("a hundred thousand statements, some of them failing, leave nothing behind")
    func statementsLeaveNothingBehind() throws {
        try TestDatabase.reading { connection in
            func thousand() throws {
                for number in 0..<100 { #expect(try connection.run(Echo(number: number)).rows == [number]) }
                try connection.pipeline(all: (0..<890).map { Echo(number: $0) })
                for _ in 0..<10 { #expect(try error { try connection.run(Fail()) }.sqlState == "22012") }
            }
            for _ in 0..<10 { try thousand() }
            let before = try anonymousMemory()
            for _ in 0..<90 { try thousand() }
            #expect(try anonymousMemory() - before < 16 << 20)
            #expect(try connection.run(CountPrepared()).rows[0] <= 4)
        }
    }
}

private struct Item: CopyRow {
    static let table = "item"
    static let columns = ["id", "filler"]
    let parameters: [Parameter]
}

private struct ReadItems: Statement {
    static let sql = "SELECT length(filler), filler FROM item"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct Echo: Statement {
    static let sql = "SELECT $1"
    let number: Int
    var parameters: [Parameter] { [.int8(Int64(number))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct Fail: Statement {
    static let sql = "SELECT 1 / $1"
    var parameters: [Parameter] { [.int8(0)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct CountPrepared: Statement {
    static let sql = "SELECT count(*) FROM pg_prepared_statements"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
