import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import LocalServers
import Observability
import PostgreSQL
import TestOffice
import Testing
@testable import AuditStore
@testable import Installation

@testable import bihuan

/// The shipped alerts on a real office: each is provoked, fires, is mended and ends.
@Suite(
    "Alerts of a real office", .serialized, .enabled(if: QuickPrometheus.program != nil, QuickPrometheus.absent),
    .timeLimit(.minutes(6)))
struct AlertTests {
    /// The stories take minutes, and their times suffer on a machine that does other work.
    static let isLong = ProcessInfo.processInfo.environment["TEST_BIHUAN_LONG"] != nil

    /// Those that the stories below provoke.
    static let provoked: Set<String> = [
        "BihuanTargetDown", "BihuanQueueWithoutConsumer", "BihuanWorkerMissing", "BihuanQueuesUnleased",
        "BihuanQueueGrowing", "BihuanQueueLong", "BihuanQueueNotTaken", "BihuanDeadLetters", "BihuanSampleStale",
        "BihuanWorkerAbsent", "BihuanRestarting",
        "BihuanLaneWaiting", "BihuanTransactionsFailing", "BihuanReconnecting", "BihuanDatabaseUnreadable",
        "BihuanQueuesUnreadable", "BihuanBrokerBlocked", "BihuanOutboxOld",
        "BihuanRefusals", "BihuanQueueDown", "BihuanPublishReturned", "BihuanHandoffUnsigned", "BihuanClocksOverdue",
        "BihuanChangeLogHeld",
    ]
    /// Those that `promtool test rules` alone covers.
    static let onlyComputed: Set<String> = [
        "BihuanClockStepsLate", "BihuanClocksSetAside", "BihuanDeferredOld", "BihuanCheckpointOld", "BihuanMemoryHigh",
    ]
    /// Metrics that an office in these stories may lack: an expression of the dashboard that names one may have no
    /// series.
    static let mayBeAbsent = [
        "bihuan_queue_publish_rate", "bihuan_queue_deliver_rate", "bihuan_messages_withdrawn_total",
        "bihuan_ladder_steps_total", "bihuan_change_log_unread", "bihuan_change_log_held", "outcome!=\"confirmed\"",
        "bihuan_clock_next_step_timestamp_seconds", "bihuan_reconnects", "bihuan_transaction_failures",
        "bihuan_dead_letters", "bihuan_messages_refused",
    ]

    @Test("the rules, their tests, the dashboard, the runbook and the program fit together")
    func shippedFilesFitTogether() throws {
        let check = try Program.run("/usr/bin/env", ["bash", QuickPrometheus.shipped.appending(path: "check").path])
        #expect(check.status == 0, "\(check.output)\(check.errors)")
    }

    @Test("each alert is provoked here or named as one that is computed only")
    func everyAlertHasItsPlace() throws {
        let alerts = Set(try QuickPrometheus.rules().matches(of: /- alert: (\w+)/).map { String($0.1) })
        #expect(Self.provoked.isDisjoint(with: Self.onlyComputed))
        #expect(alerts == Self.provoked.union(Self.onlyComputed))
        #expect(Set(Trouble.Kind.allCases.map(\.rawValue)).isSubset(of: alerts))
    }

