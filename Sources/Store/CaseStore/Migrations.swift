public import PostgreSQL

/// The schema, as numbered files that only go forward.
public enum Schema {
    public static func migrations() -> [Migration] {
        [
            Migration(
                name: "m0001_foundation", sql: String(decoding: PackageResources.m0001_foundation_sql, as: UTF8.self))
        ]
    }

    /// Brings a database up to date; returns what was applied now. Run by the owner role.
    @discardableResult
    public static func migrate(_ connection: Connection) throws -> [String] {
        try MigrationRunner(migrations()).run(on: connection)
    }
}
