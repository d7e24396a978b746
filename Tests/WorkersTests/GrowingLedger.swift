import Basics
import CaseStore
import Casework
import Crypto
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

/// A cluster without other users, so that no transaction is open in it but the test's own.
struct QuietClusterTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
    ) async throws {
        let cluster = try Cluster()
        defer { cluster.remove() }
        // The server's own housekeeping takes transaction numbers too.
        try cluster.start("autovacuum=off", "max_prepared_transactions=2", "fsync=off")
        try cluster.makeTemplate()
        let servers = TestServers(databaseURL: cluster.url, brokerURL: "", offices: 0)
        try await GrowingLedger.$cluster.withValue(servers) { try await body() }
    }
}

extension Trait where Self == QuietClusterTrait {
    static var quietCluster: Self { Self() }
}

/// A ledger that a test lets grow, in a database of its own.
struct GrowingLedger: Sendable {
    @TaskLocal static var cluster: TestServers?
    static let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)

    let servers: TestServers
    let database = "bihuan_feed_\(UInt64.random(in: 0 ... .max))"
    private let key = Curve25519.Signing.PrivateKey()

    /// With the entries of a small office, or as an empty database.
    init(on other: TestServers? = nil, isEmpty: Bool = false) throws {
        servers = try other ?? #require(GrowingLedger.cluster, "the suite did not start its cluster")
        let maintenance = try Database(ConnectionSettings(url: servers.databaseURL))
        defer { maintenance.close() }
        try maintenance.execute(
            "CREATE DATABASE \(database) TEMPLATE \(isEmpty ? "template0" : TestServers.template) OWNER bihuan_owner")
    }

    func drop() throws {
        let maintenance = try Database(ConnectionSettings(url: servers.databaseURL))
        defer { maintenance.close() }
        try maintenance.execute("DROP DATABASE \(database) WITH (FORCE)")
    }

    // MARK: Sessions; transactions may stay open in them

    func superuser() throws -> Database { try connect(servers.databaseURL(database: database)) }
    func worker() throws -> Database {
        try connect(servers.databaseURL(user: TestServers.everyWorker, database: database))
    }
    func owner() throws -> Database { try connect(servers.databaseURL(user: "bihuan_owner", database: database)) }

    private func connect(_ url: String) throws -> Database {
        var settings = ConnectionSettings(url: url)
        settings.idleInTransactionTimeoutMilliseconds = 0
        settings.statementTimeoutMilliseconds = 600_000
        settings.lockTimeoutMilliseconds = 60_000
        return try Database(settings)
    }

    func texts(_ sql: String) throws -> [String] {
        let database = try superuser()
        defer { database.close() }
        return try database.texts(sql)
    }

    func count(_ sql: String) throws -> Int { Int(try texts("SELECT (\(sql))::text").first ?? "") ?? -1 }

    // MARK: Growing

    /// A chain with its first entry, as intake writes it, in the transaction that is open if one is.
    @discardableResult
    func register(with connection: Database) throws -> Report {
        let number = try #require(try connection.run(TakeReportNumbers(count: 1)).rows.first)
        let report = Report(
            id: .make(at: Self.moment), number: Report.number(year: 2026, serial: number),
            source: SourceID(unchecked: "letter"), submissionID: "s-\(number)", digest: [1], state: .registered,
            sourceKind: "letter", matterKind: nil, region: nil, realName: false, receivedAt: Self.moment,
            registeredAt: Self.moment, verdict: .registered, rule: "r", reason: nil, authority: nil, repeatOf: nil,
            receiptOnly: false, handoffCount: 0, head: .genesis)
        var file = CaseFile(new: report, barred: [])
        file.record(
            .registered(.init(of: report, commitment: Commitment.act("a", salt: [1]))), at: Self.moment,
            by: "office.intake")
        var writes = CaseWrites()
        writes.newReports.append(
            .init(report: file.report, barredRoots: [], content: nil, original: nil, attachments: []))
        writes.collect(file)
        try connection.write(writes, with: [])
        return file.report
    }

    /// One more entry in the chain of a report.
    func grow(_ report: inout Report, with connection: Database) throws {
        var file = CaseFile(loaded: report, barred: [], handoffs: [], clocks: [])
        file.record(
            .moved(HandoffID.make(at: Self.moment), .signed, act: Commitment.act("b", salt: [1])), at: Self.moment,
            by: "unit.d1")
        var writes = CaseWrites()
        writes.collect(file)
        try connection.write(writes, with: [])
        report = file.report
    }

    // MARK: Reading

    /// As `bihuan ledger checkpoint` makes it.
    @discardableResult
    func checkpoint() throws -> CheckpointRun {
        let connection = try owner()
        defer { connection.close() }
        return try LedgerBooks(connection).makeCheckpoint(key: key, at: Self.moment)
    }

    /// Entries that no checkpoint covers, in a ledger that is whole and signed with this ledger's key or another's.
    func uncovered() throws -> Int {
        let connection = try superuser()
        defer { connection.close() }
        var verifier = LedgerVerifier()
        try LedgerBooks(connection).read { try verifier.take($0) }
        try verifier.finish()
        return verifier.uncoveredCount
    }

    /// Entries that the log does not name in the transaction that wrote them.
    static let unlogged = """
        SELECT count(*) FROM ledger_entry e WHERE NOT EXISTS (
            SELECT FROM change_log l WHERE l.xid::xid = e.xmin AND e.chain = ANY (l.subjects))
        """
}

extension Database {
    /// The process of the server behind this session.
    func processID() throws -> Int {
        let text = try texts("SELECT pg_backend_pid()::text").first
        return try #require(text.flatMap { Int($0) })
    }
}
