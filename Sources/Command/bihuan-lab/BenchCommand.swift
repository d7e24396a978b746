import ArgumentParser
import Basics
import Bench
import Foundation
import Installation
import Rehearsal
import Terminal

/// Measures how fast an office is on this machine, and what a report costs.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast an office is on this machine, and what a report costs.",
        discussion: """
            Starts private servers with full durability, and measures with workers that run as separate processes. \
            With --amqp and --database it creates its own virtual host and database on existing servers, and removes \
            them afterwards. docs/performance.md describes each bench and the numbers.
            """)

    @Argument(
        help: ArgumentHelp(
            """
            What to measure: intake, routing, feedback, loop, latency, worker; flood, parties and soak, which take \
            long. Default: all but these three.
            """,
            valueName: "bench"))
    var names: [BenchName] = []

    @Option(help: ArgumentHelp("Reports per round, or of the whole soak.", valueName: "n"))
    var count = 20_000

    @Option(help: ArgumentHelp("Rounds that count; a warm-up round comes first.", valueName: "n"))
    var rounds = 3

    @Option(help: ArgumentHelp("Messages handled in one transaction, as lane.batchSizeMax.", valueName: "n"))
    var batch: Int?

    @Option(help: ArgumentHelp("Lanes of a worker process, as lane.lanes.", valueName: "n"))
    var lanes: Int?

    @Option(help: ArgumentHelp("Reports per second while latencies are measured.", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            """
            Fill the ledger with this many reports before each bench; several numbers, such as 0,100000,1000000, are \
            measured one after the other.
            """,
            valueName: "n,…"))
    var scale = "0"

    @Option(
        help: ArgumentHelp(
            """
            The sources of the bare C program that rates are compared with; none: not compared. Default: \
            Benchmarks/floor, if it exists.
            """,
            valueName: "dir"))
    var floor: String?

    @Option(
        help: ArgumentHelp(
            "An existing broker, with a user that has the tag administrator; with --database.", valueName: "url"))
    var amqp: String?

    @Option(
        help: ArgumentHelp(
            "A file of mode 600 with that URL and its password; or the environment variable BIHUAN_BENCH_AMQP.",
            valueName: "file"))
    var amqpFile: String?

    @Option(
        help: ArgumentHelp("That broker's management interface. Default: port 15672 of its host.", valueName: "url"))
    var management: String?

    @Option(
        help: ArgumentHelp("An existing database server, with a superuser; with --amqp.", valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "A file of mode 600 with that URL and its password; or the environment variable BIHUAN_BENCH_DATABASE.",
            valueName: "file"))
    var databaseFile: String?

    @Option(
        help: ArgumentHelp(
            "A directory for the office, new or empty. Default: one that is removed afterwards.", valueName: "dir"))
    var data: String?

    @Option(help: ArgumentHelp("Write the numbers to a file as JSON.", valueName: "file"))
    var json: String?

    func validate() throws {
        if !(1...10_000_000).contains(count) { throw ValidationError("--count takes 1 to 10000000") }
        if !(1...1_000).contains(rounds) { throw ValidationError("--rounds takes 1 to 1000") }
        if let batch, !(1...5_000).contains(batch) { throw ValidationError("--batch takes 1 to 5000") }
        if let lanes, !(1...64).contains(lanes) { throw ValidationError("--lanes takes 1 to 64") }
        if (amqp == nil && amqpFile == nil) != (database == nil && databaseFile == nil) {
            throw ValidationError("--amqp and --database go together, each as it is or as a file")
        }
        if management != nil, amqp == nil, amqpFile == nil { throw ValidationError("--management belongs to --amqp") }
        if scales == nil { throw ValidationError("--scale takes numbers that grow, such as 0,100000,1000000") }
        try JSONFile.check(json)
        if let floor, floor != "none", !FileManager.default.fileExists(atPath: floor + "/Makefile") {
            throw ValidationError("--floor: there is no \(floor)/Makefile")
        }
        if let rate, !(0.1...1_000_000).contains(rate) { throw ValidationError("--rate takes 0.1 to 1000000") }
    }

    private var scales: [Int]? {
        let words = scale.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.compactMap { Int($0) }
        let grows = zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
        return numbers.count == words.count && grows && numbers.allSatisfy { (0...100_000_000).contains($0) }
            ? numbers : nil
    }

    func run() async throws {
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            var settings = BenchSettings()
            (settings.count, settings.rounds, settings.batch, settings.lanes, settings.rate) = (
                count, rounds, batch, lanes, rate
            )
            settings.isCancelled = { stop.isStopped }
            let home = try RehearsalFolder(data)
            defer { home.removeIfTemporary() }
            let office = try await office(in: home.url, settings)
            let (plan, names, scales) = (settings, names.isEmpty ? BenchName.usual : names, scales ?? [0])
            do {
                let results = try await onThread { try measure(names, scales, office, plan) }
                try await onThread { office.stop() }
                try judge(results)
            } catch {
                try? await onThread { office.stop() }
                throw error
            }
        }
    }

    private func office(in directory: URL, _ settings: BenchSettings) async throws -> BenchOffice {
        let amqp = try SecretOption.benchAMQP.url(amqp, file: amqpFile)
        let database = try SecretOption.benchDatabase.url(database, file: databaseFile)
        if (amqp == nil) != (database == nil) {
            throw UserError("BIHUAN_BENCH_AMQP and BIHUAN_BENCH_DATABASE go together")
        }
        guard let amqp, let database else {
            Output.note("starting PostgreSQL and RabbitMQ in \(directory.path) …")
            return try await BenchOffice.start(
                in: directory, executable: settings.executable, isCancelled: settings.isCancelled)
        }
        let addresses = try GivenServers.Addresses(amqp: amqp, management: management, database: database)
        let warnings =
            InTheClear.warnings(of: addresses.amqp, named: "--amqp")
            + InTheClear.warnings(ofManagement: addresses.management)
            + InTheClear.warnings(ofDatabase: addresses.database, named: "--database")
        for warning in warnings { Output.note("warning: \(warning)") }
        return try await onThread {
            let servers = try GivenServers(addresses, in: directory)
            do {
                return try BenchOffice(on: servers, directory: directory)
            } catch {
                servers.remove()
                throw error
            }
        }
    }

    /// Runs the benches; prints and writes each result as it comes, because a run may take long.
    private func measure(
        _ names: [BenchName], _ scales: [Int], _ office: BenchOffice, _ settings: BenchSettings
    ) throws -> [BenchResult] {
        let bench = try Bench(office, settings, floor: try floor(for: names, office, settings))
        var results: [BenchResult] = []
        for scale in scales {
            for name in names {
                results.append(try bench.run(name, scale: scale))
                Output.line(BenchPage.text(results[results.count - 1]) + "\n")
                if let json { try writeJSON(results, to: json) }
            }
        }
        if scales.count > 1 { Output.line(BenchPage.scales(results)) }
        return results
    }

    /// The floor, built before the first measurement; `nil` if it is not needed, or if the default one cannot be
    /// built.
    private func floor(for names: [BenchName], _ office: BenchOffice, _ settings: BenchSettings) throws -> Floor? {
        guard floor != "none", !Floor.stages.isDisjoint(with: names) else { return nil }
        do {
            return try Floor(
                folder: URL(filePath: floor ?? "Benchmarks/floor", directoryHint: .isDirectory).absoluteURL, office,
                settings)
        } catch {
            let problem = "the floor is not measured: \(UserError(error))"
            if floor != nil { throw UserError(problem) }
            Output.note(problem)
            return nil
        }
    }

    /// Throws if the floor could not be measured, or if a worker's memory grew with the messages it handled.
    private func judge(_ results: [BenchResult]) throws {
        if let problem = results.compactMap(\.floorProblem).first {
            throw UserError("the floor could not be measured: \(problem)")
        }
        let grown = Set(results.flatMap(\.grown).map(\.worker)).sorted()
        if !grown.isEmpty { throw UserError("grew with the messages it handled: \(grown.joined(separator: ", "))") }
    }

    private func writeJSON(_ results: [BenchResult], to file: String) throws {
        do {
            try BenchPage.json(results, batch: batch, lanes: lanes).write(to: URL(filePath: file))
        } catch {
            throw UserError("\(file) cannot be written")
        }
    }
}
