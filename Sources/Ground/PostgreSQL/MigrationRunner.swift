import Foundation

/// Applies migrations to a database, forward only.
///
/// The table `schema_migration` stores the name and the checksum of each applied migration. A run holds an advisory
/// lock, so a second runner waits and then finds nothing to do.
public struct MigrationRunner: Sendable {
    /// Seconds to wait for another runner to end.
    public var lockWaitSeconds = 600
    private let migrations: [Migration]

    /// - Throws: `.invalidArgument` if a name has no number, or two have the same.
    public init(_ migrations: [Migration]) throws(PostgreSQLError) {
        var names: [Int: String] = [:]
        for migration in migrations {
            guard let number = migration.number else {
                throw PostgreSQLError(.invalidArgument, "the name has no number", operation: migration.name)
            }
            if let other = names.updateValue(migration.name, forKey: number) {
                throw PostgreSQLError(
                    .invalidArgument, "the number is also that of \(other)", operation: migration.name)
            }
        }
        self.migrations = migrations.sorted { ($0.number ?? 0) < ($1.number ?? 0) }
    }

    /// Applies pending migrations and returns their names. If one fails, those before it stay.
    public func run(on connection: Connection) throws -> [String] {
        try connection.withoutStatementTimeout { connection in
            try lock(connection)
            defer { _ = try? connection.advisoryUnlock(Self.lockKey) }
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migration (
                    name text PRIMARY KEY,
                    checksum bytea NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )
                """)
            let pending = try check(connection)
            for migration in pending { try apply(migration, connection) }
            return pending.map(\.name)
        }
    }

    /// The names of the migrations that `run` would apply now; changes nothing.
    public func pending(on connection: Connection) throws -> [String] {
        guard try connection.run(FindTable()).rows.first == true else { return migrations.map(\.name) }
        return try check(connection).map(\.name)
    }

    /// "migratio" in ASCII.
    private static let lockKey: Int64 = 0x6D69_6772_6174_696F

    /// Takes the lock by repeated attempts and not in one waiting statement. Such a statement is itself a
    /// transaction, and a `CREATE INDEX CONCURRENTLY` of the other runner would wait for its end: a deadlock.
    private func lock(_ connection: Connection) throws {
        let deadline = ContinuousClock.now + .seconds(lockWaitSeconds)
        while try !connection.tryAdvisoryLock(Self.lockKey) {
            guard ContinuousClock.now < deadline else {
                throw PostgreSQLError(.unexpectedResult, "another runner holds the migration lock")
            }
            usleep(100_000)
        }
    }

    /// Compares the migrations with the applied ones, and returns the pending ones.
    private func check(_ connection: Connection) throws -> [Migration] {
        let applied = Dictionary(
            uniqueKeysWithValues: try connection.run(AppliedMigrations()).rows.map { ($0.name, $0.checksum) })
        let checksums = try connection.run(Checksums(texts: migrations.map(\.sql))).rows
        for (migration, checksum) in zip(migrations, checksums) {
            if let found = applied[migration.name], found != checksum {
                throw PostgreSQLError(
                    .unexpectedResult, "it was changed after it was applied", operation: migration.name)
            }
        }
        let last = migrations.last?.number ?? 0
        for name in applied.keys.sorted() where (Migration.number(of: name) ?? .max) > last {
            throw PostgreSQLError(.unexpectedResult, "the database is newer than this program", operation: name)
        }
        let pending = migrations.filter { applied[$0.name] == nil }
        let lastApplied = applied.keys.compactMap { Migration.number(of: $0) }.max() ?? -1
        if let late = pending.first, (late.number ?? 0) <= lastApplied {
            throw PostgreSQLError(.unexpectedResult, "a later one has already been applied", operation: late.name)
        }
        return pending
    }

    private func apply(_ migration: Migration, _ connection: Connection) throws {
        do {
            if migration.runsInTransaction {
                try connection.transaction { connection in
                    try connection.execute(migration.sql)
                    guard connection.isInTransaction else {
                        throw PostgreSQLError(.unexpectedResult, "it ended its own transaction")
                    }
                    try connection.run(RecordMigration(migration: migration))
                }
            } else {
                // A concurrent index build waits for other transactions for as long as they last.
                try connection.execute("SET lock_timeout = 0")
                defer { try? connection.execute("RESET lock_timeout") }
                try connection.execute(migration.sql)
                try connection.run(RecordMigration(migration: migration))
            }
        } catch var error as PostgreSQLError {
            error.operation = migration.name
            throw error
        }
    }
}

private struct FindTable: Statement {
    static let sql = "SELECT to_regclass('schema_migration') IS NOT NULL"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct AppliedMigrations: Statement {
    static let sql = "SELECT name, checksum FROM schema_migration ORDER BY name"
    struct Applied: Sendable {
        let name: String
        let checksum: [UInt8]
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Applied {
        Applied(name: try row.text(), checksum: try row.bytea())
    }
}

/// Checksums computed by the database, so that this module needs no cryptography.
private struct Checksums: Statement {
    static let sql = """
        SELECT sha256(convert_to(text, 'UTF8')) FROM unnest($1::text[]) WITH ORDINALITY AS list (text, place) ORDER \
        BY place
        """
    let texts: [String]
    var parameters: [Parameter] { [.texts(texts)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [UInt8] { try row.bytea() }
}

private struct RecordMigration: Command {
    static let sql = "INSERT INTO schema_migration (name, checksum) VALUES ($1, sha256(convert_to($2, 'UTF8')))"
    let migration: Migration
    var parameters: [Parameter] { [.text(migration.name), .text(migration.sql)] }
}
