public import CaseStore
public import PostgreSQL

// What `doctor` asks of the roles of an office's database.

/// What these roles are.
public struct ReadRoleTraits: Statement {
    public var names: [String]
    public init(_ names: [String]) { self.names = names }

    public static let sql = """
        SELECT r.rolname::text, r.rolcanlogin, coalesce(pg_has_role(r.oid, g.oid, 'USAGE'), false),
            array_remove(ARRAY[
                CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                CASE WHEN r.rolreplication THEN 'REPLICATION' END], NULL),
            extract(epoch FROM r.rolvaliduntil)::float8
        FROM pg_roles r LEFT JOIN pg_roles g ON g.rolname = '\(DatabaseRole.group)'
        WHERE r.rolname = ANY ($1) ORDER BY r.rolname
        """
    public var parameters: [Parameter] { [.texts(names)] }

    public struct Row: Sendable {
        public let name: String
        public let canLogIn: Bool
        /// Whether it has the rights of `bihuan_worker`.
        public let isWorker: Bool
        /// Rights over the whole server, as ALTER ROLE writes them.
        public let powers: [String]
        /// When its password ends, in seconds since 1970; infinite or `nil` for never.
        public let passwordEnds: Double?
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(
            name: try row.text(), canLogIn: try row.bool(), isWorker: try row.bool(), powers: try row.texts(),
            passwordEnds: try row.doubleOrNil())
    }
}

/// Who this session is.
public struct ReadOwnName: Statement {
    public init() {}
    public static let sql = "SELECT current_user::text"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

/// Which of these rights a role lacks. Tables and columns that do not exist are left out: the schema's check names
/// them.
public struct ReadMissingRights: Statement {
    public var role: String
    public var wanted: [Schema.Grant]

    public init(of role: String, wanted: [Schema.Grant]) {
        self.role = role
        self.wanted = wanted
    }

    public static let sql = """
        WITH wanted (privilege, relation, attribute) AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::text[])
            UNION ALL SELECT 'SELECT', relname::text, '' FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
                -- Nobody but the owner reads originals.
                AND relname NOT IN ('schema_migration', 'vault', 'report_key', 'epoch_key')
        )
        SELECT privilege || CASE attribute WHEN '' THEN '' ELSE ' (' || attribute || ')' END, relation
        FROM wanted WHERE NOT CASE
            WHEN to_regclass(relation) IS NULL THEN true
            WHEN attribute = '' THEN has_table_privilege($1, relation, privilege)
            WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(relation) AND attname = attribute)
            THEN has_column_privilege($1, relation, attribute, privilege)
            ELSE true END
        ORDER BY relation, 1
        """
    public var parameters: [Parameter] {
        [
            .text(role), .texts(wanted.map(\.privilege)), .texts(wanted.map(\.table)),
            .texts(wanted.map { $0.column ?? "" }),
        ]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (privilege: String, table: String) {
        (try row.text(), try row.text())
    }
}

/// Which of these roles may change or delete entries of the ledger. A superuser may, whatever is revoked, and is left
/// out.
public struct ReadLedgerRights: Statement {
    public var roles: [String]
    public init(of roles: [String]) { self.roles = roles }
    public static let sql = """
        SELECT r.rolname::text, p.privilege
        FROM pg_roles r CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
        WHERE r.rolname = ANY ($1) AND NOT r.rolsuper AND (has_table_privilege(r.oid, 'ledger_entry', p.privilege)
            OR p.privilege = 'UPDATE' AND has_any_column_privilege(r.oid, 'ledger_entry', p.privilege))
        ORDER BY 1, 2
        """
    public var parameters: [Parameter] { [.texts(roles)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (role: String, privilege: String) {
        (try row.text(), try row.text())
    }
}

/// The triggers of the ledger that are missing or switched off, as `trigger on table`.
public struct ReadMissingTriggers: Statement {
    public init() {}
    public static let sql = """
        SELECT wanted.name || ' on ' || wanted.relation
        FROM (VALUES ('ledger_only_grows', 'ledger_entry'), ('ledger_only_grows', 'ledger_checkpoint'),
            ('ledger_only_grows', 'ledger_checkpoint_range'), ('ledger_entry_is_logged', 'ledger_entry'))
            AS wanted (name, relation)
        WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass(wanted.relation)
            AND t.tgname = wanted.name AND t.tgenabled IN ('O', 'A'))
        ORDER BY 1
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
