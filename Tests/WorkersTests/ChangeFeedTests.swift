import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

/// A cursor by the number of the last transaction seen would fail each of the first three.
@Suite(
    "What is new", .serialized, .quietCluster,
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ChangeFeedTests {
    private static let moment = GrowingLedger.moment

    @Test(
        "a transaction that began earlier and commits later than another one is not skipped, and holds the other back")
    func coversWhatCommitsLater() throws {
        let ledger = try GrowingLedger()
        #expect(try ledger.checkpoint().isWhole)
        let (older, younger) = (try ledger.worker(), try ledger.worker())
        defer {
            older.close()
            younger.close()
        }
        try older.begin()
        try ledger.register(with: older)
        var report = try ledger.register(with: younger)

        let between = try ledger.checkpoint()
        #expect(between.checkpoint == nil && between.chainsLookedAt == 0 && !between.isWhole)
        #expect(between.lag.waiting == 1)
        let holder = try #require(between.lag.holder)
        #expect(holder.processID == (try older.processID()))
        #expect(holder.database == ledger.database)
        try older.commit()

        let after = try ledger.checkpoint()
        #expect(after.chainsLookedAt == 2 && after.checkpoint?.entryCount == 2)
        #expect(after.lag == ChangeLag(waiting: 0, holder: nil))
        #expect(try ledger.uncovered() == 0)

        // The same once more with a chain that has entries under a checkpoint: what is covered stays so.
        try older.begin()
        try ledger.register(with: older)
        try ledger.grow(&report, with: younger)
        #expect(try ledger.checkpoint().chainsLookedAt == 0)
        try older.rollback()
        try ledger.grow(&report, with: younger)
        #expect(try ledger.checkpoint().checkpoint?.entryCount == 2)
        #expect(try ledger.checkpoint().checkpoint == nil)
        #expect(try ledger.uncovered() == 0)
        try ledger.drop()
    }

    @Test("a chain that an older transaction holds back is covered once, though its entry was covered before its turn")
    func coversEntriesBeforeTheirTurn() throws {
        let ledger = try GrowingLedger()
        let (older, younger) = (try ledger.worker(), try ledger.worker())
        defer {
            older.close()
            younger.close()
        }
        var report = try ledger.register(with: younger)
        try ledger.checkpoint()
        try ledger.grow(&report, with: younger)
        try older.begin()
        try ledger.register(with: older)
        // Its row waits above the horizon, but the row before it names the same chain.
        try ledger.grow(&report, with: younger)
        let first = try ledger.checkpoint()
        #expect(first.checkpoint?.entryCount == 2 && first.lag.waiting == 1)
        try older.commit()
        let second = try ledger.checkpoint()
        #expect(second.chainsLookedAt == 2 && second.checkpoint?.entryCount == 1)
        #expect(try ledger.uncovered() == 0)
        try ledger.drop()
    }

    @Test("a transaction that is open in another database of the cluster, or prepared, holds back, and is named")
    func waitsForOtherDatabases() throws {
        let (ledger, other) = (try GrowingLedger(), try GrowingLedger(isEmpty: true))
        try ledger.checkpoint()
        let (older, worker) = (try other.owner(), try ledger.worker())
        defer {
            older.close()
            worker.close()
        }
        try older.execute("CREATE TABLE note (text text)")
        try older.begin()
        try older.execute("INSERT INTO note VALUES ('x')")
        try ledger.register(with: worker)
        let held = try ledger.checkpoint()
        #expect(held.checkpoint == nil && held.lag.waiting == 1)
        #expect(held.lag.holder?.database == other.database)
        // Of its own role it may know since when; a worker that looks at the status may not.
        #expect(held.lag.holder?.since != nil)

        try older.execute("PREPARE TRANSACTION 'both'")
        let prepared = try ledger.checkpoint()
        #expect(prepared.checkpoint == nil && prepared.lag.holder?.processID == nil)
        #expect(prepared.lag.holder?.name == "both")
        try older.execute("COMMIT PREPARED 'both'")

        let freed = try ledger.checkpoint()
        #expect(freed.checkpoint?.entryCount == 1 && freed.lag.waiting == 0)
        #expect(try ledger.uncovered() == 0)
        try ledger.drop()
        try other.drop()
    }

    @Test(
        "a restored dump counts anew, in another database and in another cluster, and the next checkpoint is right",
        arguments: [false, true])
    func countsRestoredDumpAnew(inAnotherCluster: Bool) throws {
        let ledger = try GrowingLedger()
        try ledger.checkpoint()
        let worker = try ledger.worker()
        defer { worker.close() }
        // The old cluster has counted far ahead of the new one.
        for _ in 1...20 { try ledger.register(with: worker) }
        let restored = try GrowingLedger(on: inAnotherCluster ? TestServers.announced : nil, isEmpty: true)
        try dump(ledger, into: restored)
        #expect(try restored.uncovered() == 20)
        let newWorker = try restored.worker()
        defer { newWorker.close() }
        try restored.register(with: newWorker)

        let first = try restored.checkpoint()
        #expect(first.isWhole && first.checkpoint?.number == 2 && first.checkpoint?.entryCount == 21)
        #expect(try restored.uncovered() == 0)
        // What the dump had brought of the log is gone, whatever numbers it bore.
        #expect(try restored.count("SELECT count(*) FROM change_log WHERE xid::xid <> xmin") == 0)
        #expect(try restored.count("SELECT count(*) FROM change_reader WHERE NOT starts_anew") == 1)
        try restored.register(with: newWorker)
        // The other cluster has other users, who may have a transaction open.
        let end = ContinuousClock.now + .seconds(20)
        var second = try restored.checkpoint()
        while second.checkpoint == nil, ContinuousClock.now < end { second = try restored.checkpoint() }
        #expect(!second.isWhole && second.chainsLookedAt == 1 && second.checkpoint?.entryCount == 1)
        #expect(try restored.uncovered() == 0)

        // The first one goes on as before.
        #expect(try ledger.checkpoint().checkpoint?.entryCount == 20)
        try restored.drop()
        try ledger.drop()
    }

    @Test("a reader that died between reading and recording reads the same again")
    func readsAgainAfterDeath() throws {
        let ledger = try GrowingLedger()
        let (superuser, worker) = (try ledger.superuser(), try ledger.worker())
        defer {
            superuser.close()
            worker.close()
        }
        func read(_ body: (Database, [String]) throws -> Void) throws {
            let connection = try ledger.owner()
            defer { connection.close() }
            try ChangeFeed(reader: "search", connection: connection).read(at: Self.moment) { changes in
                guard let since = changes.since else { return try body(connection, ["all"]) }
                let named = """
                    SELECT DISTINCT unnest(subjects)::text FROM change_log
                    WHERE xid >= '\(since.rawValue)' AND xid < '\(changes.below.rawValue)'
                    """
                try body(connection, try connection.texts(named))
            }
        }
        func die(_ connection: Database) throws {
            let process = try connection.processID()
            _ = try superuser.texts("SELECT pg_terminate_backend(\(process), 10000)::text")
        }
        var seen: [[String]] = []
        // Also the first time, when it begins with everything.
        #expect(throws: (any Error).self) {
            try read {
                seen.append($1)
                try die($0)
            }
        }
        try read { seen.append($1) }
        let report = try ledger.register(with: worker)
        #expect(throws: (any Error).self) {
            try read {
                seen.append($1)
                try die($0)
            }
        }
        struct GivenUp: Error {}
        #expect(throws: GivenUp.self) {
            try read {
                seen.append($1)
                throw GivenUp()
            }
        }
        try read { seen.append($1) }
        try read { seen.append($1) }
        let named = [report.id.description]
        #expect(seen == [["all"], ["all"], named, named, named, []])
        try ledger.drop()
    }

    @Test("the log is pruned behind the slowest reader, and not before it")
    func prunesBehindSlowestReader() throws {
        let ledger = try GrowingLedger()
        let (owner, worker) = (try ledger.owner(), try ledger.worker())
        defer {
            owner.close()
            worker.close()
        }
        func read(_ name: String) throws {
            try ChangeFeed(reader: name, connection: owner).read(at: Self.moment) { _ in }
        }
        let rows = "SELECT count(*) FROM change_log"
        #expect(try ledger.count(rows) > 0)
        // The first reader begins with everything, so that no row from before is needed.
        try read("fast")
        #expect(try ledger.count(rows) == 0)
        try read("slow")
        for expected in 1...3 {
            try ledger.register(with: worker)
            try read("fast")
            try read("fast")
            #expect(try ledger.count(rows) == expected)
        }
        try read("slow")
        try read("fast")
        #expect(try ledger.count(rows) == 0)

        // Of a reader that is entered and has read nothing yet the log is kept as well.
        struct GivenUp: Error {}
        #expect(throws: GivenUp.self) {
            try ChangeFeed(reader: "new", connection: owner).read(at: Self.moment) { _ in throw GivenUp() }
        }
        try ledger.register(with: worker)
        for name in ["fast", "slow", "fast"] { try read(name) }
        #expect(try ledger.count(rows) == 1)
        try owner.execute("DELETE FROM change_reader WHERE name = 'new'")
        try read("fast")
        #expect(try ledger.count(rows) == 0)
        try ledger.drop()
    }

    @Test("two checkpoints at once cover each entry once, also if both are the first", arguments: [false, true])
    func coversEachEntryOnce(areFirst: Bool) async throws {
        let ledger = try GrowingLedger()
        if !areFirst { try ledger.checkpoint() }
        let (superuser, worker) = (try ledger.superuser(), try ledger.worker())
        defer {
            superuser.close()
            worker.close()
        }
        for _ in 1...10 { try ledger.register(with: worker) }
        // Until both have come as far as where they meet.
        let meeting =
            areFirst ? "LOCK TABLE change_reader IN SHARE ROW EXCLUSIVE MODE" : "SELECT FROM change_reader FOR UPDATE"
        try superuser.execute("BEGIN; \(meeting)")
        async let first = onThread { try ledger.checkpoint() }
        async let second = onThread { try ledger.checkpoint() }
        let waiting = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = '\(ledger.database)' AND wait_event_type = 'Lock'
            """
        let end = ContinuousClock.now + .seconds(30)
        while try ledger.count(waiting) < 2 { try #require(ContinuousClock.now < end, "both must wait") }
        try superuser.execute("COMMIT")
        let made = [try await first, try await second].compactMap(\.checkpoint)
        #expect(made.map(\.entryCount) == [areFirst ? 11 + SmallOffice.units.count : 10])
        #expect(try ledger.uncovered() == 0)
        try ledger.drop()
    }

    @Test("a checkpoint reads what is new, and not what is there")
    func costsWhatIsNew() throws {
        let ledger = try GrowingLedger()
        let (superuser, worker) = (try ledger.superuser(), try ledger.worker())
        defer {
            superuser.close()
            worker.close()
        }
        try superuser.execute(
            """
            INSERT INTO ledger_entry
            SELECT gen_random_uuid(), 1, 'x', sha256(n::text::bytea) FROM generate_series(1, 20000) AS n
            """)
        let tables = "('ledger_entry', 'ledger_checkpoint', 'ledger_checkpoint_range', 'report', 'change_log')"
        let read = """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relname IN \(tables)
            """
        /// Rows that a checkpoint reads; its session has told them when it is gone.
        func rowsRead() throws -> (CheckpointRun, Int) {
            let before = try settled(read, ledger)
            let run = try ledger.checkpoint()
            return (run, try settled(read, ledger) - before)
        }
        let (first, rowsOfFirst) = try rowsRead()
        #expect(first.isWhole && rowsOfFirst > 20_000, "\(rowsOfFirst)")
        for _ in 1...20 { try ledger.register(with: worker) }
        let (second, rowsOfSecond) = try rowsRead()
        #expect(second.chainsLookedAt == 20 && second.checkpoint?.entryCount == 20)
        #expect(rowsOfSecond < 500, "\(rowsOfSecond)")
        try ledger.drop()
    }

    /// A sum of the server's statistics once no session of an owner is left that has not told its part.
    private func settled(_ sql: String, _ ledger: GrowingLedger) throws -> Int {
        let sessions = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = '\(ledger.database)' AND usename = 'bihuan_owner'
            """
        let end = ContinuousClock.now + .seconds(20)
        while try ledger.count(sessions) > 0 { try #require(ContinuousClock.now < end, "the session must end") }
        return try ledger.count(sql)
    }

    /// As an administrator moves a database.
    private func dump(_ ledger: GrowingLedger, into restored: GrowingLedger) throws {
        let base = "/usr/lib/postgresql"
        let newest = try #require(
            try FileManager.default.contentsOfDirectory(atPath: base).compactMap { Int($0) }.max())
        let programs = "\(base)/\(newest)/bin"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c",
            """
            set -o pipefail; "$0/pg_dump" --dbname "$1" | "$0/psql" --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
            --output /dev/null --dbname "$2"
            """,
            programs, ledger.servers.databaseURL(database: ledger.database),
            restored.servers.databaseURL(database: restored.database),
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "the dump was not restored")
    }
}

