import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct RowStreamTests {
    @Test("rows come one by one and in order, and no rows are no error")
    func streamsRowsInOrder() throws {
        try TestDatabase.reading { connection in
            for count in [0, 1, 5000] {
                var rows: [Int] = []
                let taken = try connection.forEachRow(of: Numbers(last: count)) { row in
                    rows.append(row)
                    return .next
                }
                #expect(taken == count && rows == Array(0..<count))
            }
        }
    }

    @Test("a reader that stops early leaves the connection usable, in a transaction too, however much was to come")
    func staysUsableAfterEarlyStop() throws {
        try TestDatabase.connected { connection in
            func takeThree() throws {
                let begin = ContinuousClock.now
                var rows: [Int] = []
                let taken = try connection.forEachRow(of: Numbers(last: 2_000_000_000)) { row in
                    rows.append(row)
                    return row == 2 ? .stop : .next
                }
                #expect(taken == 3 && rows == [0, 1, 2])
                #expect(begin.duration(to: .now) < .seconds(4))
            }
            try takeThree()
            try connection.ping()
            try connection.execute("CREATE TABLE item (id int8)")
            try connection.transaction { connection in
                try connection.execute("INSERT INTO item VALUES (1)")
                try takeThree()
                try connection.execute("INSERT INTO item VALUES (2)")
                #expect(try connection.forEachRow(of: Items()) { _ in .stop } == 1)
                #expect(try connection.forEachRow(of: Items()) { _ in .next } == 2)
            }
            #expect(try connection.run(Items()).rows == [1, 2])
            #expect(!connection.isInTransaction)
        }
    }

    @Test("a reader's error, or a row of another shape, is passed on, and the connection is usable")
    func passesOnReadersError() throws {
        struct Enough: Error {}
        struct Misread: Statement {
            static let sql = "SELECT generate_series(0, 1000000)"
            func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
        }
        try TestDatabase.reading { connection in
            #expect(throws: Enough.self) {
                try connection.forEachRow(of: Numbers(last: 1_000_000)) { _ in throw Enough() }
            }
            try connection.ping()
            let failure = try error { try connection.forEachRow(of: Misread()) { _ in .next } }
            #expect(failure.code == .decoding && failure.operation == "Misread")
            try connection.transaction { connection in
                #expect(throws: Enough.self) { try connection.forEachRow(of: Numbers(last: 9)) { _ in throw Enough() } }
                try connection.ping()
            }
        }
    }

    @Test("an error of the server in the middle comes after the rows before it")
    func deliversRowsBeforeServerError() throws {
        try TestDatabase.reading { connection in
            struct Trap: Statement {
                static let sql = "SELECT 1000 / (500 - n) FROM (SELECT generate_series(0, 1000) AS n) AS numbers"
                func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
            }
            var count = 0
            let failure = try error {
                try connection.forEachRow(of: Trap()) { _ in
                    count += 1
                    return .next
                }
            }
            #expect(failure.sqlState == "22012" && failure.operation == "Trap" && count == 500)
            try connection.ping()
            let before = try error { try connection.forEachRow(of: Items()) { _ in .next } }
            #expect(before.sqlState == "42P01")
            try connection.ping()
        }
    }

    @Test("the connection refuses other work while rows come in, and closing it is a lost connection")
    func refusesOtherWorkWhileRowsComeIn() throws {
        try TestDatabase.reading { connection in
            var refusals: [PostgreSQLError] = []
            try connection.forEachRow(of: Numbers(last: 2)) { _ in
                refusals.append(try error { try connection.ping() })
                refusals.append(try error { try connection.forEachRow(of: Numbers(last: 1)) { _ in .next } })
                return .next
            }
            #expect(refusals.count == 4 && refusals.allSatisfy { $0.code == .invalidArgument })
            let failure = try error {
                try connection.forEachRow(of: Numbers(last: 100_000)) { _ in
                    connection.close()
                    return .next
                }
            }
            #expect(failure.isConnectionLost && !connection.isOpen)
        }
    }

    @Test("a server process ended while rows come in is a lost connection")
    func reportsServerEndedWhileStreaming() throws {
        try TestDatabase.with { database in
            let watcher = try database.connect()
            defer { watcher.close() }
            let connection = try database.connect()
            let processID = connection.backendProcessID
            let failure = try error {
                try connection.forEachRow(of: Numbers(last: 100_000_000)) { row in
                    if row == 10 { try watcher.run(EndSession(processID: processID)) }
                    return .next
                }
            }
            #expect(failure.isConnectionLost && !connection.isOpen)
        }
    }
}

private struct Numbers: Statement {
    static let sql = "SELECT n FROM (SELECT generate_series(0, $1 - 1) AS n) AS numbers"
    let last: Int
    var parameters: [Parameter] { [.int8(Int64(last))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct Items: Statement {
    static let sql = "SELECT id FROM item ORDER BY id"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
