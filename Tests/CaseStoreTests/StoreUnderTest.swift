import CaseStore
import Casework
import Foundation
import PostgreSQL
import TestOffice
import Testing

/// A database of its own for one test, copied from the migrated template or made empty.
final class StoreUnderTest {
    let servers: TestServers
    let name: String

    init(empty: Bool = false) throws {
        servers = try #require(TestServers.announced)
        name = "bihuan_store_\(UInt64.random(in: 0 ... .max))"
        let superuser = try Connection(ConnectionSettings(url: servers.databaseURL))
        try superuser.execute(
            """
            CREATE DATABASE \(name) \
            \(empty ? "OWNER bihuan_owner" : "TEMPLATE \(TestServers.template) OWNER bihuan_owner")
            """
        )
        superuser.close()
    }

    func drop() throws {
        let superuser = try Connection(ConnectionSettings(url: servers.databaseURL))
        try superuser.execute("DROP DATABASE \(name) WITH (FORCE)")
        superuser.close()
    }

    func superuser() throws -> Connection {
        try Connection(ConnectionSettings(url: servers.databaseURL(database: name)))
    }
    func owner() throws -> Connection {
        try Connection(ConnectionSettings(url: servers.databaseURL(user: "bihuan_owner", database: name)))
    }
    func worker() throws -> Connection {
        try Connection(ConnectionSettings(url: servers.databaseURL(user: TestServers.everyWorker, database: name)))
    }

    /// One report with all rows that refer to it, inserted directly.
    func enterScene() throws {
        let connection = try superuser()
        try connection.execute(Self.scene)
        connection.close()
    }

    static let report = "00000000-0000-0000-0000-00000000000a"
    static let handoff = "00000000-0000-0000-0000-0000000000aa"
    static let clock = "00000000-0000-0000-0000-0000000000cc"
    static let chain = "00000000-0000-0000-0000-00000000000c"
    static let sha256 = "decode(repeat('ab', 32), 'hex')"
    static let moment = "'2026-03-02T08:00:00Z'"

    private static let scene = """
        INSERT INTO report (id, number, source, source_id, digest, state, source_kind, real_name, received_at, \
        registered_at, verdict,
            rule, head, entry_count)
        VALUES ('\(report)', 202600000001, 'letter', 's-1', 'd', 'routed', 'letter', false, \(moment), \(moment), \
        'registered', 'p@1/r',
            \(sha256), 1);
        INSERT INTO barred_root VALUES ('\(report)', 'c01');
        INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, running_clocks)
        VALUES ('\(handoff)', '\(report)', 1, 'd1', 'transfer', 'released', false, 'p@1/r', 'd', 1);
        INSERT INTO clock (id, subject, report_id, handoff_id, duty, period, owed_by, started_at, due_at, rule, \
        next_step, next_at)
        VALUES ('\(clock)', 'report', '\(report)', '\(handoff)', 'sign', '1', 'unit.d1', \(moment), \(moment), \
        'p@1/c', 0, \(moment));
        INSERT INTO clock_step VALUES ('\(clock)', 1, 'remind', \(moment));
        INSERT INTO duty_opening VALUES ('duty', 'month', '2026-02', \(moment));
        INSERT INTO ledger_entry VALUES ('\(report)', 1, '{}', \(sha256));
        INSERT INTO ledger_checkpoint
        VALUES (1, \(moment), 1, \(sha256), \(sha256), \(sha256), decode(repeat('ab', 64), 'hex'));
        INSERT INTO ledger_checkpoint_range VALUES ('\(report)', 1, 1, 1);
        INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at)
        VALUES ('unit.d1', 'e-1', 'd', 'taken', 's', \(moment));
        INSERT INTO held_message (sender, event_id, handoff_id, report_id, type, key_id, sealed, held_at)
        VALUES ('unit.d1', 'e-1', '\(handoff)', '\(report)', 't', 'k', 's', \(moment));
        INSERT INTO policy_version VALUES ('p', 1, 'd', 'y', \(moment));
        """
}

/// A query whose rows are one text each; prepared statements are per type, so the query travels as a parameter.
struct Texts: Statement {
    let query: String
    static let sql = "SELECT unnest(xpath('//v/text()', query_to_xml($1, true, false, '')))::text"
    var parameters: [Parameter] { [.text("SELECT t.v FROM (\(query)) AS t (v)")] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

extension Connection {
    func texts(_ query: String) throws -> [String] { try run(Texts(query: query)).rows }

    /// Runs SQL that must be refused, and takes back what it did.
    func refusal(of sql: String) throws -> PostgreSQLError? {
        try begin()
        defer { try? rollback() }
        do {
            try execute(sql)
            return nil
        } catch {
            return error
        }
    }
}
