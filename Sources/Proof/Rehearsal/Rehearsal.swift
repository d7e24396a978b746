import AMQP
import AuditStore
package import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import LocalServers
import PartyClient
import PostgreSQL
import Submitting
import Synchronization
import Terminal
import Witness

/// One run of the demo, from the start of the servers to the last line of the witness.
package struct Rehearsal: Sendable {
    package let home: RehearsalFolder
    package let stop: StopSignal
    package var daysPerSecond = 4.5
    package var kills = false
    package var keeps = false
    package var json: String?
    package var reports: ReportSupply!

    /// The business days after which even the slowest simulated unit has concluded.
    private static let slowestUnitDays = 110.0
    /// The seconds in which all reports are submitted, at 250 to 1,000 a second.
    private static let submitSeconds = 8.0
    private static let recalls = 2

    package init(home: RehearsalFolder, stop: StopSignal) {
        self.home = home
        self.stop = stop
    }

    /// Runs the demo; returns whether every line of the witness holds.
    package func run() async throws -> Bool {
        let began = ContinuousClock.now
        var options = LocalOffice.Options(directory: home.url)
        let wall = Instant(Date())
        options.clock = BusinessClock(wallOrigin: wall, businessOrigin: wall, rate: daysPerSecond * 86_400)
        options.isCancelled = { stop.isStopped }
        options.whenLost = { reason in
            Output.note("Error: \(reason)")
            stop.stop()
        }
        // With --kill such a line would come every second.
        if kills { options.report = { _ in } }
        Output.note("starting PostgreSQL, RabbitMQ and four workers in \(home.url.path) …")
        let office = try await LocalOffice.start(options)
        let metrics = Worker.allCases.compactMap { worker in
            office.monitorPorts[worker]?.first.map { "\(worker.rawValue) http://127.0.0.1:\($0)/metrics" }
        }
        Output.note("watch it at \(office.monitorURL)/; metrics: \(metrics.joined(separator: ", "))")
        do {
            let holds = try await onThread { try play(office, began: began) }
            if keeps { try await stay(office) }
            try await onThread { office.stop() }
            return holds
        } catch {
            office.stop()
            throw error
        }
    }

    private func play(_ office: LocalOffice, began: ContinuousClock.Instant) throws -> Bool {
        let units = try Sidecar(
            Executable.lab,
            ["simulate-units", "--data", home.url.path, "--journals", home.journals.path, "--until-input-ends"],
            log: home.url.appending(path: "log/units.log"))
        defer { units.stop() }
        let passwords = Dictionary(
            uniqueKeysWithValues: SampleOffice.standard.sources.compactMap { source in
                office.password(of: .source(source.id)).map { (source.id, $0) }
            })
        var broker = try office.configuration.operatorBrokerSettings()
        (broker.user, broker.password) = ("", "")
        let receipts = try ReceiptReader(broker: broker, passwords: passwords, journals: home.journals)

        let rehearsed = Progress()
        let killer = kills ? Killer(office.workers, while: rehearsed) : nil
        let submitted = try submit(office, broker, passwords, rehearsed)
        let isQuiet = try waitUntilQuiet(office, rehearsed, began: began)
        rehearsed.end()
        killer?.join()
        units.stop()
        try receipts.stop()
        if let killer { Output.line("workers killed: \(killer.count), started again: \(office.workers.restartCount)") }
        let rate = Double(submitted.confirmed) / max(submitted.seconds, 0.001)
        Output.line(
            String(
                format: "%d reports submitted at %.0f/s; everything answered %.1f s after the start of the servers\n",
                submitted.confirmed, rate, (ContinuousClock.now - began).inSeconds))
        for problem in submitted.problems { Output.note("\(problem)") }
        Output.line(try queueLine(office))
        if !isQuiet {
            Output.line(
                "FALSE  queues, outbox and held messages did not empty in time; what is under way counts as lost")
        }
        return try testify() && isQuiet
    }

    // MARK: Steps

    private func submit(
        _ office: LocalOffice, _ broker: AMQP.ConnectionSettings, _ passwords: [SourceID: String], _ progress: Progress
    ) throws -> SubmitSummary {
        let lines = reports.reports(now: office.configuration.now)
        let journal = try Journal(file: JournalFolder.file(of: "submitter", in: home.journals))
        var submitter = Submitter(broker: broker, passwords: passwords, journal: journal)
        submitter.reportsPerSecond = min(1_000, max(250, Double(lines.count) / Rehearsal.submitSeconds))
        let view = try RehearsalView(office, total: lines.count)
        let thread = WorkThread(named: "view") { while !progress.isSubmitted { view.draw(); usleep(200_000) } }
        defer {
            progress.submitted()
            thread.join()
            view.close()
        }
        return try submitter.submit(reports: lines)
    }

    /// Waits until queues, outbox and deferred messages are empty and no unit owes an act, or until the time is over.
    private func waitUntilQuiet(
        _ office: LocalOffice, _ progress: Progress, began: ContinuousClock.Instant
    ) throws -> Bool {
        let view = try RehearsalView(office, total: reports.count)
        defer { view.close() }
        let witness = Witness(
            database: office.configuration.databaseSettings("bihuan-lab witness"), journals: home.journals,
            digestKey: try DigestKey(keyFile: office.configuration.digestKeyFile))
        let slowest = ContinuousClock.now + .seconds(Rehearsal.slowestUnitDays / daysPerSecond + 2)
        let end = slowest + .seconds(max(60, Double(reports.count) / 200))
        var recalled = 0
        while ContinuousClock.now < end, !stop.isStopped {
            view.draw()
            if recalled < Rehearsal.recalls { recalled += try recallOne(office) }
            // Asked twice, since at one moment a message may be in a worker only.
            let settling = try witness.settling(queueDepths: try view.depths())
            if settling.isFinished || (settling.isSettled && ContinuousClock.now > slowest) {
                progress.end()
                let rest = try allDepths(office)
                if try witness.settling(queueDepths: rest).isSettled { return true }
            }
            usleep(200_000)
        }
        return false
    }

    /// Recalls one handoff by a leader's command, since its unit is slow to answer.
    private func recallOne(_ office: LocalOffice) throws -> Int {
        let database = try PostgreSQL.Connection(office.configuration.databaseSettings("bihuan-lab demo"))
        defer { database.close() }
        guard let leader = SampleOffice.standard.persons.first(where: { $0.roles.contains("leader") }),
            let handoff = try database.run(ReadHandoffsInHand(countMax: 1)).rows.first
        else { return 0 }
        let event = CloudEvent(
            id: "demo-recall-\(handoff)", source: .person(leader.id), type: .commandRecall,
            subject: handoff.description, time: office.configuration.now, data: CommandRecall(reason: "承办单位迟迟未办，收回另行处理")
        )
        let client = try PersonClient(
            try office.configuration.brokerSettings(for: .person(leader.id)), person: leader.id, timeoutSeconds: 5)
        defer { client.close() }
        switch try client.send(event, timeoutSeconds: 5) {
        case .taken, .contents: return 1
        // The unit was faster, or the feedback worker was just killed: the next call tries another handoff.
        case .refused, nil: return 0
        }
    }

    /// Ready and unacknowledged messages by queue; only the node itself gives both.
    private func allDepths(_ office: LocalOffice) throws -> [String: Int] {
        let text = try office.servers.rabbitmqctl([
            "-q", "list_queues", "-p", office.configuration.broker.virtualHost, "name", "messages",
            "--no-table-headers",
        ])
        return text.split(separator: "\n").reduce(into: [:]) { depths, line in
            let words = line.split(whereSeparator: \.isWhitespace)
            // A verdict that its person did not wait for stays in the person's queue, and only the person may
            // remove it.
            if words.count == 2, let count = Int(words[1]), !words[0].hasPrefix("person.") {
                depths[String(words[0])] = count
            }
        }
    }

    private func queueLine(_ office: LocalOffice) throws -> String {
        let filled = try allDepths(office).filter { $0.value > 0 }.sorted { $0.key < $1.key }
        return "messages in queues: "
            + (filled.isEmpty ? "none" : filled.map { "\($0.key) \($0.value)" }.joined(separator: ", ")) + "\n"
    }

    private func testify() throws -> Bool {
        var arguments = ["witness", "--data", home.url.path, "--journals", home.journals.path]
        if reports.isBuiltIn { arguments += ["--accepted-share-min", "0.6"] }
        if let json { arguments += ["--json", URL(filePath: json).absoluteURL.path] }
        let process = Process()
        process.executableURL = URL(filePath: Executable.lab)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    private func stay(_ office: LocalOffice) async throws {
        Output.line(
            """
            \nThe office stays up until Ctrl-C.\n  AMQP      \(office.operatorAMQPURL)\n  database  \
            \(office.configuration.database.url(of: .operator))\n  monitor   \(office.monitorURL)
            """
        )
        await stop.wait()
    }
}

/// The progress of a rehearsal, shared by its threads.
final class Progress: Sendable {
    private let allSubmitted = Atomic<Bool>(false)
    private let ended = Atomic<Bool>(false)

    var isSubmitted: Bool { allSubmitted.load(ordering: .acquiring) }
    var isEnded: Bool { ended.load(ordering: .acquiring) }
    func submitted() { allSubmitted.store(true, ordering: .releasing) }
    func end() { ended.store(true, ordering: .releasing) }
}
