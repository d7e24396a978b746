public import PostgreSQL

// What `doctor` asks of the database server itself. All of it is shown to any role; what PostgreSQL hides from a role
// without more rights is NULL, or a row that is missing.

/// Settings of the server by name, as a new session of this role gets them. Those that this role may not see are
/// missing.
public struct ReadServerSettings: Statement {
    public var names: [String]
    public init(_ names: [String]) { self.names = names }
    public static let sql = "SELECT name, reset_val FROM pg_settings WHERE name = ANY ($1)"
    public var parameters: [Parameter] { [.texts(names)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (name: String, value: String) {
        (try row.text(), try row.text())
    }
}

/// A setting of one role, of this database or of both, which overrides that of the server.
public struct ReadRoleSettings: Statement {
    public var setting: String
    public var roles: [String]

    public init(_ setting: String, of roles: [String]) {
        self.setting = setting
        self.roles = roles
    }

    public static let sql = """
        SELECT coalesce(r.rolname::text, ''), split_part(entry, '=', 2)
        FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) AS entry
        WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND (s.setrole = 0 OR r.rolname = ANY ($2)) AND split_part(entry, '=', 1) = $1
        """
    public var parameters: [Parameter] { [.text(setting), .texts(roles)] }
    /// - Returns: the role, or nothing if it counts for all roles of the database.
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (role: String, value: String) {
        (try row.text(), try row.text())
    }
}

/// The encoding of this database, how full the server is, and how old its oldest transaction numbers are.
public struct ReadServerState: Statement {
    public init() {}
    public static let sql = """
        SELECT pg_encoding_to_char(d.encoding), d.datconnlimit,
            (SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database WHERE datid <> 0),
            (SELECT max(age(datfrozenxid)) FROM pg_database), (SELECT max(mxid_age(datminmxid)) FROM pg_database)
        FROM pg_database d WHERE d.datname = current_database()
        """

    public struct Row: Sendable {
        public let encoding: String
        /// The most sessions of this database; below 0 for no limit of its own.
        public let sessionsMax: Int
        public let sessions: Int
        public let transactionAge: Int
        public let groupAge: Int
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            encoding: try row.text(), sessionsMax: try row.int(), sessions: try row.int(),
            transactionAge: try row.int(), groupAge: try row.int())
    }
}

/// When the server began this very statement, in seconds since 1970: its clock, for a comparison with ours.
public struct ReadServerClock: Statement {
    public init() {}
    public static let sql =
        "SELECT extract(epoch FROM query_start)::float8 FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Double { try row.double() }
}

/// What keeps old rows and the change log from being cleared: transactions, prepared ones, and replication slots.
public struct ReadHolders: Statement {
    public init() {}
    public static let sql = """
        SELECT 'session', 'session ' || pid, coalesce(application_name, ''), coalesce(datname::text, ''),
            extract(epoch FROM xact_start)::float8, greatest(age(backend_xid), age(backend_xmin)), true
        FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
        UNION ALL
        SELECT 'prepared', gid, '', database::text, extract(epoch FROM prepared)::float8, age(transaction), true
        FROM pg_prepared_xacts
        UNION ALL
        SELECT 'slot', slot_name::text, slot_type, coalesce(database::text, ''), NULL,
            coalesce(greatest(age(xmin), age(catalog_xmin)), 0), active
        FROM pg_replication_slots
        """

    public enum Kind: String, Sendable { case session, prepared, slot }

    public struct Row: Sendable {
        public let kind: Kind
        public let name: String
        public let program: String
        public let database: String
        /// Seconds since 1970; `nil` if this role may not see it.
        public let since: Double?
        /// How many transactions began since.
        public let age: Int
        public let isActive: Bool
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            kind: Kind(rawValue: try row.text()) ?? .session, name: try row.text(), program: try row.text(),
            database: try row.text(), since: try row.doubleOrNil(), age: try row.int(), isActive: try row.bool())
    }
}

/// How many standbys are connected, how many of them this role may look at, and how many of these are synchronous.
public struct CountStandbys: Statement {
    public init() {}
    public static let sql = """
        SELECT count(*), count(sync_state), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))
        FROM pg_stat_replication
        """
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (connected: Int, visible: Int, synchronous: Int) {
        (try row.int(), try row.int(), try row.int())
    }
}

/// The names of the applied migrations.
public struct ReadAppliedMigrations: Statement {
    public init() {}
    public static let sql = "SELECT name FROM schema_migration ORDER BY name"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
