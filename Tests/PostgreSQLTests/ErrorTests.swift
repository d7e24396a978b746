import Foundation
import PostgreSQL
import Testing

/// The description of an error may go into any log.
@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct ErrorTests {
    @Test("a printed server error shows names and codes, and never a row's values")
    func showsNamesAndCodesButNoRowValues() throws {
        try TestDatabase.connected { connection in
            try connection.execute(
                """
                CREATE TABLE parent (word text CONSTRAINT parent_once PRIMARY KEY);
                CREATE TABLE child (word text CONSTRAINT child_parent REFERENCES parent, other text NOT NULL,
                    size int4 CONSTRAINT child_size CHECK (size > 0), added date, CONSTRAINT child_apart EXCLUDE \
                    (size WITH =))
                """)
            let cases: [(values: [Parameter], state: String, name: String)] = [
                ([.text("secret"), .text("secret"), .int4(77_777), .text("2001-01-01")], "23503", "child_parent"),
                ([.null, .null, .int4(77_777), .text("2001-01-01")], "23502", "column other"),
                ([.null, .text("secret"), .int4(-77_777), .text("2001-01-01")], "23514", "child_size"),
                ([.null, .text("secret"), .int4(1), .text("secret")], "22007", "in InsertChild"),
                ([.null, .text("secret"), .int4(1), .text("2001-77-77")], "22008", "in InsertChild"),
            ]
            for (values, state, name) in cases {
                let failure = try error { try connection.run(InsertChild(parameters: values)) }
                #expect(failure.sqlState == state && failure.description.contains(name))
                var dumped = ""
                dump(failure, to: &dumped)
                let wrapped = String(reflecting: Result<Void, any Error>.failure(failure))
                let shown =
                    "\(failure) \(String(reflecting: failure)) \(failure.localizedDescription) \(dumped) \(wrapped)"
                #expect(!shown.contains("secret") && !shown.contains("77"))
                #expect(failure.debugDetail != nil)
            }
            let named = try error { try connection.run(InsertChild(parameters: cases[1].values)) }
            #expect(
                named.tableName == "child" && named.columnName == "other"
                    && named.debugDescription.contains("table child"))
        }
    }

    @Test("a row that cannot be decoded is reported by column and type, not by value")
    func namesColumnAndTypeOfBadRow() throws {
        try TestDatabase.reading { connection in
            let failure = try error { try connection.run(Misread()) }
            #expect(failure.code == .decoding && failure.operation == "Misread")
            #expect(failure.description.contains("word") && !String(reflecting: failure).contains("secret"))
            #expect(failure.debugDetail == nil)
        }
    }
}

private struct InsertChild: Command {
    static let sql = "INSERT INTO child VALUES ($1, $2, $3, $4::text::date)"
    let parameters: [Parameter]
}

private struct Misread: Statement {
    static let sql = "SELECT 'secret'::text AS word"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
