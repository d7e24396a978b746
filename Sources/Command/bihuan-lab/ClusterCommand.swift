import ArgumentParser
import Basics
import Chaos
import Foundation
import Installation
import LocalServers
import Rehearsal
import Terminal

/// A whole office on a cluster, whose hosts are stopped, cut off and left without power one after the other.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Disturb an office on a cluster of several hosts, and check it.",
        discussion: """
            Starts three brokers, a primary database with a synchronous standby and two hosts with workers, each in a \
            network namespace of this machine, which needs root. While reports arrive and units answer, each broker is \
            stopped, one is cut off from the others, and a broker, a host with workers and the primary lose their \
            power; the standby is promoted. For each it prints the longest time in which no report was accepted and no \
            loop concluded. Exit 1 if one is longer than 30 s, or if an invariant is broken. See docs/scaling.md.
            """)

    @Option(help: ArgumentHelp("The seed of reports and decisions of units.", valueName: "s"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Reports submitted per second.", valueName: "n"))
    var rate = 20.0

    @Option(help: ArgumentHelp("Business days that pass per second, 0.5 to 100.", valueName: "days"))
    var daysPerSecond = 4.5

    @Option(help: ArgumentHelp("The script that makes the cluster.", valueName: "file"))
    var script = "deploy/cluster/local"

    @Option(help: ArgumentHelp("Write everything to a file as JSON.", valueName: "file"))
    var json: String?

    @Option(
        help: ArgumentHelp(
            "A directory for the cluster, new or empty. Default: one that is removed afterwards.", valueName: "dir"))
    var data: String?

    func validate() throws {
        if !(1...1000).contains(rate) { throw ValidationError("--rate takes 1 to 1000") }
        if !(0.5...100).contains(daysPerSecond) { throw ValidationError("--days-per-second takes 0.5 to 100") }
        guard FileManager.default.isExecutableFile(atPath: script) else {
            throw ValidationError("there is no \(script): call this from the source tree, or name it with --script")
        }
        if let obstacle = NetworkNamespace.obstacle { throw ValidationError("no hosts can be made: \(obstacle)") }
        try JSONFile.check(json)
    }

    func run() async throws {
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            let home = try RehearsalFolder(data)
            defer { home.removeIfTemporary() }
            var run = ClusterRun(home: home, stop: stop, script: URL(filePath: script).absoluteURL.path)
            run.seed = seed
            run.reportsPerSecond = rate
            run.daysPerSecond = daysPerSecond
            run.json = json
            guard try await run.run() else { throw ExitCode(1) }
        }
    }
}

/// Judges a run in a separate process; it reads journals, logs and tables, and consumes no queue.
struct ClusterVerdictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster-verdict", abstract: "Hold the office of a cluster against its invariants.",
        shouldDisplay: false)

    @OptionGroup var judged: JudgedRun

    func run() async throws { try await judged.judge(as: ClusterRecord.self) }
}