    @Test(
        "a worker that is away, queues that nobody reads, dead letters, and every panel of the dashboard",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func workerIsAway() async throws {
        try await WatchedOffice.with { office in
            try await office.isHealthy()
            try await office.intakeIsAway()
            try await office.deadLettersAreOpen()
            try await office.everyPanelHasSeries()
        }
    }

    @Test(
        "a sample that stops, a target that is lost, a process that is killed again and again",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func processesAreNotWatched() async throws {
        try await WatchedOffice.with { office in
            try await office.nobodySamples()
            try await office.targetIsLost()
            try await office.workerIsKilledAgainAndAgain()
        }
    }

    @Test(
        "a right that is missing, connections that are cut, a database that is away",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func databaseFails() async throws {
        try await WatchedOffice.with { office in
            try await office.rightIsMissing()
            try await office.connectionsAreCut()
            try await office.databaseIsAway()
        }
    }

    @Test(
        "a broker that takes nothing, and one that is away",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func brokerFails() async throws {
        try await WatchedOffice.with { office in
            try await office.brokerTakesNothing()
            try await office.brokerIsAway()
        }
    }

    @Test(
        "refused messages, a missing queue",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func messagesDoNotPass() async throws {
        try await WatchedOffice.with { office in
            try await office.messagesAreRefused()
            try await office.queueIsMissing()
        }
    }

    @Test(
        "a unit that does not sign, a transaction that stays open",
        .enabled(if: AlertTests.isLong, "takes minutes: deploy/test --long"))
    func timePasses() async throws {
        let now = Instant(Date())
        try await WatchedOffice.with(BusinessClock(wallOrigin: now, businessOrigin: now, rate: 86_400)) { office in
            try await office.unitDoesNotSign()
            try await office.transactionStaysOpen()
        }
    }
}

/// An office whose workers can be held back, and a Prometheus that watches it.
private final class WatchedOffice {
    private let directory: URL
    /// For Prometheus, the program of the workers and what the test writes: not part of the office's directory.
    private let folder: URL
    private let office: LocalOffice
    private let prometheus: QuickPrometheus
    private var provokedAt = ContinuousClock.now

    static func with(_ clock: BusinessClock? = nil, _ body: (WatchedOffice) async throws -> Void) async throws {
        let name = "bihuan-alerts-\(UUID().uuidString.prefix(8))"
        let directory = FileManager.default.temporaryDirectory.appending(path: name)
        let folder = FileManager.default.temporaryDirectory.appending(path: name + "-watch")
        defer { for made in [directory, folder] { try? FileManager.default.removeItem(at: made) } }
        let watched = try await WatchedOffice(directory, folder, clock)
        do {
            try await watched.begins()
            try await body(watched)
        } catch {
            watched.stop()
            throw error
        }
        watched.stop()
    }

    private init(_ directory: URL, _ folder: URL, _ clock: BusinessClock?) async throws {
        self.directory = directory
        self.folder = folder
        prometheus = try QuickPrometheus(in: folder)
        let program = folder.appending(path: "worker")
        // Waits while the test holds this worker back.
        let script = """
            #!/bin/sh
            while [ -e '\(folder.path)/hold-'"$1" ]; do sleep 0.1; done
            exec '\(Program.bihuan)' "$@"

            """
        try Data(script.utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        var options = LocalOffice.Options(directory: directory)
        options.executable = program.path
        options.clock = clock
        options.workerInstallation = { _ in ["--data", directory.path, "--set", "monitor.sampleSeconds=1"] }
        options.report = { _ in }
        office = try await LocalOffice.start(options)
    }

    private func begins() async throws {
        for worker in Worker.allCases { try prometheus.watch(worker, ports: office.monitorPorts[worker] ?? []) }
        try prometheus.start()
        try await eventually("Prometheus answers: \(prometheus.log)", within: 30) { prometheus.isReady }
    }

    private func stop() {
        prometheus.stop()
        office.stop()
    }

    // MARK: Workers

    /// A healthy office that works fires nothing.
    func isHealthy() async throws {
        try submit(5)
        try await eventually("five reports are registered", within: 60) {
            try prometheus.seriesCount(of: "sum(bihuan_reports) == 5") == 1
        }
        try await eventually("no alert: \(told)", within: 60) { try prometheus.alerts().isEmpty }
    }

    func intakeIsAway() async throws {
        try hold(.intake)
        let queue = "source.web.submit"
        let sender = try RawSender(office)
        defer { sender.close() }
        try await fires("BihuanQueueGrowing", ["queue": queue], every: 0.5) { try sender.publish(20) }
        try await fires("BihuanQueueLong", ["queue": queue], every: 0.5) { try sender.publish(20) }
        let alerts = [
            ("BihuanTargetDown", ["job": "bihuan-intake"]), ("BihuanQueueWithoutConsumer", ["queue": queue]),
            ("BihuanWorkerMissing", ["worker": "intake"]), ("BihuanQueuesUnleased", ["worker": "intake"]),
            ("BihuanQueueNotTaken", ["queue": queue]),
        ]
        for (name, labels) in alerts { try await fires(name, labels) }
        try release(.intake)
        for (name, labels) in alerts { try await ends(name, labels) }
        for name in ["BihuanQueueGrowing", "BihuanQueueLong"] { try await ends(name, ["queue": queue]) }
    }

    /// What was sent in `intakeIsAway` are no reports.
    func deadLettersAreOpen() async throws {
        try await fires("BihuanDeadLetters", ["reason": "not_json"])
        let discarded = try bihuan(
            "dead", "discard", "--all", "--because", "不是举报", "--as", "operator", "--rate", "10000", "--despite-unread")
        #expect(discarded.status == 0, "\(discarded.output)\(discarded.errors)")
        try await ends("BihuanDeadLetters")
        _ = try control("purge_queue", "source.web.notice")
    }

    func nobodySamples() async throws {
        try hold(.deadlines)
        try await fires("BihuanSampleStale")
        try release(.deadlines)
        try await ends("BihuanSampleStale")
    }

    func targetIsLost() async throws {
        try prometheus.watch(.feedback, ports: [])
        try await fires("BihuanWorkerAbsent", ["job": "bihuan-feedback"])
        try prometheus.watch(.feedback, ports: office.monitorPorts[.feedback] ?? [])
        try await ends("BihuanWorkerAbsent")
    }

    func workerIsKilledAgainAndAgain() async throws {
        try await fires("BihuanRestarting", ["job": "bihuan-routing"], every: 5) {
            office.workers.signal(SIGKILL, to: .routing)
        }
        try await ends("BihuanRestarting")
    }

    func everyPanelHasSeries() async throws {
        let script = QuickPrometheus.shipped.appending(path: "expressions").path
        let printed = try Program.run("/usr/bin/env", ["python3", script, "--interval", "15s"])
        let expressions = printed.output.split(separator: "\n").map(String.init)
        #expect(printed.status == 0 && expressions.count > 40, "\(printed.errors)")
        try submit(5)
        for expression in expressions where !AlertTests.mayBeAbsent.contains(where: expression.contains) {
            // The table of alerts is empty while nothing is wrong.
            if expression.hasPrefix("sum by (alertname") { continue }
            try await eventually("series of \(expression)", within: 30) {
                try prometheus.seriesCount(of: expression) > 0
            }
        }
        // Those with a reason to be empty are asked too: Prometheus must understand them.
        for expression in expressions { _ = try prometheus.seriesCount(of: expression) }
    }

    // MARK: Servers

    func rightIsMissing() async throws {
        try execute(RehearsedTrouble.revokedRight.begin)
        try submit(3)
        let waiting = ["worker": "intake", "state": "waiting_installation"]
        let failing = ["worker": "intake", "kind": "installation"]
        try await fires("BihuanLaneWaiting", waiting)
        try await fires("BihuanTransactionsFailing", failing)
        try execute(RehearsedTrouble.revokedRight.end)
        try await ends("BihuanLaneWaiting", waiting)
        try await ends("BihuanTransactionsFailing", failing)
    }

    func connectionsAreCut() async throws {
        try await fires("BihuanReconnecting", ["server": "broker"], every: 2) {
            _ = try office.servers.rabbitmqctl([
                "-q", "close_all_connections", "-p", office.configuration.broker.virtualHost, "cut by a test",
            ])
        }
        try await ends("BihuanReconnecting")
    }

    func databaseIsAway() async throws {
        office.servers.stopPostgreSQL()
        try await fires("BihuanDatabaseUnreadable")
        try await fires("BihuanLaneWaiting", ["state": "waiting_database"])
        try office.servers.startPostgreSQL()
        try await ends("BihuanDatabaseUnreadable")
        try await ends("BihuanLaneWaiting", ["state": "waiting_database"])
    }

    /// The broker blocks every publisher, as if it had no memory left; consumers go on.
    func brokerTakesNothing() async throws {
        try hold(.intake)
        try submit(20)
        _ = try office.servers.rabbitmqctl(["-q", "set_vm_memory_high_watermark", "0.000001"])
        try release(.intake)
        let waiting = ["worker": "intake", "state": "waiting_broker_blocked"]
        try await fires("BihuanLaneWaiting", waiting)
        try await fires("BihuanBrokerBlocked", ["worker": "intake"])
        try await fires("BihuanOutboxOld")
        _ = try office.servers.rabbitmqctl(["-q", "set_vm_memory_high_watermark", "0.4"])
        try await ends("BihuanLaneWaiting", waiting)
        try await ends("BihuanBrokerBlocked")
        try await ends("BihuanOutboxOld")
    }

    func brokerIsAway() async throws {
        office.servers.stopRabbitMQ()
        try await fires("BihuanQueuesUnreadable")
        try office.servers.startRabbitMQ()
        try await ends("BihuanQueuesUnreadable")
    }

    // MARK: Parties

    func messagesAreRefused() async throws {
        try await fires("BihuanRefusals", ["worker": "intake"], every: 2) {
            try submit(20, accusing: "nowhere")
        }
        try await ends("BihuanRefusals")
    }

    func queueIsMissing() async throws {
        let queue = "unit.c04.inbox"
        _ = try control("delete_queue", queue)
        try await fires("BihuanQueueDown", ["queue": queue])
        try submit(1)
        try await fires("BihuanPublishReturned", ["worker": "routing"])
        let applied = try bihuan("topology", "apply")
        #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        try await ends("BihuanQueueDown")
        try await ends("BihuanPublishReturned")
    }

    /// A day passes in a second, so that its handoff is overdue at once.
    func unitDoesNotSign() async throws {
        try submit(1)
        try await fires("BihuanHandoffUnsigned", ["unit": "c04"])
        try await fires("BihuanClocksOverdue", ["subject": "handoff"])
        for handoff in try texts(of: ReadOpenHandoffs()) {
            let recalled = try bihuan("recall", handoff, "--reason", "错发", "--as", "leader")
            #expect(recalled.status == 0, "\(recalled.output)\(recalled.errors)")
        }
        try await ends("BihuanHandoffUnsigned", ["unit": "c04"])
        try await ends("BihuanClocksOverdue", ["subject": "handoff"])
    }

    func transactionStaysOpen() async throws {
        // The first checkpoint makes its reader.
        let checkpoint = try bihuan("ledger", "checkpoint")
        #expect(checkpoint.status == 0, "\(checkpoint.errors)")
        let forgotten = try superuser()
        defer { forgotten.close() }
        try forgotten.execute("BEGIN")
        try forgotten.execute("SELECT pg_current_xact_id()")
        try await fires("BihuanChangeLogHeld", ["reader": "checkpoint"], every: 2) { try submit(1) }
        try forgotten.execute("ROLLBACK")
        try await ends("BihuanChangeLogHeld")
    }

    // MARK: Waiting

    private var told: String { (try? prometheus.alerts().map(\.description).sorted().joined(separator: "\n")) ?? "" }

    /// - Parameters:
    ///   - seconds: the pause between two provocations.
    ///   - provoke: done again and again until it fires.
    private func fires(
        _ name: String, _ labels: [String: String] = [:], every seconds: Double = 1, _ provoke: () throws -> Void = {}
    ) async throws {
        #expect(AlertTests.provoked.contains(name))
        try await eventually("\(name) \(labels) fires; there are\n\(told)", within: 120) {
            if ContinuousClock.now >= provokedAt {
                try provoke()
                provokedAt = .now + .seconds(seconds)
            }
            return try prometheus.alerts().contains { $0.isFiring && $0.fits(name, labels) }
        }
        provokedAt = .now
    }

    private func ends(_ name: String, _ labels: [String: String] = [:]) async throws {
        try await eventually("\(name) \(labels) ends; there are\n\(told)", within: 150) {
            try !prometheus.alerts().contains { $0.isFiring && $0.fits(name, labels) }
        }
    }

    // MARK: What is done to the office

    /// Ends the worker's process and lets none begin.
    private func hold(_ worker: Worker) throws {
        try Data().write(to: folder.appending(path: "hold-\(worker.rawValue)"))
        office.workers.signal(SIGKILL, to: worker)
    }

    private func release(_ worker: Worker) throws {
        try FileManager.default.removeItem(at: folder.appending(path: "hold-\(worker.rawValue)"))
    }

    private func bihuan(_ words: String...) throws -> Program.Result {
        try Program.run(Program.bihuan, words + ["--data", directory.path])
    }

    private func control(_ command: String, _ queue: String) throws -> String {
        try office.servers.rabbitmqctl(["-q", command, "-p", office.configuration.broker.virtualHost, queue])
    }

    /// Submits reports about the place of the unit c04, and does not wait for the answers.
    /// - Parameter unit: of the accused; one that the office does not have makes it refuse the report.
    private func submit(_ count: Int, accusing unit: String? = nil) throws {
        let unit = unit.map { ",\"unit\":\"\($0)\"" } ?? ""
        let lines = (0..<count).map { _ in
            // Equal texts would be repeats of one report.
            """
            {"id":"\(UUID())","source":"web","matterKind":"accusation","title":"举报","region":"p-c04",\
            "text":"反映某镇副镇长在危房改造资金中虚报冒领，卷宗\(UUID())。",\
            "accused":[{"name":"张三","organ":"某镇政府","position":"副镇长","level":"township","region":"p-c04"\(unit)}],\
            "allegations":[{"category":"corruption","act":"贪污危房改造资金"}]}
            """
        }
        let file = folder.appending(path: "reports.jsonl")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        let submitted = try bihuan("submit", "--timeout", "0.5", "--file", file.path)
        #expect(submitted.output.hasPrefix("\(count) submitted"), "\(submitted.output)\(submitted.errors)")
    }

    private func execute(_ sql: String) throws {
        let connection = try superuser()
        defer { connection.close() }
        try connection.execute(sql)
    }

    /// In the office's database; a transaction may stay open.
    private func superuser() throws -> PostgreSQL.Connection {
        var components = try #require(URLComponents(string: office.servers.superuserURL))
        components.path = "/\(OfficeEntry.database)"
        var settings = PostgreSQL.ConnectionSettings(url: try #require(components.string))
        settings.applicationName = "bihuan alert-test"
        settings.idleInTransactionTimeoutMilliseconds = 600_000
        return try PostgreSQL.Connection(settings)
    }

    private func texts<S: Statement>(of statement: S) throws -> [String] where S.Row == String {
        let connection = try PostgreSQL.Connection(office.configuration.databaseSettings("test"))
        defer { connection.close() }
        return try connection.run(statement).rows
    }
}

/// Publishes what is no report, as the source `web`.
private final class RawSender {
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private var count: Int64 = 0
    private let web = Party.source(SourceID(unchecked: "web"))

    init(_ office: LocalOffice) throws {
        var settings = try office.configuration.brokerSettings(for: web)
        // It stays idle while the test waits.
        settings.heartbeatSeconds = 0
        connection = try AMQP.Connection(settings)
        publisher = try Publisher(on: connection)
    }

    func close() { connection.close() }

    func publish(_ number: Int) throws {
        for _ in 0..<number {
            count += 1
            _ = try publisher.publish(
                Array("no report \(count)".utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: MessageType.reportSubmitted.routingKey(from: web)),
                properties: Properties(userID: web.description), token: count, deadline: 5)
        }
        _ = try publisher.settle(within: 5)
    }
}

private struct ReadOpenHandoffs: Statement {
    static let sql = "SELECT id::text FROM handoff WHERE state IN ('released', 'dispatched', 'undeliverable')"
    var parameters: [Parameter] { [] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
