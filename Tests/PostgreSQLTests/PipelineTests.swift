import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(2)))
struct PipelineTests {
    @Test("a statement is prepared once and used again")
    func preparesStatementOnce() throws {
        try TestDatabase.reading { connection in
            for number in 1...5 { #expect(try connection.run(Twice(number: number)).rows == [number * 2]) }
            _ = try connection.pipeline(Twice(number: 6), Twice(number: 7))
            #expect(try connection.run(PreparedCalled("Twice")).rows == [7])
        }
    }

    @Test("a statement with other parameter types is prepared beside the first")
    func preparesAgainForOtherTypes() throws {
        try TestDatabase.reading { connection in
            let values: [Parameter] = [.int8(7), .text("seven"), .bool(true), .int8(nil), .int8(8)]
            let texts = try values.map { try connection.run(AsText(value: $0)).rows.first ?? "nothing" }
            #expect(texts == ["7", "seven", "true", "nothing", "8"])
        }
    }

    @Test("a statement whose table changed, or that the server forgot, recovers at the second try")
    func preparesAnewAfterTableChange() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            struct All: Statement {
                static let sql = "SELECT * FROM item"
                func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
            }
            try connection.run(All())
            try connection.execute("ALTER TABLE item ADD COLUMN extra text")
            #expect(try error { try connection.run(All()) }.sqlState == "0A000")
            try connection.run(All())
            try connection.execute("DEALLOCATE ALL")
            #expect(try error { try connection.run(All()) }.sqlState == "26000")
            try connection.run(All())
        }
    }

    @Test("a pipeline of three returns three results in order")
    func returnsThreeResultsInOrder() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            let (inserted, read, doubled) = try connection.pipeline(
                InsertItems(ids: [1, 2, 3]), ReadItems(), Twice(number: 21))
            #expect(inserted.affected == 3)
            #expect(read.rows == [1, 2, 3] && read.affected == 3)
            #expect(doubled.rows == [42])
            #expect(!connection.isInTransaction)
        }
    }

    @Test("BEGIN and COMMIT travel in the pipeline")
    func sendsBeginAndCommitInOneRoundTrip() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            _ = try connection.pipeline(Begin(), InsertItems(ids: [1]), Commit())
            #expect(!connection.isInTransaction)
            #expect(try connection.run(ReadItems()).rows == [1])
        }
    }

    @Test("an error in the middle is thrown, nothing of the pipeline stays, and the connection goes on")
    func undoesPipelineOnError() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            let failure = try error {
                // ReadItems is prepared after the failure, so its preparation is undone and must be repeated.
                _ = try connection.pipeline(InsertItems(ids: [1]), InsertItems(ids: [1]), ReadItems())
            }
            #expect(failure.sqlState == "23505" && failure.operation == "InsertItems")
            #expect(!connection.isInTransaction)
            #expect(try connection.run(ReadItems()).rows == [])
            #expect(try connection.run(PreparedCalled("ReadItems")).rows == [1])
        }
    }

    @Test("within a transaction an error in the pipeline leaves a failed transaction to roll back")
    func failsTransactionOnPipelineError() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            let failure = try error {
                _ = try connection.pipeline(Begin(), InsertItems(ids: [1]), Broken(), Commit())
            }
            #expect(failure.sqlState == "42P01" && failure.operation == "Broken")
            #expect(connection.isInTransaction)
            #expect(try error { try connection.run(ReadItems()) }.sqlState == "25P02")
            try connection.rollback()
            #expect(!connection.isInTransaction)
            #expect(try connection.run(ReadItems()).rows == [])
        }
    }

    @Test("a commit of a failed transaction is an error, not a silent rollback")
    func throwsOnCommitOfFailedTransaction() throws {
        try TestDatabase.connected { connection in
            try connection.begin()
            _ = try error { try connection.run(Broken()) }
            #expect(try error { try connection.commit() }.code == .unexpectedResult)
            #expect(!connection.isInTransaction)
            try connection.ping()
        }
    }

    @Test("a deferred constraint that is violated at the end of the pipeline is thrown")
    func throwsDeferredViolation() throws {
        try TestDatabase.connected { connection in
            try connection.execute(
                """
                CREATE TABLE node (id int8 PRIMARY KEY,
                    parent int8 CONSTRAINT node_parent REFERENCES node DEFERRABLE INITIALLY DEFERRED)
                """)
            struct Orphan: Command { static let sql = "INSERT INTO node VALUES (1, 2)" }
            let failure = try error { try connection.run(Orphan()) }
            #expect(failure.sqlState == "23503" && failure.constraintName == "node_parent")
            let inTransaction = try error { _ = try connection.pipeline(Begin(), Orphan(), Commit()) }
            #expect(inTransaction.sqlState == "23503" && inTransaction.operation == "Commit")
            #expect(!connection.isInTransaction)
            try connection.ping()
        }
    }

    @Test("one list holds commands of several types, made while the program runs")
    func acceptsListOfMixedCommands() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            let commands: [any Command] = [
                Begin(), InsertItems(ids: [1, 2]), ClearItems(), InsertItems(ids: [3]), Commit(),
            ]
            let written = try connection.pipeline(commands: commands)
            #expect(written == [0, 2, 2, 1, 0])
            #expect(try connection.run(ReadItems()).rows == [3])
        }
    }

    @Test("two thousand statements of 10 KB each way do not block one another")
    func sendsLargePipelineWithoutBlocking() throws {
        try TestDatabase.reading { connection in
            let echoes = (0..<2000).map { Echo(bytes: [UInt8](repeating: UInt8($0 % 251), count: 10_000)) }
            let results = try connection.pipeline(all: echoes)
            #expect(results.count == 2000)
            #expect(zip(echoes, results).allSatisfy { $1.rows == [$0.bytes] })
            #expect(try connection.pipeline(all: [Echo]()).isEmpty)
        }
    }

    @Test("a thousand rows go in one statement")
    func insertsAThousandRowsInOneStatement() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            #expect(try connection.run(InsertItems(ids: Array(1...1000))).affected == 1000)
            #expect(try connection.run(ReadItems()).rows == Array(1...1000))
        }
    }

    @Test("a transaction commits what its body did, and undoes it when the body throws")
    func commitsOrUndoesTransaction() throws {
        struct Enough: Error {}
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE item (id int8 PRIMARY KEY, word text)")
            let count = try connection.transaction { try $0.run(InsertItems(ids: [1])).affected }
            #expect(count == 1)
            #expect(throws: Enough.self) {
                try connection.transaction { connection in
                    try connection.run(InsertItems(ids: [2]))
                    throw Enough()
                }
            }
            #expect(!connection.isInTransaction)
            #expect(try connection.run(ReadItems()).rows == [1])
            try connection.begin()
            #expect(try error { try connection.begin() }.code == .invalidArgument)
            try connection.rollback()
            try connection.rollback()
        }
    }

    @Test("each statement of a pipeline reports its outcome: done, failed, or not run")
    func reportsOutcomeOfEachStatement() throws {
        try TestDatabase.reading { connection in
            func reported(_ values: [Int]) throws -> [String] {
                try connection.outcomes(all: values.map { Divide(by: $0) }).map { outcome in
                    switch outcome {
                    case .success(let result): "\(result.rows)"
                    case .failure(let error): "\(error.code) \(error.sqlState ?? "-") \(error.operation ?? "-")"
                    }
                }
            }
            #expect(try reported([2, 5]) == ["[50]", "[20]"])
            #expect(
                try reported([2, 5, 0, 4, 0]) == [
                    "[50]", "[20]", "server 22012 Divide", "aborted - Divide", "aborted - Divide",
                ])
            #expect(try reported([0]) == ["server 22012 Divide"])
            #expect(try reported([]) == [])
            #expect(try reported([4]) == ["[25]"])
            connection.close()
            let lost = try error { _ = try reported([1]) }
            #expect(lost.isConnectionLost)
        }
    }
}

