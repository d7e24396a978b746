import ArgumentParser
import Foundation
import Rehearsal
import Terminal

/// A whole office with invented reports, units that answer, and a witness that checks the result.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run an office with invented reports and units, and check the result.",
        discussion: """
            Starts a private office as `bihuan up` does, in accelerated business time, and submits reports. Simulated \
            units sign, return, file cases and conclude, in separate processes that use only the contract. At the end \
            a witness compares the logs of submitter and units with each other and with the tables. Exit 1 if a check \
            is false.
            """)

    @Option(help: ArgumentHelp("How many invented reports.", valueName: "n"))
    var reports = 2_000

    @Option(help: ArgumentHelp("The seed of the invented reports.", valueName: "n"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Reports from a JSON-lines file instead, or - for standard input.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("A field map (YAML) for lines in another format.", valueName: "file"))
    var map: String?

    @Flag(help: "SIGKILL a random worker every second while reports are under way.")
    var kill = false

    @Option(help: ArgumentHelp("Write counts and tables to a file as JSON.", valueName: "file"))
    var json: String?

    @Option(
        help: ArgumentHelp(
            "A directory for the office, new or empty. Default: one that is removed afterwards.", valueName: "dir"))
    var data: String?

    @Flag(help: "Keep running afterwards, and print the addresses of broker and database.")
    var keep = false

    @Option(help: ArgumentHelp("Business days that pass per second.", valueName: "days"))
    var daysPerSecond = 4.5

    func validate() throws {
        if !(1...10_000_000).contains(reports) { throw ValidationError("--reports takes 1 to 10000000") }
        try JSONFile.check(json)
        if map != nil, input == nil { throw ValidationError("--map describes the lines of --input") }
        if !(0.001...100).contains(daysPerSecond) { throw ValidationError("--days-per-second takes 0.001 to 100") }
    }

    func run() async throws {
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            let home = try RehearsalFolder(data)
            defer { home.removeIfTemporary() }
            var rehearsal = Rehearsal(home: home, stop: stop)
            rehearsal.daysPerSecond = daysPerSecond
            rehearsal.kills = kill
            rehearsal.keeps = keep
            rehearsal.json = json
            rehearsal.reports = try ReportSupply(input: input, map: map, count: reports, seed: seed)
            guard try await rehearsal.run() else { throw ExitCode(1) }
        }
    }
}
