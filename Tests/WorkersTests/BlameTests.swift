import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL
import Synchronization
import Testing
import TestOffice

@testable import Workers

/// Faults of the installation, made with real servers while reports arrive: no message is blamed.
@Suite("Blame on evidence", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BlameTests {
    /// The fault and its repair, as SQL of a superuser.
    struct Trouble: Sendable, CustomTestStringConvertible {
        let name: String
        let begin: String
        let end: String
        /// How often it occurs before it is repaired.
        var attempts = 5
        var testDescription: String { name }

        /// A trigger on a table that raises a SQLSTATE on every write.
        static func raising(_ state: String, _ name: String, on table: String = "report") -> Trouble {
            Trouble(
                name: "\(name): a trigger on \(table) raises \(state)",
                begin: """
                    CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '\(state)'; END $$;
                    CREATE TRIGGER trouble BEFORE INSERT ON \(table) FOR EACH STATEMENT EXECUTE FUNCTION trouble();
                    """,
                end: "DROP TRIGGER trouble ON \(table); DROP FUNCTION trouble()")
        }
    }

    static let troubles: [Trouble] = [
        Trouble(
            name: "a right is revoked", begin: "REVOKE INSERT ON report FROM bihuan_intake",
            end: "GRANT INSERT ON report TO bihuan_intake"),
        Trouble(
            name: "reading is revoked", begin: "REVOKE SELECT ON report FROM bihuan_worker",
            end: "GRANT SELECT ON report TO bihuan_worker"),
        .raising("53100", "the disk is full"), .raising("57014", "statements are cancelled"),
        .raising("P0001", "a trigger is broken"),
        .raising("42501", "a trigger refuses"), .raising("23514", "a trigger knows better"),
        .raising("22P02", "a trigger misreads", on: "report_text"),
        .raising("P0001", "the answers are not taken", on: "outbox"),
        .raising("XX000", "the server has a fault", on: "ledger_entry"),
        Trouble(
            name: "a constraint that nothing can keep",
            begin: "ALTER TABLE report ADD CONSTRAINT trouble CHECK (false) NOT VALID",
            end: "ALTER TABLE report DROP CONSTRAINT trouble"),
        Trouble(
            name: "a constraint on what all of these say",
            begin: "ALTER TABLE report ADD CONSTRAINT trouble CHECK (region <> 'p-c01') NOT VALID",
            end: "ALTER TABLE report DROP CONSTRAINT trouble"),
        Trouble(
            name: "a column too narrow",
            begin: "ALTER TABLE report_text ALTER COLUMN body TYPE varchar(10) USING left(body, 10)",
            end: "ALTER TABLE report_text ALTER COLUMN body TYPE text"),
        Trouble(
            name: "a column that must be filled",
            begin:
                """
                ALTER TABLE report ADD COLUMN trouble text NOT NULL DEFAULT ''; ALTER TABLE report ALTER COLUMN \
                trouble DROP DEFAULT
                """,
            end: "ALTER TABLE report DROP COLUMN trouble"),
        Trouble(
            name: "a table is renamed", begin: "ALTER TABLE accused RENAME TO gone",
            end: "ALTER TABLE gone RENAME TO accused"),
        Trouble(
            name: "a column is renamed", begin: "ALTER TABLE report RENAME papers TO gone",
            end: "ALTER TABLE report RENAME gone TO papers"),
        Trouble(
            name: "what a trigger asks is renamed", begin: "ALTER TABLE barred_root RENAME TO gone",
            end: "ALTER TABLE gone RENAME TO barred_root"),
        Trouble(
            name: "numbers begin again", begin: "SELECT setval('report_number', 1, false)",
            end: "SELECT setval('report_number', 100000)", attempts: 2),
    ]

    @Test(
        "an outage makes no dead letter and is logged once; afterwards everything is stored once, within two seconds",
        arguments: troubles)
    func blamesNoMessageDuringOutage(trouble: Trouble) throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        try office.start(.intake)
        try office.start(.routing)
        // So that a sequence which begins again meets numbers that are taken.
        let before = try (1...5).map { _ in try source.submit(.new()) }
        for _ in before { _ = try source.receive() }

        try office.change(trouble.begin)
        var ids: Set<String> = [try source.submit(.new())]
        try office.log.wait(for: "attempt failed")
        for _ in 1...5 { ids.insert(try source.submit(.new())) }
        // More often than a message may fail before it is set aside.
        try office.log.wait(for: "attempt failed", lines: trouble.attempts)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)

        try office.change(trouble.end)
        let ended = ContinuousClock.now
        var answers: [ReceivedMessage] = []
        for _ in ids { answers.append(try source.receive()) }
        #expect(ContinuousClock.now - ended < .seconds(2))
        #expect(Set(answers.compactMap(\.inReplyTo)) == ids && answers.allSatisfy { $0.problem == nil })
        #expect(try office.count("SELECT count(*) FROM report") == before.count + ids.count)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.log.wait(for: "fault ended after")
        let said = office.log.lines.filter {
            $0.contains("installation fault") || $0.contains("waiting for the database")
        }
        #expect(said.count <= 4, "\(said)")
        #expect(!office.log.lines.contains { $0.contains("lane interrupted") })
        try office.expectWholeLedger()
        try office.close()
    }
}