private struct Divide: Statement {
    static let sql = "SELECT 100 / $1"
    let by: Int
    var parameters: [Parameter] { [.int8(Int64(by))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct Twice: Statement {
    static let sql = "SELECT $1 * 2"
    let number: Int
    var parameters: [Parameter] { [.int8(Int64(number))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct AsText: Statement {
    static let sql = "SELECT $1::text WHERE $1 IS NOT NULL"
    let value: Parameter
    var parameters: [Parameter] { [value] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// How often the server ran prepared statements of this type; one row for each preparation.
private struct PreparedCalled: Statement {
    static let sql = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE name LIKE $1"
    let type: String
    init(_ type: String) { self.type = type }
    var parameters: [Parameter] { [.text(type + " %")] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct InsertItems: Command {
    static let sql = "INSERT INTO item SELECT id, 'word ' || id FROM unnest($1::int8[]) AS id"
    let ids: [Int]
    var parameters: [Parameter] { [.int8s(ids.map { Int64($0) })] }
}

private struct ReadItems: Statement {
    static let sql = "SELECT id FROM item ORDER BY id"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct ClearItems: Command {
    static let sql = "DELETE FROM item"
}

private struct Broken: Command {
    static let sql = "DELETE FROM no_such_table"
}

private struct Echo: Statement {
    static let sql = "SELECT $1"
    let bytes: [UInt8]
    var parameters: [Parameter] { [.bytea(bytes)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [UInt8] { try row.bytea() }
}
