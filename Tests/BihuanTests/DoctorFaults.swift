import CaseStore
import Contract
import Foundation
import LocalServers
import Testing
@testable import Basics
@testable import Installation

/// A fault that is made by hand, what the doctor must say of it, and what its advice does.
struct DoctorFault: Sendable {
    let name: String
    let check: String
    let expected: String
    let provoke: @Sendable (ExaminedOffice) throws -> Void
    let cure: @Sendable (ExaminedOffice) throws -> Void

    init(
        _ name: String, _ check: String, _ expected: String,
        _ provoke: @escaping @Sendable (ExaminedOffice) throws -> Void,
        cure: @escaping @Sendable (ExaminedOffice) throws -> Void
    ) {
        self.name = name
        self.check = check
        self.expected = expected
        self.provoke = provoke
        self.cure = cure
    }

    /// Made by SQL of the superuser, and undone by it; each text is one transaction.
    init(_ name: String, _ check: String, _ expected: String, sql: [String], undo: [String]) {
        self.init(name, check, expected) { office in
            for text in sql { try office.sql(text) }
        } cure: { office in
            for text in undo { try office.sql(text) }
        }
    }

    /// Also said of a fault that was made already.
    static func also(_ name: String, _ check: String, _ expected: String) -> DoctorFault {
        DoctorFault(name, check, expected) { _ in
        } cure: { _ in
        }
    }

    /// Faults that are made together: each must be told, whatever else is wrong. They are undone from the last to the
    /// first.
    struct Round: Sendable {
        let name: String
        var options: [String] = []
        let faults: [DoctorFault]
    }

    static let rounds = [
        Round(name: "files", options: ["--worker", "intake"], faults: files),
        Round(name: "keys and values", faults: values), Round(name: "roles", faults: roles),
        Round(name: "schema", faults: schema), Round(name: "the database's server", faults: server),
        Round(name: "the broker", faults: broker), Round(name: "the broker's memory", faults: memory),
        Round(name: "workers", faults: workers), Round(name: "the office", faults: rows),
    ]

    private static let files = [
        DoctorFault("a key that others may read", "configuration.files", "others may read or write it (mode 0644)") {
            chmod($0.office.path("keys/digest.key"), 0o644)
        } cure: {
            chmod($0.office.path("keys/digest.key"), 0o600)
        },
        DoctorFault("a folder of secrets that others may fill", "configuration.files", "others may put files into") {
            chmod($0.office.path("secrets"), 0o777)
        } cure: {
            chmod($0.office.path("secrets"), 0o700)
        },
        DoctorFault("a missing key of a box", "configuration.files", "attachments.key is missing, and intake needs it")
        {
            try $0.move("keys/attachments.key", to: "attachments.key.backup")
        } cure: {
            try $0.move("attachments.key.backup", to: "keys/attachments.key")
        },
        DoctorFault("a misshapen key", "configuration.files", "must hold 64 hexadecimal digits") {
            try $0.move("keys/handoffs.key", to: "handoffs.key.backup")
            try $0.office.write("abc\n", to: "keys/handoffs.key", mode: 0o600)
        } cure: {
            try FileManager.default.removeItem(atPath: $0.office.path("keys/handoffs.key"))
            try $0.move("handoffs.key.backup", to: "keys/handoffs.key")
        },
        DoctorFault("a missing password", "configuration.worker", "users.office-intake: is missing") {
            try $0.move("secrets/users-office-intake", to: "users-office-intake.backup")
        } cure: {
            try $0.move("users-office-intake.backup", to: "secrets/users-office-intake")
        },
        DoctorFault("a missing password of a role", "configuration.worker", "roles.intake: no password") {
            try $0.move("secrets/roles-intake", to: "roles-intake.backup")
        } cure: {
            try $0.move("roles-intake.backup", to: "secrets/roles-intake")
        },
        DoctorFault("another key than before", "secrets.match", "deferred.key is not the key") {
            try $0.move("keys/deferred.key", to: "deferred.key.backup")
            try $0.office.write(String(repeating: "ab", count: 32), to: "keys/deferred.key", mode: 0o600)
        } cure: {
            try FileManager.default.removeItem(atPath: $0.office.path("keys/deferred.key"))
            try $0.move("deferred.key.backup", to: "keys/deferred.key")
        },
    ]

    private static let values = [
        DoctorFault("an unknown key", "configuration.values", "did you mean \"lane.lanes\"?") {
            try $0.move("bihuan.yaml", to: "bihuan.yaml.backup")
            let text = try $0.office.text("bihuan.yaml.backup")
            try $0.office.write(text.replacing("  lanes: 2", with: "  lanse: 2"), to: "bihuan.yaml")
        } cure: {
            try FileManager.default.removeItem(atPath: $0.office.path("bihuan.yaml"))
            try $0.move("bihuan.yaml.backup", to: "bihuan.yaml")
        },
        also("what then nobody knows", "database.reachable", "unknown: could not be asked: the configuration"),
    ]