@Suite(
    "Faults that come from sessions and locks",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SessionFaultTests {
    /// Submits until the disturbance has been made often enough, then everything must be registered, and nothing be
    /// blamed.
    private func expectAllRegistered(
        _ office: OfficeUnderTest, change: (inout LaneSettings) -> Void = { _ in },
        whileDisturbed disturb: (PartyClient, inout Set<String>) throws -> Void
    ) throws {
        let source = try office.source()
        try office.start(.intake, change: change)
        try office.start(.routing, change: change)
        try source.submit(.new())
        _ = try source.receive()
        var ids: Set<String> = []
        try disturb(source, &ids)
        let count = ids.count
        for _ in 0..<count {
            let answer = try source.receive(within: 30)
            #expect(answer.problem == nil)
            ids.remove(answer.inReplyTo ?? "")
        }
        #expect(ids.isEmpty)
        #expect(try office.count("SELECT count(*) FROM report") == count + 1)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("a table that changes under a running lane has its statements planned anew, and nobody waits")
    func replansAfterTableChange() throws {
        let office = try OfficeUnderTest()
        try expectAllRegistered(office) { source, ids in
            for change in [
                "ALTER TABLE report ADD COLUMN extra text", "ALTER TABLE report ALTER COLUMN rule TYPE varchar(500)",
                "ALTER TABLE report_text ALTER COLUMN title TYPE varchar(2000)",
                "ALTER TABLE source ALTER COLUMN name TYPE varchar(300)",
            ] {
                try office.change(change)
                for _ in 1...3 { ids.insert(try source.submit(.new())) }
            }
        }
        #expect(!office.log.lines.contains { $0.contains("installation fault") })
    }

    @Test("a table is locked for longer than any statement may take, and work resumes after the lock")
    func resumesAfterLongLock() throws {
        let office = try OfficeUnderTest()
        let holder = try office.database()
        defer { holder.close() }
        try expectAllRegistered(office) {
            $0.database.statementTimeoutMilliseconds = 500
            $0.database.lockTimeoutMilliseconds = 400
        } whileDisturbed: { source, ids in
            try holder.execute("BEGIN; LOCK TABLE report_text IN ACCESS EXCLUSIVE MODE")
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            try office.log.wait(for: "attempt failed", lines: 4)
            try holder.execute("ROLLBACK")
        }
    }

    @Test("a server slower than the statement time-out: no message is blamed, and work resumes afterwards")
    func blamesNoMessageForSlowServer() throws {
        let office = try OfficeUnderTest()
        try expectAllRegistered(office) {
            $0.database.statementTimeoutMilliseconds = 400
        } whileDisturbed: { source, ids in
            try office.change(
                """
                CREATE FUNCTION stalls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN \
                NULL; END $$;
                CREATE TRIGGER stalls BEFORE INSERT ON report_text FOR EACH STATEMENT EXECUTE FUNCTION stalls();
                """)
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            try office.log.wait(for: "attempt failed", lines: 3)
            try office.change("DROP FUNCTION stalls() CASCADE")
        }
    }

    @Test(
        "an administrator repeatedly ends or cancels the lanes' sessions: no message is blamed",
        arguments: ["pg_cancel_backend(pid)", "pg_terminate_backend(pid)"])
    func blamesNoMessageForCancelledSessions(deed: String) throws {
        let office = try OfficeUnderTest()
        let administrator = try office.database()
        defer { administrator.close() }
        try expectAllRegistered(office) { source, ids in
            for _ in 1...40 {
                for _ in 1...3 { ids.insert(try source.submit(.new())) }
                try administrator.execute(
                    """
                    SELECT \(deed) FROM pg_stat_activity WHERE datname = current_database() AND application_name \
                    LIKE 'bihuan %' AND state <> 'idle'
                    """
                )
            }
        }
    }

    @Test("a worker that is suspended repeatedly within a transaction blames no message for it")
    func blamesNoMessageForSuspendedWorker() throws {
        let office = try OfficeUnderTest()
        let stalls = Mutex(0)
        let looking = PostgreSQL.ConnectionSettings(url: office.servers.databaseURL(database: office.databaseName))
        try expectAllRegistered(office) {
            $0.database.idleInTransactionTimeoutMilliseconds = 200
            $0.interrupt = { point in
                guard point == .beforeCommit else { return }
                let count = stalls.withLock { (count: inout Int) -> Int in
                    count += 1
                    return count
                }
                // Those between would be the dry run's, were there any suspicion.
                guard [2, 4, 6, 8].contains(count) else { return }
                // It stands until the server has ended the transaction that idles.
                let database = try Database(looking)
                defer { database.close() }
                try eventually("no transaction idles") {
                    try database.texts(
                        """
                        SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() \
                        AND state LIKE 'idle in transaction%'
                        """) == ["0"]
                }
            }
        } whileDisturbed: { source, ids in
            ids.insert(try source.submit(.new()))
        }
    }

    @Test("the database is read-only for a while: lanes wait and reconnect until it accepts writes")
    func waitsWhileDatabaseIsReadOnly() throws {
        let office = try OfficeUnderTest()
        try expectAllRegistered(office) { source, ids in
            // As a standby that was promoted the other way: sessions that were there may not write any more.
            try office.change(
                """
                CREATE FUNCTION reads_only() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'read only' USING ERRCODE = '25006'; END $$;
                CREATE TRIGGER reads_only BEFORE INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION reads_only();
                """)
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            try office.log.wait(for: "attempt failed", lines: 4)
            try office.change("DROP FUNCTION reads_only() CASCADE")
        }
    }
}

@Suite(
    "Settings of the role and the database",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct HostileSettingsTests {
    static let settings = [
        "default_transaction_isolation = 'serializable'", "default_transaction_read_only = on",
        "default_transaction_deferrable = on",
        "statement_timeout = 1", "lock_timeout = 1", "idle_in_transaction_session_timeout = 1",
        "idle_session_timeout = 20", "exit_on_error = on",
        "search_path = elsewhere", "client_min_messages = error", "DateStyle = 'German'", "IntervalStyle = iso_8601",
        "TimeZone = 'Asia/Kathmandu'",
        "bytea_output = escape", "extra_float_digits = -15", "standard_conforming_strings = off", "array_nulls = off",
        "synchronous_commit = off",
        "transform_null_equals = on", "default_tablespace = nowhere", "row_security = off", "enable_indexscan = off",
        "enable_nestloop = off",
    ]

    @Test(
        "the loop closes under any settings, of a role in the database and of the database",
        arguments: ["ROLE bihuan_intake IN DATABASE", "DATABASE"])
    func closesTheLoopUnderHostileSettings(whose: String) throws {
        let office = try OfficeUnderTest()
        for setting in Self.settings { try office.maintain("ALTER \(whose) \(office.databaseName) SET \(setting)") }
        let (source, city) = (try office.source(), try office.unit("c01"))
        try office.startAll()
        let arrived = try office.handOff(from: source, to: city)
        try city.sign(arrived)
        try city.decide(arrived)
        try city.conclude(arrived)
        for setting in Self.settings {
            let name = setting.split(separator: " ")[0]
            try office.maintain("ALTER \(whose) \(office.databaseName) RESET \(name)")
        }
        try office.waitForState("closed", of: arrived)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }
}

@Suite(
    "A poison message among healthy ones, and alone",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct PoisonTests {
    static let marker = "难以入库"

    private func poison() -> Submission {
        var poison = Submission.new()
        poison.text += Self.marker
        return poison
    }

    @Test(
        "it is found within ten seconds, alone or among a hundred; its neighbours are registered",
        arguments: [0, 100])
    func findsPoisonWithinTenSeconds(neighbours: Int) throws {
        let office = try OfficeUnderTest()
        try office.change("ALTER TABLE report_text ADD CONSTRAINT no_marker CHECK (body NOT LIKE '%\(Self.marker)%')")
        let source = try office.source()
        for _ in 0..<neighbours / 2 { try source.submit(.new()) }
        let id = try source.submit(poison())
        for _ in 0..<neighbours / 2 { try source.submit(.new()) }
        let began = ContinuousClock.now
        try office.start(.intake) { $0.batchSizeMax = 200 }
        try office.wait(for: [id], "SELECT event_id FROM dead_letter WHERE reason = 'cannot_be_handled'", within: 10)
        #expect(ContinuousClock.now - began < .seconds(10))
        try office.wait(for: ["\(neighbours)"], "SELECT count(*) FROM report")
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 1)
        try office.close()
    }

    @Test("a message that also poisons its own dead letter is kept by its digest, without content")
    func storesPoisonByDigestAlone() throws {
        let office = try OfficeUnderTest()
        try office.change("ALTER TABLE inbox ADD CONSTRAINT no_marker CHECK (event_id NOT LIKE '%poison%')")
        let source = try office.source()
        try source.submit(.new(), id: "poison-\(UUID().uuidString)")
        let healthy = try source.submit(.new())
        try office.start(.intake)
        try office.wait(
            for: ["cannot_be_handled"],
            "SELECT reason FROM dead_letter WHERE inbox_id LIKE 'keyed:%' AND event_id NOT LIKE '%poison%'")
        try office.wait(for: [healthy], "SELECT source_id FROM report")
        try office.close()
    }

    @Test("a case whose clock cannot be moved stops no other")
    func keepsSweepingOtherCases() throws {
        let office = try OfficeUnderTest()
        let (source, city) = (try office.source(), try office.unit("c01"))
        try office.startAll()
        let bad = try office.handOff(from: source, to: city)
        let good = try office.handOff(from: source, to: city)
        try office.settle()
        try office.stopLanes()
        let clocks = "SELECT id::text FROM clock WHERE duty = 'sign' AND handoff_id ="
        let (badClock, goodClock) = (
            try #require(try office.texts("\(clocks) '\(bad.handoff)'").first),
            try #require(try office.texts("\(clocks) '\(good.handoff)'").first)
        )
        try office.change("ALTER TABLE clock_step ADD CONSTRAINT no_step CHECK (clock_id <> '\(badClock)')")
        let wall = Instant.wall()
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 20 * 86_400), rate: 1))
        try office.wait(
            for: ["t"], "SELECT (count(*) > 0)::text::char(1) FROM clock_step WHERE clock_id = '\(goodClock)'")
        try office.log.wait(for: "case set aside")
        // It stands in its row, and the supervisors know.
        try office.wait(for: ["cannot_be_written"], "SELECT set_aside FROM clock WHERE id = '\(badClock)'")
        #expect(try office.count("SELECT count(*) FROM clock_step WHERE clock_id = '\(badClock)'") == 0)
        let supervisors = try office.count("SELECT count(*) FROM person WHERE 'supervisor' = ANY (roles)")
        #expect(try office.count("SELECT count(*) FROM person_notice WHERE kind = 'sign_set_aside'") == supervisors)
        #expect(!office.log.lines.contains { $0.contains("lane interrupted") })
        try office.close()
    }

    @Test("a message whose outcome cannot be stored stops nobody")
    func unsettledMessageStopsNobody() throws {
        let office = try OfficeUnderTest()
        try office.change("ALTER TABLE handoff ADD CONSTRAINT not_dispatched CHECK (state <> 'dispatched')")
        let source = try office.source()
        try office.start(.intake)
        try office.start(.routing)
        try source.submit(.new())
        _ = try source.receive()
        try office.log.wait(for: "an outbox row cannot be settled")
        // Routing goes on with the next, and neither message is blamed.
        let second = try source.submit(.new())
        _ = try source.receive()
        try office.wait(
            for: ["1"],
            "SELECT count(*) FROM handoff JOIN report ON report.id = report_id WHERE source_id = '\(second)'")
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        #expect(!office.log.lines.contains { $0.contains("lane interrupted") })
        try office.close()
    }
}

