import CaseStore
import Contract
import PostgreSQL
import TestOffice
import Testing

@Suite("Rights", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct RightsTests {
    /// What each role may do besides reading, table by table; the columns that it may update are listed below. What all
    /// workers share stands with `every`. Only the owner may do anything else.
    static let every: [String: Set<String>] = [
        "secret_check": ["INSERT"], "person_notice": ["INSERT"], "ledger_entry": ["INSERT"], "inbox": ["INSERT"],
        "outbox": ["INSERT", "DELETE"], "lane_lease": ["INSERT", "DELETE"], "dead_letter": ["INSERT"],
        "dead_letter_unkept": ["INSERT"], "attempt": ["INSERT", "DELETE"], "probe": ["INSERT"], "clock": ["INSERT"],
    ]
    static let rights: [DatabaseRole: [String: Set<String>]] = [
        .intake: [
            "report": ["INSERT"], "report_text": ["INSERT"], "vault": ["INSERT"], "epoch_key": ["INSERT"],
            "report_key": ["INSERT"], "accused": ["INSERT"], "allegation": ["INSERT"], "attachment": ["INSERT"],
            "attachment_part": ["INSERT", "DELETE"], "sealed_papers": ["INSERT"], "barred_root": ["INSERT"],
            "repeat_key": ["INSERT"], "handoff": ["INSERT"], "queue_lease": ["INSERT"],
        ],
        .routing: [
            "handoff": ["INSERT"], "handoff_body": ["INSERT"], "approval": ["INSERT"], "barred_root": ["INSERT"],
        ],
        .feedback: [
            "handoff_note": ["INSERT"], "held_message": ["INSERT", "DELETE"], "queue_lease": ["INSERT"],
            "approval": ["INSERT"],
        ],
        .deadlines: [
            "clock_step": ["INSERT"], "duty_opening": ["INSERT"], "approval": ["INSERT"],
            "policy_activation": ["INSERT"],
        ],
        .operator: [:],
    ]
    static let originals = ["epoch_key", "report_key", "vault"]

    @Test("a role may do what the table of rights says, and nothing else", arguments: Array(rights.keys))
    func hasNoOtherRights(_ role: DatabaseRole) throws {
        let store = try StoreUnderTest()
        let connection = try store.superuser()
        let granted = try connection.texts(
            """
            SELECT c.relname || ' ' || p.privilege FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', \
            'TRUNCATE', 'TRIGGER', 'REFERENCES'])
                AS p (privilege)
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p') AND \
            has_table_privilege('\(role.name)', c.oid, p.privilege)
            """)
        let shared = role == .operator ? [:] : Self.every
        let wanted = (Self.rights[role] ?? [:]).merging(shared) { $0.union($1) }
        #expect(Set(granted) == Set(wanted.flatMap { table, rights in rights.map { "\(table) \($0)" } }))
        let unreadable = try connection.texts(
            """
            SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
                AND NOT has_table_privilege('\(role.name)', oid, 'SELECT')
            """)
        // Intake seals originals, and nobody but the owner reads them.
        #expect(unreadable.filter { $0 != "schema_migration" }.sorted() == Self.originals)
        #expect(
            try connection.texts(
                """
                SELECT 'more' WHERE has_schema_privilege('\(role.name)', 'public', 'CREATE')
                    OR (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication FROM pg_roles
                        WHERE rolname = '\(role.name)')
                """) == [])
        #expect(
            try connection.texts(
                "SELECT has_sequence_privilege('\(role.name)', 'report_number', 'USAGE')::text") == [
                    "\(role == .intake)"
                ])
        connection.close()
        try store.drop()
    }

    static let everyColumn: [String: Set<String>] = [
        "report": ["state", "matter_kind", "reason", "authority", "handoff_count", "head", "entry_count", "head_at"],
        "unit": ["head", "entry_count", "head_at"], "office": ["head", "entry_count", "head_at"],
        "handoff": [
            "state", "released_at", "dispatched_at", "signed_at", "signed_by", "disposition", "case_number",
            "case_filed_on", "case_notified_at", "outcome", "concluded_at", "times_sent_back", "ended_at",
            "ended_because", "running_clocks", "no_clock_reason",
        ],
        "clock": ["next_step", "next_at", "set_aside", "ended_at", "ended_because", "ended_by"],
        "inbox": ["verdict", "reply_type", "reply", "report_id"], "dead_letter_unkept": ["count", "last_at"],
        "attempt": ["count", "noted_at"], "probe": ["probed_at"],
        "lane_lease": ["holder", "backend_pid", "backend_start", "expires_at", "reads"],
        "dead_letter": [
            "times", "replays", "reason", "detail", "state", "settled_at", "settled_by", "settled_because",
        ],
    ]
    private static let decision: Set = ["state", "decided_by", "decided_at", "decided_because"]
    static let columns: [DatabaseRole: [String: Set<String>]] = [
        .intake: [
            "attachment": ["received_at", "first_part_at"], "sealed_papers": ["parts", "bytes"],
            "queue_lease": ["lane", "read_to_end"],
        ],
        .routing: ["approval": decision],
        .feedback: ["held_message": ["ripe"], "queue_lease": ["lane", "read_to_end"], "approval": decision],
        .deadlines: ["duty_opening": ["period", "opened_at"], "approval": decision],
        .operator: [:],
    ]

    @Test("a role may update the columns that its acts change, and no other", arguments: Array(columns.keys))
    func updatesOnlyColumnsOfActs(_ role: DatabaseRole) throws {
        let store = try StoreUnderTest()
        let connection = try store.superuser()
        let granted = try connection.texts(
            """
            SELECT c.relname || ' ' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND \
            a.attnum > 0
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p') AND NOT a.attisdropped
                AND has_column_privilege('\(role.name)', c.oid, a.attnum, 'UPDATE')
            """)
        let shared = role == .operator ? [:] : Self.everyColumn
        let wanted = (Self.columns[role] ?? [:]).merging(shared) { $0.union($1) }
        #expect(Set(granted) == Set(wanted.flatMap { table, columns in columns.map { "\(table) \($0)" } }))
        connection.close()
        try store.drop()
    }

    @Test("the rights that are read from the migrations are those of the tables here", arguments: Worker.allCases)
    func grantsAreRead(_ worker: Worker) {
        let role = DatabaseRole(worker)
        let grants = Schema.grants(of: role.name)
        let (whole, columns) = (grants.filter { $0.column == nil }, grants.filter { $0.column != nil })
        let rights = (Self.rights[role] ?? [:]).merging(Self.every) { $0.union($1) }
        let updates = (Self.columns[role] ?? [:]).merging(Self.everyColumn) { $0.union($1) }
        #expect(
            Set(whole.map { "\($0.table) \($0.privilege)" })
                == Set(rights.flatMap { table, rights in rights.map { "\(table) \($0)" } }))
        #expect(columns.allSatisfy { $0.privilege == "UPDATE" })
        #expect(
            Set(columns.map { "\($0.table) \($0.column ?? "")" })
                == Set(updates.flatMap { table, columns in columns.map { "\(table) \($0)" } }))
    }

    static let ledgerTables = ["ledger_entry", "ledger_checkpoint", "ledger_checkpoint_range"]

    static func changes(of table: String) -> [String] {
        let column = table == "ledger_checkpoint" ? "number" : "chain"
        return [
            "UPDATE \(table) SET \(column) = \(column)", "DELETE FROM \(table)", "TRUNCATE \(table) CASCADE",
            "DELETE FROM \(table) WHERE false",
        ]
    }

    @Test("nobody changes the ledger: not the worker, not the owner, not a superuser", arguments: ledgerTables)
    func ledgerOnlyGrows(table: String) throws {
        let store = try StoreUnderTest()
        try store.enterScene()
        for connection in [try store.worker(), try store.owner(), try store.superuser()] {
            for sql in Self.changes(of: table) {
                let refusal = try connection.refusal(of: sql)
                #expect(refusal?.sqlState == "42501", "\(sql)")
            }
            connection.close()
        }
        let superuser = try store.superuser()
        for sql in Self.changes(of: table) {
            #expect(try superuser.refusal(of: sql)?.constraintName == "ledger_only_grows", "\(sql)")
        }
        #expect(
            try superuser.texts(
                "SELECT count(*)::text FROM \(table) \(table == "ledger_entry" ? "WHERE bytes = '{}'" : "")") == ["1"])
        superuser.close()
        try store.drop()
    }

    static let forbidden = [
        "DELETE FROM report", "DELETE FROM handoff", "DELETE FROM clock", "DELETE FROM vault", "DELETE FROM inbox",
        "DELETE FROM barred_root",
        "UPDATE barred_root SET unit = 'd2'", "UPDATE report_text SET body = ''", "UPDATE vault SET sealed = ''",
        "UPDATE handoff_body SET sealed = ''", "DELETE FROM handoff_body", "UPDATE epoch_key SET sealed = ''",
        "DELETE FROM report_key",
        "UPDATE outbox SET addressee = 'unit.c01'",
        "TRUNCATE outbox", "TRUNCATE report CASCADE", "INSERT INTO unit (id) VALUES ('x')", "DELETE FROM unit",
        "INSERT INTO source VALUES ('x', 'x', 'x')",
        "UPDATE source SET unit = NULL", "UPDATE unit SET sealing_key = NULL",
        "UPDATE unit SET chain = gen_random_uuid()", "UPDATE unit SET name = 'x'", "UPDATE office SET name = 'x'",
        "UPDATE handoff SET unit = 'c01'",
        "UPDATE report SET rule = 'x'", "INSERT INTO person (id, name) VALUES ('x', 'x')",
        "UPDATE person SET roles = '{leader}'", "DELETE FROM recusal",
        "INSERT INTO recusal VALUES ('li', 'x', 'x')", "DELETE FROM unit_closure",
        "INSERT INTO policy_version VALUES ('x', 1, '', '', '2026-01-01')",
        "INSERT INTO office (name) VALUES ('x')", "INSERT INTO calendar_day VALUES ('x', 1, '2026-01-01', true, true)",
        "DELETE FROM person_notice", "DELETE FROM dead_letter", "DELETE FROM clock_step",
        "UPDATE clock SET due_at = '2027-01-01'", "UPDATE clock SET owed_by = 'office'", "DELETE FROM duty_opening",
        "ALTER TABLE outbox DISABLE TRIGGER ALL",
        "DROP TRIGGER outbox_addressee_not_barred ON outbox",
        "ALTER TABLE handoff DROP CONSTRAINT handoff_signed_by_its_unit",
        "DROP TABLE barred_root", "CREATE TABLE mine (x integer)", "SET session_replication_role = replica",
        "SET ROLE bihuan_owner",
        "SELECT setval('report_number', 1)",
        """
        CREATE OR REPLACE FUNCTION outbox_addressee_not_barred() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
        RETURN NULL; END'
        """,
        "INSERT INTO ledger_checkpoint SELECT * FROM ledger_checkpoint", "DELETE FROM schema_migration",
        "INSERT INTO change_log (subjects) VALUES ('{}')", "DELETE FROM change_log", "UPDATE change_log SET xid = '9'",
        "INSERT INTO change_reader SELECT * FROM change_reader", "UPDATE change_reader SET horizon = '9'",
        "DELETE FROM change_reader", "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_is_logged",
    ]

    @Test("the database refuses the worker every statement that is not its own")
    func workerIsRefusedOtherStatements() throws {
        let store = try StoreUnderTest()
        try store.enterScene()
        let worker = try store.worker()
        for sql in Self.forbidden { #expect(try worker.refusal(of: sql)?.sqlState == "42501", "\(sql)") }
        worker.close()
        try store.drop()
    }
}
