import ArgumentParser
import Basics
import CaseStore
import Contract
import Foundation
import Installation
import Terminal

/// The configuration of an installation, as a command or a worker would read it.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show or check the configuration.",
        discussion: "The keys are described in docs/configuration.md.", subcommands: [Show.self, Check.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every key with its value and where it comes from. Secrets are not shown.")

        @Flag(help: "Print one JSON object for each key.")
        var json = false

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let rows = ConfigurationView(of: try await installation.source()).rows
                if json {
                    for row in rows { Output.json(try row.json()) }
                    return
                }
                var grid = Grid([.whole("key"), .text("value"), .text("from")])
                for row in rows { grid.add([row.key, row.value ?? (row.isSet ? "(secret)" : ""), row.from]) }
                Output.line(grid.printed())
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every value and every file that it names.",
            discussion: """
                All faults are printed at once. With --worker also the password and the key files that this worker \
                needs. No server is asked: that is what `bihuan doctor` does. Exit 0 if there is no fault, 1 if there \
                is one.
                """)

        @OptionGroup var workers: WorkerNames
        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let source = try await installation.source()
                let problems = OfficeConfiguration.problems(in: source, workers: workers.worker)
                for problem in problems { Output.line(problem) }
                if !problems.isEmpty { throw ExitCode(1) }
                Output.line("the configuration is right")
            }
        }
    }
}
