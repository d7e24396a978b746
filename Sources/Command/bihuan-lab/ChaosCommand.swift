import ArgumentParser
import Basics
import Chaos
import Foundation
import Installation
import LocalServers
import Rehearsal
import Terminal

/// A whole office under load with injected faults, checked against its invariants at the end.
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Inject faults into a running office, and check its invariants.",
        discussion: """
            Starts a private office as `bihuan-lab demo` does. While reports arrive and units answer, workers are \
            killed and frozen; broker and database are restarted, killed, cut off, silenced and slowed; messages are \
            sent twice; the broker blocks its publishers. The seed determines what happens when. At the end there is \
            one line for each invariant, with the number of objects that were checked. Exit 1 if a line is false; \
            then the seed and the history of the first reports or acts concerned follow. If something is not durable, \
            the run is refused, because it could prove nothing.
            """)

    @Option(
        help: ArgumentHelp(
            "How long, in minutes; the plan may take up to twice that and one minute more.", valueName: "m"))
    var minutes = 2.0

    @Option(
        help: ArgumentHelp(
            "How often a worker that holds work is killed, 0 or more. Default: 20 a minute.", valueName: "k"))
    var kills: Int?

    @Option(
        help: ArgumentHelp(
            "In addition to the kills only this kind of fault, once; may be repeated.", valueName: "kind"))
    var only: [Disturbance.Kind] = []

    @Option(help: ArgumentHelp("The seed of reports, faults and decisions of units.", valueName: "s"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Reports submitted per second. Default: as many as the office closes.", valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("Processes of each worker.", valueName: "n"))
    var processes = 1

    @Flag(help: "Print what would be done and when, and do nothing.")
    var plan = false

    @Option(help: ArgumentHelp("Write everything to a file as JSON.", valueName: "file"))
    var json: String?

    @Option(
        help: ArgumentHelp(
            "A directory for the office, new or empty. Default: one that is removed afterwards.", valueName: "dir"))
    var data: String?

    @Option(help: ArgumentHelp("Business days that pass per second, 0.5 to 100.", valueName: "days"))
    var daysPerSecond = 4.5

    func validate() throws {
        if !(0.1...1440).contains(minutes) { throw ValidationError("--minutes takes 0.1 to 1440") }
        if let kills, !(0...1_000_000).contains(kills) { throw ValidationError("--kills takes 0 to 1000000") }
        if let rate, !(1...5000).contains(rate) { throw ValidationError("--rate takes 1 to 5000") }
        if !(0.5...100).contains(daysPerSecond) { throw ValidationError("--days-per-second takes 0.5 to 100") }
        if !(1...16).contains(processes) { throw ValidationError("--processes takes 1 to 16") }
        if only.contains(.kill) { throw ValidationError("how often workers are killed is said by --kills") }
        if only.contains(.hostCutOff), let obstacle = NetworkNamespace.obstacle {
            throw ValidationError("no host can be cut off: \(obstacle)")
        }
        try JSONFile.check(json)
    }

    private var killCount: Int { kills ?? max(1, Int(minutes * 20)) }

    func run() async throws {
        if plan {
            let plan = DisturbancePlan(
                seed: seed, minutes: minutes, kills: killCount, hasOtherHost: NetworkNamespace.obstacle == nil,
                only: only)
            for line in plan.lines { Output.line(line) }
            return
        }
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            let home = try RehearsalFolder(data)
            defer { home.removeIfTemporary() }
            var run = ChaosRun(home: home, stop: stop, seed: seed, minutes: minutes, kills: killCount)
            run.reportsPerSecond = rate
            run.daysPerSecond = daysPerSecond
            run.processes = processes
            run.json = json
            run.only = only
            guard try await run.run() else { throw ExitCode(1) }
        }
    }
}

/// Judges a run in a separate process; it reads journals, logs and tables, and consumes no queue.
struct ChaosVerdictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos-verdict", abstract: "Hold a disturbed office against its invariants.", shouldDisplay: false)

    @OptionGroup var judged: JudgedRun

    func run() async throws { try await judged.judge(as: ChaosRecord.self) }
}

/// The options of a verdict, and the verdict.
struct JudgedRun: ParsableArguments {
    @Option(help: ArgumentHelp("The folder with the journals of sources and units.", valueName: "dir"))
    var journals: String

    @Option(help: ArgumentHelp("Write everything as JSON.", valueName: "file"))
    var json: String?

    @OptionGroup var installation: InstallationOptions

    func judge<Record: DisturbedRun>(as: Record.Type) async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let folder = URL(filePath: journals, directoryHint: .isDirectory)
            let directory = configuration.digestKeyFile.deletingLastPathComponent()
            let verdict = try await onThread {
                try ChaosVerdict<Record>(configuration, directory: directory, journals: folder)
            }
            Output.line(verdict.text)
            if let json { try verdict.json().write(to: URL(filePath: json)) }
            guard verdict.holds else { throw ExitCode(1) }
        }
    }
}

extension Disturbance.Kind: ExpressibleByArgument {}
