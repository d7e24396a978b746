import Basics
import CaseStore
import Contract
import Foundation
import Logging
import Observability
import PostgreSQL
import Terminal
import TestOffice
import Testing

@testable import AMQP
@testable import Installation
@testable import bihuan

@Suite(
    "Duties as they are shown", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DutyViewTests {
    @Test("status counts the duties that are owed, the list names them; Chinese names are aligned")
    func showsWhatIsOwed() throws {
        let servers = try #require(TestServers.announced)
        let name = "bihuan_duties_\(UInt64.random(in: 0 ... .max))"
        let superuser = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: servers.databaseURL))
        try superuser.execute("CREATE DATABASE \(name) TEMPLATE \(TestServers.template)")
        defer {
            try? superuser.execute("DROP DATABASE \(name) WITH (FORCE)")
            superuser.close()
        }
        let database = try PostgreSQL.Connection(
            PostgreSQL.ConnectionSettings(url: servers.databaseURL(database: name)))
        let policy = (name: "cn-discipline", version: 1, at: Instant.wall())
        try database.run(
            EnterPolicyVersion(
                name: policy.name, version: policy.version, yaml: ShippedPolicy.chineseDiscipline, loadedAt: policy.at))
        try database.run(
            ActivatePolicyVersion(name: policy.name, version: policy.version, at: policy.at, by: "a test"))
        try database.execute(Self.scene)
        database.close()

        let today = try #require(Instant("2026-04-20T00:00:00Z"))
        let file = URL(filePath: "/nowhere")
        let key = try #require(SealingKey(rawRepresentation: Array(repeating: 9, count: 32)))
        let configuration = OfficeConfiguration(
            officeName: "测试", broker: try AMQP.ConnectionSettings(url: "amqp://127.0.0.1:1/v"),
            database: .init(url: servers.databaseURL(user: "bihuan_worker", database: name)), users: [:],
            vaultKey: key, keysDirectory: file, digestKeyFile: file, sealedMailKey: key, checkpointKeyFile: file,
            clock: BusinessClock(wallOrigin: .wall(), businessOrigin: today, rate: 1), lane: .init(), logLevel: .info)
        let look = StatusLook(configuration)
        defer { look.close() }
        look.read()
        #expect(look.failures == [])
        let tables = StatusTables.ofDatabase(try #require(look.view.database))
        try Golden.check(Table.printed(tables, width: nil) + "\n", "status-duties.txt")
        try Golden.check(try DutyList.table(configuration, width: nil) + "\n", "duty-list.txt")
    }

    private static let scene = """
        INSERT INTO clock (id, subject, unit, duty, period, owed_by, started_at, due_at, rule, next_step, ended_at, \
        ended_because, set_aside)
        SELECT gen_random_uuid(), subject, unit, duty, period, owed_by, due_at - interval '10 days', due_at, 'p@1/r', \
        0, ended_at, CASE WHEN ended_at IS NOT NULL THEN 'done' END, set_aside
        FROM (VALUES
            ('office', NULL, 'duty-monthly-summary', '2026-03', 'office', '2026-04-10Z'::timestamptz, \
            NULL::timestamptz, NULL),
            ('unit', 'd1', 'duty-quarterly-return', '2026-Q1', 'unit.d1', '2026-04-15Z', NULL, 'unreadable'),
            ('unit', 'd2', 'duty-quarterly-return', '2026-Q1', 'unit.d2', '2026-05-15Z', NULL, NULL),
            ('unit', 'd1', 'duty-quarterly-return', '2025-Q4', 'unit.d1', '2026-01-15Z', '2026-01-10Z', NULL),
            ('unit', 'd1', 'duty-unknown', '2026-Q2', 'unit.d1', '2026-07-15Z', NULL, NULL)
        ) AS owed (subject, unit, duty, period, owed_by, due_at, ended_at, set_aside)
        """
}