@Suite(
    "The trial run of the office's own work",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DryRunTests {
    @Test(
        "it writes to every table that the worker may write to, and leaves nothing but its probe",
        arguments: Worker.allCases)
    func writesToEveryTableOnTrial(_ worker: Worker) throws {
        let office = try OfficeUnderTest()
        // A report that was handed over, for those who may not make one.
        for worker in [Worker.intake, .routing] { try office.start(worker) }
        let source = try office.source()
        try source.submit(.new())
        _ = try source.receive()
        try office.wait(for: ["dispatched"], "SELECT state FROM handoff")
        try office.stopLanes()
        let settings = try office.settings(for: worker)
        let store = try LaneStore(
            settings, desk: WorkerService.desk(worker, settings), laneName: "dry",
            logger: .init(label: "dry") { _ in office.log })
        defer { store.close() }
        let before = try office.tableDigests()
        try store.tryOut(like: .reports([]))
        #expect(try office.tableDigests() == before)
        #expect(try office.texts("SELECT worker FROM probe") == [worker.rawValue])
        let granted = try office.texts(
            """
            SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND has_table_privilege('\(DatabaseRole(worker).name)', oid, 'INSERT') ORDER BY 1
            """)
        try store.database.begin()
        let dryRun = try store.dryRun()
        try store.database.run(dryRun.claim)
        try store.database.pipeline(commands: try dryRun.commands(like: .init()))
        let touched = try store.database.texts(
            "SELECT relname::text FROM pg_stat_xact_user_tables WHERE n_tup_ins > 0 ORDER BY 1")
        try store.database.rollback()
        // Attempts, leases and check values are noted apart from any message, and a probe is what follows the dry run.
        #expect(
            Set(granted).subtracting(touched).isSubset(of: [
                "attempt", "probe", "lane_lease", "queue_lease", "duty_opening", "secret_check",
            ]))
        try office.close()
    }
}
