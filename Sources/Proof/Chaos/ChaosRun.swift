import AMQP
package import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import LocalServers
import PartyClient
package import Rehearsal
import Submitting
import Terminal
import Witness

/// One run: an office under load is disturbed by plan, left until it has settled, and judged.
package struct ChaosRun: Sendable {
    package let home: RehearsalFolder
    package let stop: StopSignal
    package let seed: UInt64
    package let minutes: Double
    package let kills: Int
    /// `nil`: as many as the office closes.
    package var reportsPerSecond: Double?
    package var daysPerSecond = 4.5
    /// Processes of each worker.
    package var processes = 1
    package var json: String?
    /// The kinds of disturbance beside the kills; empty: all.
    package var only: [Disturbance.Kind] = []

    package init(home: RehearsalFolder, stop: StopSignal, seed: UInt64, minutes: Double, kills: Int) {
        self.home = home
        self.stop = stop
        self.seed = seed
        self.minutes = minutes
        self.kills = kills
    }

    /// Business time is so far ahead of wall time that no moment of one can be confused with one of the other.
    private static let aheadDays = 30.0
    private static let repeatedPerMille = 20

    /// Runs it; returns whether every line holds.
    package func run() async throws -> Bool {
        let broker = try BadNetwork()
        let database = try BadNetwork()
        let network = Self.network()
        defer {
            broker.close()
            database.close()
            network?.remove()
        }
        let began = Instant(Date())
        var options = LocalOffice.Options(directory: home.url)
        options.clock = BusinessClock(
            wallOrigin: began, businessOrigin: began.adding(seconds: Self.aheadDays * 86_400),
            rate: daysPerSecond * 86_400)
        options.listenAddress = network?.hostAddress
        options.processesPerWorker = processes
        options.isCancelled = { stop.isStopped }
        options.report = { _ in }
        options.workerInstallation = { configuration in
            broker.lead(to: configuration.broker.port)
            return ["--config", try throughProxies(configuration, broker: broker.port, database: database).path]
        }
        Output.note("starting PostgreSQL, RabbitMQ and \(processes) processes of each worker in \(home.url.path) …")
        let office = try await LocalOffice.start(options)
        do {
            let holds = try await onThread {
                try play(office, broker: broker, database: database, network, began: began)
            }
            try await onThread { office.stop() }
            return holds
        } catch {
            office.stop()
            throw error
        }
    }

    /// The network of a host that can be cut off; nil, with a note, if none can be created.
    private static func network() -> NetworkNamespace? {
        if let obstacle = NetworkNamespace.obstacle {
            Output.note("no host is cut off: \(obstacle)")
            return nil
        }
        return try? NetworkNamespace()
    }

    /// The configuration of the workers, with the servers behind the proxies.
    private func throughProxies(_ configuration: OfficeConfiguration, broker: Int, database: BadNetwork) throws -> URL {
        var seen = configuration
        seen.broker.port = broker
        guard var url = URLComponents(string: configuration.database.url), let port = url.port else {
            throw UserError("the database's URL has no port")
        }
        database.lead(to: port)
        url.port = database.port
        seen.database.url = url.string ?? configuration.database.url
        let file = home.url.appending(path: "workers.yaml")
        try writePrivately(seen.yaml(folder: home.url), to: file)
        return file
    }

    // MARK: Steps

    private func play(
        _ office: LocalOffice, broker: BadNetwork, database: BadNetwork, _ network: NetworkNamespace?, began: Instant
    ) throws -> Bool {
        var durability = try ChaosDurability(office)
        try refuse(durability.problems)
        let units = try Sidecar(
            Executable.lab,
            [
                "simulate-units", "--data", home.url.path, "--journals", home.journals.path, "--seed", "\(seed)",
                "--repeated-per-mille", "\(Self.repeatedPerMille)", "--until-input-ends",
            ], log: home.url.appending(path: "log/units.log"))
        defer { units.stop() }
        let passwords = Dictionary(
            uniqueKeysWithValues: SampleOffice.standard.sources.compactMap { source in
                office.password(of: .source(source.id)).map { (source.id, $0) }
            })
        var settings = try office.configuration.operatorBrokerSettings()
        (settings.user, settings.password) = ("", "")
        let receipts = try ReceiptReader(broker: settings, passwords: passwords, journals: home.journals)

        let receivedAround = office.configuration.now
        let load = ChaosLoad(
            broker: settings, passwords: passwords,
            journal: try Journal(file: JournalFolder.file(of: "submitter", in: home.journals)),
            corpus: ChaosCorpus(seed: seed, receivedAround: receivedAround), rate: reportsPerSecond,
            watcher: try office.configuration.operatorBrokerSettings())
        let loadBegan = ContinuousClock.now
        defer { load.stop() }
        try durability.look(at: office, seconds: 30)
        try refuse(durability.messageProblems)

        let otherHost = try network.map { try OtherHost($0, of: office, in: home.url) }
        defer { otherHost?.stop() }
        let plan = DisturbancePlan(
            seed: seed, minutes: minutes, kills: kills, hasOtherHost: otherHost != nil, only: only)
        let disturber = Disturber(office, otherHost, broker: broker, database: database, load: load, seed: seed)
        disturb(disturber, plan, load)
        var record = ChaosRecord(
            seed: seed, minutes: minutes, killsPlanned: kills, rate: reportsPerSecond, daysPerSecond: daysPerSecond,
            began: began, ended: began, receivedAround: receivedAround)
        record.only = only.map(\.rawValue)
        record.othersPlanned = Dictionary(plan.others.map { ($0.kind.rawValue, 1) }, uniquingKeysWith: +)
        record.durability = durability.lines.map { "at the start: \($0)" }
        lookAgain(at: office, &record)
        load.stop()
        record.seconds = (ContinuousClock.now - loadBegan).inSeconds
        record.reports = load.count
        record.interruptions = load.interruptions
        let calm = Calm(configuration: office.configuration, journals: home.journals, daysPerSecond: daysPerSecond)
        record.isQuiet = try calm.wait(reports: load.count, stop: stop) { try depths(office) }
        units.stop()
        try receipts.stop()
        // The judged state must not change: the clocks of open handoffs would go on.
        office.workers.stop()
        otherHost?.stop()
        note(disturber.tally, office, in: &record)
        try record.write(to: home.url)
        return try judge()
    }

    private func refuse(_ problems: [String]) throws {
        if !problems.isEmpty { throw UserError("nothing could be shown: " + problems.joined(separator: "; ")) }
    }

    /// Runs the plan. It continues until everything planned is done, also after the planned time, but for at most
    /// three times that time plus a minute.
    private func disturb(_ disturber: Disturber, _ plan: DisturbancePlan, _ load: ChaosLoad) {
        let start = ContinuousClock.now
        disturber.begin(plan)
        let (enough, end) = (start + .seconds(minutes * 60), start + .seconds(minutes * 180 + 60))
        var told = start
        while !stop.isStopped, ContinuousClock.now < end, ContinuousClock.now < enough || !disturber.isFinished {
            if ContinuousClock.now - told > .seconds(10) {
                told = .now
                let tally = disturber.tally
                Output.note(
                    """
                    \(load.count) reports, \(tally.killed) of \(kills) kills, \(tally.done.values.reduce(0, +)) \
                    other disturbances
                    """
                )
            }
            usleep(50_000)
        }
        disturber.stop()
    }

    /// Checks durability again while reports still arrive: it must hold as at the start.
    private func lookAgain(at office: LocalOffice, _ record: inout ChaosRecord) {
        guard !stop.isStopped else { return record.durabilityProblems = ["the run was interrupted"] }
        do {
            var durability = try ChaosDurability(office)
            try durability.look(at: office, seconds: 60)
            record.durability += durability.lines.map { "at the end: \($0)" }
            record.durabilityProblems = durability.allProblems
        } catch {
            record.durabilityProblems = ["they could not be looked at: \(UserError(error))"]
        }
    }

    private func note(_ tally: Disturber.Tally, _ office: LocalOffice, in record: inout ChaosRecord) {
        record.kills = tally.killed
        record.killedAnother = tally.killedAnother
        record.killedByWorker = Dictionary(
            uniqueKeysWithValues: tally.killedByWorker.map { ($0.key.rawValue, $0.value) })
        record.others = Dictionary(uniqueKeysWithValues: tally.done.map { ($0.key.rawValue, $0.value) })
        record.failures = tally.failures
        record.restarts = office.workers.restartCount
        record.ended = Instant(Date())
    }

    /// Ready and unacknowledged messages by queue; only the node itself gives both.
    private func depths(_ office: LocalOffice) throws -> [String: Int] {
        let text = try office.servers.rabbitmqctl([
            "-q", "list_queues", "-p", office.configuration.broker.virtualHost, "name", "messages",
            "--no-table-headers",
        ])
        return text.split(separator: "\n").reduce(into: [:]) { depths, line in
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count == 2, let count = Int(words[1]) { depths[String(words[0])] = count }
        }
    }

    /// Judges in a separate process, which knows only tables, journals and logs.
    private func judge() throws -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: Executable.lab)
        process.arguments =
            ["chaos-verdict", "--data", home.url.path, "--journals", home.journals.path]
            + (json.map { ["--json", URL(filePath: $0).absoluteURL.path] } ?? [])
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
