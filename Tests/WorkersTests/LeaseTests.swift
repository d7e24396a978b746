import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Leases on the names of lanes",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct LeaseTests {
    /// Seconds; a lease is 20 in operation.
    private static let lease = 2.0

    @Test(
        "another lane sends a stopped process's rows after its lease; resumed, it has a new name and doubles nothing",
        arguments: [LanePoint.beforeCommit, .afterCommit, .afterPublish])
    func othersSendRowsOfStoppedProcess(point: LanePoint) throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let id = try source.submit(.new())
        let stopped = try WorkerProcess(.intake, of: office, stoppedAt: point, leaseSeconds: Self.lease)
        defer { stopped.kill() }
        try stopped.stopsItself()
        let left = try office.texts("SELECT event_id FROM outbox ORDER BY 1")
        #expect(left.count == (point == .beforeCommit ? 0 : 2))
        let names = try office.texts("SELECT lane FROM lane_lease")
        #expect(names.count == 1)

        let other = try office.start(.intake) { $0.leaseSeconds = Self.lease }
        if point != .beforeCommit {
            let receipt = try source.receive()
            #expect(receipt.inReplyTo == id && left.contains(receipt.id))
            try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
            // The dead lane's lease is given up once its rows are out.
            try office.wait(for: ["0"], "SELECT count(*) FROM lane_lease WHERE lane = '\(names[0])'")
        }
        try other.stop()
        stopped.goOn()
        // It has another name, and works.
        let second = try source.submit(.new())
        var received = try source.receive()
        while received.inReplyTo == id { received = try source.receive() }
        #expect(received.inReplyTo == second)
        try office.wait(
            for: ["1"], "SELECT count(*) FROM lane_lease WHERE lane <> '\(names[0])' OR '\(point)' = 'beforeCommit'")
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        #expect(try office.count("SELECT count(*) FROM report") == 2)
        #expect(try office.count("SELECT count(*) FROM ledger_entry JOIN report ON report.id = chain") == 2)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        stopped.kill()
        try office.close()
    }

    @Test("an open transaction of a stopped process holds its locks for two seconds, and not longer")
    func stoppedProcessReleasesLocks() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        try source.submit(.new())
        let stopped = try WorkerProcess(.intake, of: office, stoppedAt: .beforeCommit)
        defer { stopped.kill() }
        try stopped.stopsItself()
        try office.wait(
            for: ["0"],
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL",
            within: 4)
        stopped.kill()
        try office.start(.intake)
        _ = try source.receive()
        try office.close()
    }

    @Test("an ended lane leaves no lease; one with a lost session is free at once; a renewed one stays")
    func endedLaneLeavesNoLease() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let first = try office.start(.intake) { $0.leaseSeconds = 1 }
        try source.submit(.new())
        _ = try source.receive()
        let lanes = "SELECT lane FROM lane_lease ORDER BY 1"
        #expect(try office.texts(lanes) == [first.name])
        // For longer than the lease the relay of another looks at it, and lets it be.
        let second = try office.start(.intake, name: "zz") { $0.leaseSeconds = 1 }
        let renewed =
            "SELECT count(*) FROM lane_lease WHERE lane = '\(first.name)' AND expires_at > '\(try office.later(by: 2))'"
        try office.wait(for: ["1"], renewed)
        try first.stop()
        #expect(try office.texts(lanes) == ["zz"])
        // The session of a lane ends, and it comes back with another: the lease is its own still, or it has a new name.
        let database = try office.database()
        try database.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'bihuan zz'")
        database.close()
        try source.submit(.new())
        _ = try source.receive()
        #expect(try office.count("SELECT count(*) FROM lane_lease") == 1)
        try second.stop()
        #expect(try office.texts(lanes) == [])
        try office.close()
    }

    @Test("only one of many gets a lease, and only when it is free")
    func oneOfManyGetsLease() throws {
        let office = try OfficeUnderTest()
        let settings = PostgreSQL.ConnectionSettings(
            url: office.servers.databaseURL(user: TestServers.everyWorker, database: office.databaseName))
        let holder = try Database(settings)
        let rivals = try (0..<4).map { _ in try Database(settings) }
        defer { for rival in rivals { rival.close() } }
        func take(_ database: Database, as name: String, seconds: Double = 60) throws -> [String] {
            try database.run(TakeLeases(lanes: ["a", "b"], worker: "intake", holder: name, seconds: seconds)).rows
                .sorted()
        }
        #expect(try take(holder, as: "holder") == ["a", "b"])
        #expect(try take(rivals[0], as: "rival") == [])
        // Its time is over.
        #expect(try holder.run(RenewLeases(holder: "holder", seconds: -1)).rows.count == 2)
        let taken = try rivals.enumerated().map { try take($1, as: "rival \($0)") }
        #expect(taken == [["a", "b"], [], [], []])
        #expect(try holder.run(RenewLeases(holder: "holder", seconds: 60)).rows == [])
        // Its session is gone.
        rivals[0].close()
        try office.wait(for: ["2"], "SELECT count(*) FROM lane_lease l WHERE \(Self.isGone)")
        #expect(try take(rivals[1], as: "rival 1") == ["a", "b"])
        // Rows left: the lease stays.
        let database = try office.database()
        try database.execute(Self.row(of: "a"))
        database.close()
        try rivals[1].run(EndLeases(lanes: ["a", "b"], holder: "rival 1"))
        #expect(try office.texts("SELECT lane FROM lane_lease") == ["a"])
        holder.close()
        try office.close()
    }

    private static let isGone = "NOT EXISTS (SELECT FROM pg_stat_activity s WHERE s.pid = l.backend_pid)"

    /// An outbox row under a lane's name.
    static func row(of lane: String, key: String = "nowhere") -> String {
        """
        ALTER TABLE outbox DISABLE TRIGGER kept;
        INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, body, \
        created_at)
        VALUES (gen_random_uuid(), 'intake', '\(lane)', 'bihuan.notice', '\(key)', 't', '', 'source.letter', '{}', \
        '', '2026-01-01');
        ALTER TABLE outbox ENABLE TRIGGER kept
        """
    }
}

extension OfficeUnderTest {
    /// The database's own time so many seconds from now, as it writes it.
    func later(by seconds: Int) throws -> String {
        try texts("SELECT (clock_timestamp() + interval '\(seconds) s')::text").first ?? ""
    }
}
