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

    /// A right that the migrations give to a worker's role, beside that to read tables.
    public struct Grant: Hashable, Sendable {
        /// `INSERT`, `UPDATE` or `DELETE`.
        public let privilege: String
        public let table: String
        /// `nil`: the whole table.
        public let column: String?
    }

    /// The rights of a role of this name, and those that all workers share, read from the GRANTs of the migrations, so
    /// that there is no second list.
    public static func grants(of role: String) -> [Grant] {
        let shape = /GRANT (INSERT|UPDATE|DELETE)( \([^)]*\))? ON ([a-z_,\s]+?)\s+TO\s+([a-z_]+);/
        func words(_ list: Substring) -> [String] { list.split { !$0.isLetter && $0 != "_" }.map(String.init) }
        return migrations().flatMap { migration in
            migration.sql.matches(of: shape).filter { $0.4 == role || $0.4 == DatabaseRole.group }.flatMap { match in
                let columns = match.2.map { words($0).map(Optional.some) } ?? [nil]
                return words(match.3).flatMap { table in
                    columns.map { Grant(privilege: String(match.1), table: table, column: $0) }
                }
            }
        }
    }
}
