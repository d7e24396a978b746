public import PostgreSQL

/// The roles and the database of an office, made by a superuser of the server. Every step may be repeated.
public enum DatabaseRoles {
    /// Makes the roles that are missing, and gives those with a password here that password.
    /// - Parameter withCertificates: whether roles without a password may log in too: the server asks for their
    ///   certificates.
    public static func make(
        on server: Connection, passwords: [DatabaseRole: String], withCertificates: Bool = false
    ) throws(PostgreSQLError) {
        // A statement with a password must not reach the server's log, whatever is logged otherwise.
        if try server.run(ReadAdministratorRights()).rows.first?.isSuperuser == true {
            try server.execute(
                """
                SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'
                """)
        }
        try make(DatabaseRole.group, on: server)
        for role in DatabaseRole.allCases {
            try make(role.name, on: server)
            // Who is no superuser may give a database only to a role that it belongs to.
            if role == .owner { try server.execute("GRANT \(role.name) TO CURRENT_USER") }
            if role != .owner, role != .operator { try server.execute("GRANT \(DatabaseRole.group) TO \(role.name)") }
            guard let password = passwords[role] else {
                if withCertificates { try server.execute("ALTER ROLE \(role.name) LOGIN") }
                continue
            }
            try server.execute("ALTER ROLE \(role.name) LOGIN PASSWORD \(quoted(password))")
        }
    }

    /// - Parameter name: taken from `database.url`.
    public static func makeDatabase(_ name: String, on server: Connection) throws(PostgreSQLError) {
        let name = "\"" + name.replacing("\"", with: "\"\"") + "\""
        try server.execute(
            """
            CREATE DATABASE \(name) OWNER \(DatabaseRole.owner.name) TEMPLATE template0 ENCODING 'UTF8' LOCALE \
            'C.UTF-8'
            """
        )
        try server.execute("REVOKE CONNECT, TEMPORARY ON DATABASE \(name) FROM PUBLIC")
        try server.execute(
            "GRANT CONNECT ON DATABASE \(name) TO \(DatabaseRole.group), \(DatabaseRole.operator.name)")
    }

    private static func make(_ name: String, on server: Connection) throws(PostgreSQLError) {
        do throws(PostgreSQLError) {
            try server.execute("CREATE ROLE \(name)")
        } catch {
            // It may exist from an earlier start.
            let duplicateObject = "42710"
            if error.sqlState != duplicateObject { throw error }
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }
}

public struct ReadRoleNames: Statement {
    public init() {}
    public static let sql = "SELECT rolname::text FROM pg_roles"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

public struct ReadDatabaseNames: Statement {
    public init() {}
    public static let sql = "SELECT datname::text FROM pg_database"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// Whether this user may make roles and databases, and the server's version as a number.
public struct ReadAdministratorRights: Statement {
    public init() {}
    public static let sql = """
        SELECT rolsuper, rolcreaterole AND rolcreatedb, current_setting('server_version_num')::bigint
        FROM pg_roles WHERE rolname = current_user
        """
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (isSuperuser: Bool, makesRolesAndDatabases: Bool, version: Int) {
        (try row.bool(), try row.bool(), try row.int())
    }
}
