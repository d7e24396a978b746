public import PostgreSQL

/// The schema, as numbered files that only go forward.
public enum Schema {
    public static func migrations() -> [Migration] {
        [
            Migration(
                name: "m0001_foundation", sql: String(decoding: PackageResources.m0001_foundation_sql, as: UTF8.self))
        ]
    }

    /// The names of the migrations that a database lacks; all, if it has none.
    public static func pending(_ connection: Connection) throws -> [String] {
        try MigrationRunner(migrations()).pending(on: connection)
    }

    /// Brings a database up to date; returns what was applied now. Run by the owner role.
    @discardableResult
    public static func migrate(_ connection: Connection) throws -> [String] {
        try MigrationRunner(migrations()).run(on: connection)
    }
}