    private static let roles = [
        DoctorFault(
            "a role that may not log in", "database.roles", "bihuan_routing may not log in",
            sql: ["ALTER ROLE bihuan_routing NOLOGIN"], undo: ["ALTER ROLE bihuan_routing LOGIN"]),
        also("the same at the door", "database.logins", "bihuan_routing is refused"),
        DoctorFault(
            "a role with too many rights", "database.roles", "bihuan_feedback has CREATEROLE",
            sql: ["ALTER ROLE bihuan_feedback CREATEROLE"], undo: ["ALTER ROLE bihuan_feedback NOCREATEROLE"]),
        DoctorFault(
            "a password that ended", "database.roles", "the password of bihuan_intake has ended",
            sql: ["ALTER ROLE bihuan_intake VALID UNTIL '2020-01-01'"],
            undo: ["ALTER ROLE bihuan_intake VALID UNTIL 'infinity'"]),
        DoctorFault(
            "a right that was taken away", "database.rights", "bihuan_worker lacks INSERT ON probe",
            sql: ["REVOKE INSERT ON probe FROM bihuan_worker"], undo: ["GRANT INSERT ON probe TO bihuan_worker"]),
        DoctorFault(
            "a right to one column that was taken away", "database.rights", "UPDATE (set_aside) ON clock",
            sql: ["REVOKE UPDATE (set_aside) ON clock FROM bihuan_worker"],
            undo: ["GRANT UPDATE (set_aside) ON clock TO bihuan_worker"]),
        DoctorFault(
            "a right to the ledger", "database.ledger", "bihuan_intake may DELETE ledger_entry",
            sql: ["GRANT DELETE ON ledger_entry TO bihuan_intake"],
            undo: ["REVOKE DELETE ON ledger_entry FROM bihuan_intake"]),
        DoctorFault(
            "a trigger that is off", "database.ledger", "ledger_only_grows on ledger_checkpoint is missing or off",
            sql: ["ALTER TABLE ledger_checkpoint DISABLE TRIGGER ledger_only_grows"],
            undo: ["ALTER TABLE ledger_checkpoint ENABLE TRIGGER ledger_only_grows"]),
        DoctorFault(
            "a schema of a later version", "database.schema", "the database is newer than this program",
            sql: ["INSERT INTO schema_migration (name, checksum) VALUES ('m9999_future', 'x')"],
            undo: ["DELETE FROM schema_migration WHERE name = 'm9999_future'"]),
    ]

    private static let schema = [
        DoctorFault(
            "a migration that is not recorded", "database.schema", "the database has no schema",
            sql: ["CREATE TABLE kept_migration AS TABLE schema_migration", "DELETE FROM schema_migration"],
            undo: ["INSERT INTO schema_migration TABLE kept_migration", "DROP TABLE kept_migration"])
    ]

    private static func setting(_ name: String, _ value: String, _ check: String, _ expected: String) -> DoctorFault {
        DoctorFault(
            "\(name) = \(value)", check, expected,
            sql: ["ALTER SYSTEM SET \(name) = '\(value)'", "SELECT pg_reload_conf()"],
            undo: ["ALTER SYSTEM RESET \(name)", "SELECT pg_reload_conf()"])
    }

    private static let server = [
        setting("fsync", "off", "database.durability", "fsync is off"),
        setting("full_page_writes", "off", "database.durability", "full_page_writes is off"),
        DoctorFault(
            "a role that does not wait for the disk", "database.durability",
            "synchronous_commit is off for bihuan_intake",
            sql: ["ALTER ROLE bihuan_intake SET synchronous_commit = off"],
            undo: ["ALTER ROLE bihuan_intake RESET synchronous_commit"]),
        setting("autovacuum", "off", "database.vacuum", "autovacuum is off"),
        DoctorFault(
            "a forgotten prepared transaction", "database.transactions", "the prepared transaction 'forgotten'",
            sql: ["BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'forgotten'"],
            undo: ["ROLLBACK PREPARED 'forgotten'"]),
        DoctorFault(
            "an unused replication slot", "database.transactions", "the unused replication slot gone",
            sql: ["SELECT pg_create_physical_replication_slot('gone')"],
            undo: ["SELECT pg_drop_replication_slot('gone')"]),
        DoctorFault("few sessions left", "database.connections", "sessions are in use") { office in
            let most = try office.sessions() + 2
            try office.sql("ALTER DATABASE first CONNECTION LIMIT \(most)")
        } cure: {
            try $0.sql("ALTER DATABASE first CONNECTION LIMIT -1")
        },
        // Every commit then waits, so it comes last and goes first.
        setting(
            "synchronous_standby_names", "nobody", "database.standby", "no standby is connected: every commit waits"),
    ]

