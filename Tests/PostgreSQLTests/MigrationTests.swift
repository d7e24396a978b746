import Foundation
import PostgreSQL
import Testing

private let foundation = Migration(
    name: "m0001_foundation", sql: "CREATE TABLE item (id int8 PRIMARY KEY); CREATE TABLE gate ();")
private let words = Migration(name: "m0002_words", sql: "ALTER TABLE item ADD COLUMN word text;")
private let index = Migration(
    name: "m0003_index",
    sql: "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS item_by_word ON item (word)\n")

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(2)))
struct MigrationTests {
    @Test("migrations run in the order of their numbers, and running them twice does no harm")
    func migratesInOrderAndTwice() throws {
        try TestDatabase.connected { connection in
            let runner = try MigrationRunner([index, words, foundation])
            let all = ["m0001_foundation", "m0002_words", "m0003_index"]
            #expect(try runner.pending(on: connection) == all)
            #expect(try runner.run(on: connection) == all)
            #expect(try runner.run(on: connection) == [])
            #expect(try runner.pending(on: connection) == [])
            #expect(try connection.run(Exists(name: "item_by_word")).rows == [true])
        }
    }

    @Test("later migrations are added to those already applied")
    func addsLaterMigrations() throws {
        try TestDatabase.connected { connection in
            let first = try MigrationRunner([foundation]).run(on: connection)
            #expect(first == ["m0001_foundation"])
            let pending = try MigrationRunner([foundation, words]).pending(on: connection)
            #expect(pending == ["m0002_words"])
            let second = try MigrationRunner([foundation, words]).run(on: connection)
            #expect(second == ["m0002_words"])
        }
    }

    @Test("a migration changed after it was applied is refused by name")
    func refusesChangedMigration() throws {
        try TestDatabase.connected { connection in
            _ = try MigrationRunner([foundation]).run(on: connection)
            let altered = Migration(name: foundation.name, sql: foundation.sql + " ")
            let failure = try error { _ = try MigrationRunner([altered, words]).run(on: connection) }
            #expect(failure.description.contains("m0001_foundation"))
            #expect(
                try error { _ = try MigrationRunner([altered]).pending(on: connection) }.operation == "m0001_foundation"
            )
            #expect(try MigrationRunner([foundation, words]).pending(on: connection) == ["m0002_words"])
        }
    }

    @Test("a database ahead of the program, and a migration that comes too late, are refused by name")
    func refusesMigrationsOutOfStep() throws {
        try TestDatabase.connected { connection in
            _ = try MigrationRunner([foundation, index2]).run(on: connection)
            let newer = try error { _ = try MigrationRunner([foundation]).run(on: connection) }
            #expect(newer.description.contains("m0003_other") && newer.description.contains("newer"))
            let late = try error { _ = try MigrationRunner([foundation, words, index2]).run(on: connection) }
            #expect(late.operation == "m0002_words")
        }
    }

    private let index2 = Migration(name: "m0003_other", sql: "CREATE INDEX item_id ON item (id)")

    @Test("a migration that fails leaves nothing of itself, and those before it stay")
    func failedMigrationLeavesNothing() throws {
        try TestDatabase.connected { connection in
            let broken = Migration(name: "m0002_broken", sql: "CREATE TABLE half (id int8); SELECT 1 / 0")
            let failure = try error { _ = try MigrationRunner([foundation, broken]).run(on: connection) }
            #expect(failure.sqlState == "22012" && failure.operation == "m0002_broken")
            #expect(!connection.isInTransaction)
            #expect(try connection.run(Exists(name: "half")).rows == [false])
            #expect(try connection.run(Exists(name: "item")).rows == [true])
            #expect(try MigrationRunner([foundation, words]).run(on: connection) == ["m0002_words"])
        }
    }

    @Test("a migration that ends its own transaction is refused")
    func refusesMigrationThatEndsItsTransaction() throws {
        try TestDatabase.connected { connection in
            let commits = Migration(name: "m0001_commits", sql: "CREATE TABLE half (id int8); COMMIT")
            let failure = try error { _ = try MigrationRunner([commits]).run(on: connection) }
            #expect(failure.operation == "m0001_commits" && failure.code == .unexpectedResult)
        }
    }

    @Test("one of two concurrent runners waits, and a concurrent index build does not wait for it")
    func letsOneOfTwoRunnersWait() throws {
        try TestDatabase.with { database in
            let watcher = try database.connect()
            defer { watcher.close() }
            let runner = try MigrationRunner([foundation, words, gated, Migration(name: "m0004_aside", sql: index.sql)])
            let gatekeeper = try database.connect()
            defer { gatekeeper.close() }
            _ = try MigrationRunner([foundation]).run(on: gatekeeper)
            try gatekeeper.begin()
            try gatekeeper.execute("LOCK TABLE gate")

            let runs = ["first", "second"].map { name in
                Background { () -> [String] in
                    let connection = try database.connect {
                        $0.applicationName = name
                        $0.lockTimeoutMilliseconds = 20_000
                    }
                    defer { connection.close() }
                    return try runner.run(on: connection)
                }
            }
            // One waits at the gate, the other asks for the lock again and again.
            try eventually { try watcher.run(Running(query: "LOCK TABLE gate;%")).rows == [1] }
            try eventually { try watcher.run(Running(query: "%pg_try_advisory_lock%")).rows == [1] }
            try gatekeeper.rollback()

            let applied = try runs.map { try $0.value() }.sorted { $0.count < $1.count }
            #expect(applied == [[], ["m0002_words", "m0003_gated", "m0004_aside"]])
        }
    }

    private let gated = Migration(name: "m0003_gated", sql: "LOCK TABLE gate; CREATE TABLE after_gate ()")
}

private struct Exists: Statement {
    static let sql = "SELECT to_regclass($1) IS NOT NULL"
    let name: String
    var parameters: [Parameter] { [.text(name)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

/// How many other sessions of this database last ran such a query.
private struct Running: Statement {
    static let sql = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1
        """
    let query: String
    var parameters: [Parameter] { [.text(query)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