/// Whoever adds entries to the ledger, the log names their chains in the same transaction.
@Suite("The log of changes", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ChangeLogTests {
    @Test(
        "workers leave one row for each transaction that adds entries; so does whoever enters the office and its units")
    func workersLeaveARow() throws {
        let office = try OfficeUnderTest()
        #expect(try office.count("SELECT count(*) FROM ledger_entry") == SmallOffice.units.count + 1)
        #expect(try office.count(GrowingLedger.unlogged) == 0)
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        try office.waitForState("signed", of: arrived)
        try office.settle()
        #expect(try office.count("SELECT count(*) FROM ledger_entry JOIN report ON report.id = chain") >= 3)
        #expect(try office.count(GrowingLedger.unlogged) == 0)
        #expect(
            try office.count("SELECT count(*) FROM (SELECT xid FROM change_log GROUP BY xid HAVING count(*) > 1) t")
                == 0)
        // A unit that is entered again adds no entry, and leaves no row.
        let rows = "SELECT count(*) FROM change_log"
        let before = try office.count(rows)
        let owner = try office.database()
        try owner.run(EnterUnit(unit: SmallOffice.units[0], at: .wall()))
        owner.close()
        #expect(try office.count(rows) == before)
        try office.close()
    }

    @Test("a ledger that is filled in bulk, with triggers switched off, is logged all the same")
    func bulkFillLeavesARow() throws {
        let ledger = try GrowingLedger(on: TestServers.announced)
        let superuser = try ledger.superuser()
        defer { superuser.close() }
        try superuser.execute("SET session_replication_role = replica")
        var writes = CaseWrites()
        for _ in 1...300 {
            var head = LedgerHead.genesis
            let id = ReportID.make(at: GrowingLedger.moment)
            let record = LedgerRecord(
                .entered(LedgerSubject(kind: .unit, id: "d1")), at: GrowingLedger.moment, by: "owner")
            writes.entries.append((id, head.append(record)))
        }
        try superuser.enterWhole(writes, notes: [], acts: [], repeatKeys: [])
        #expect(try ledger.count("SELECT cardinality(subjects) FROM change_log ORDER BY xid DESC LIMIT 1") == 300)
        #expect(try ledger.count(GrowingLedger.unlogged) == 0)
        try ledger.drop()
    }

    @Test(
        "a worker that would hide its entries from the readers cannot: a table of its own by that name changes nothing")
    func workerCannotHideEntries() throws {
        let ledger = try GrowingLedger(on: TestServers.announced)
        let worker = try ledger.worker()
        defer { worker.close() }
        try worker.execute(
            "CREATE TEMP TABLE change_log (xid xid8, subjects uuid[]); SET search_path = pg_temp, public")
        try ledger.register(with: worker)
        #expect(try worker.texts("SELECT count(*)::text FROM pg_temp.change_log") == ["0"])
        #expect(try ledger.count(GrowingLedger.unlogged) == 0)
        try ledger.drop()
    }
}