    private static let broker = [
        DoctorFault("another password at the broker", "broker.logins", "office.routing is refused") {
            try $0.administer("PUT", ["users", "office.routing"], #"{"password": "another", "tags": ""}"#)
        } cure: { office in
            let again = try office.office.setup()
            #expect(again.status == 0, "\(again.output)\(again.errors)")
        },
        also("the same by its hash", "broker.topology", "user office.routing: the password is not the one given"),
        DoctorFault("a queue that was deleted", "broker.topology", "missing: queue unit.c01.acts") {
            try $0.administer("DELETE", ["queues", "first", "unit.c01.acts"])
        } cure: { office in
            let applied = try office.office.run("topology", "apply")
            #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        },
        also("the same by its reader", "broker.consumers", "missing: unit.c01.acts"),
        DoctorFault("a policy that was changed", "broker.topology", "policy bihuan.notices") {
            try $0.administer(
                "PUT", ["policies", "first", "bihuan.notices"],
                #"{"pattern": "^x$", "definition": {"max-length-bytes": 5}, "apply-to": "queues"}"#)
        } cure: { _ in
        },
        DoctorFault("a queue that nobody wants", "broker.topology", "not wanted: queue unit.gone.inbox") {
            try $0.administer("PUT", ["queues", "first", "unit.gone.inbox"], #"{"durable": true}"#)
        } cure: { office in
            _ = try office.office.run("topology", "apply", "--prune")
        },
    ]

    private static let memory = [
        DoctorFault("a broker without memory", "broker.alarms", "has the alarm memory") {
            _ = try $0.servers.servers.rabbitmqctl(["set_vm_memory_high_watermark", "0.000001"])
        } cure: {
            _ = try $0.servers.servers.rabbitmqctl(["set_vm_memory_high_watermark", "0.4"])
        }
    ]

    private static let workers = [
        DoctorFault("a worker that does not run", "office.workers", "no lane of feedback lives") {
            $0.stop(.feedback)
        } cure: {
            try $0.start(.feedback)
        },
        also("the queues that it read", "office.leases", "no lane of feedback has leased"),
        also(
            "the same at the broker", "broker.consumers",
            "nobody reads bihuan.command.deadlines, bihuan.command.feedback"),
        DoctorFault("clocks that nobody looks at", "office.clocks", "steps of clocks are late") {
            $0.stop(.deadlines)
            try $0.sql("CREATE TABLE kept_clock AS SELECT id, next_at FROM clock WHERE next_at IS NOT NULL")
            try $0.sql("UPDATE clock SET next_at = started_at - interval '1 hour' WHERE next_at IS NOT NULL")
        } cure: {
            try $0.sql("UPDATE clock c SET next_at = k.next_at FROM kept_clock k WHERE k.id = c.id")
            try $0.sql("DROP TABLE kept_clock")
            try $0.start(.deadlines)
        },
    ]

    private static let rows = [
        DoctorFault(
            "dead letters", "office.deadletters", "6× malformed",
            sql: [
                """
                INSERT INTO dead_letter (id, reason, detail, queue, routing_key, worker, digest, bytes, answered,
                    received_at)
                SELECT gen_random_uuid(), 'malformed', '', 'bihuan.dead', '', 'feedback', 'x', 1, true, now()
                FROM generate_series(1, 6)
                """
            ], undo: ["DELETE FROM dead_letter"]),
        also("the rate of them", "office.poison", "6 became dead letters"),
        DoctorFault(
            "a handoff that no clock watches", "office.handoffs", "1 open handoffs have neither",
            sql: [
                """
                CREATE TABLE kept_clock AS SELECT id, next_at FROM clock
                WHERE ended_at IS NULL AND handoff_id IS NOT NULL
                """,
                """
                UPDATE clock SET ended_at = started_at, ended_because = 'by hand', next_at = NULL
                WHERE id IN (SELECT id FROM kept_clock)
                """,
            ],
            undo: [
                """
                UPDATE clock c SET ended_at = NULL, ended_because = NULL, next_at = k.next_at FROM kept_clock k
                WHERE k.id = c.id
                """, "DROP TABLE kept_clock",
            ]),
        DoctorFault(
            "a clock that was set aside", "office.clocks", "1 clocks are set aside after a fault",
            sql: ["UPDATE clock SET set_aside = 'by hand' WHERE handoff_id IS NOT NULL"],
            undo: ["UPDATE clock SET set_aside = NULL"]),
        DoctorFault(
            "no unit of a kind", "office.parties", "no active unit is of the kind superior",
            sql: ["UPDATE unit SET kind = 'city' WHERE id = 'superior'"],
            undo: ["UPDATE unit SET kind = 'superior' WHERE id = 'superior'"]),
        DoctorFault(
            "nobody to tell", "office.staff", "no active person is a leader or a supervisor",
            sql: ["UPDATE person SET roles = '{clerk}'"],
            undo: ["UPDATE person SET roles = '{leader,supervisor,operator}'"]),
        DoctorFault("a ledger that was never signed", "office.checkpoint", "no checkpoint was ever made") {
            try $0.sql("UPDATE policy_activation SET activated_at = activated_at - interval '3 days'")
        } cure: { office in
            let signed = try office.office.run("ledger", "checkpoint")
            #expect(signed.status == 0, "\(signed.output)\(signed.errors)")
        },
    ]
}
