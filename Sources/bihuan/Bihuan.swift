import ArgumentParser
import Foundation

/// The one command. Each subcommand is a small file that composes the rooms below; no rule stands here.
@main
struct Bihuan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bihuan",
        abstract: "Reports go in at one door and come back closed.",
        discussion: """
            Start with `bihuan up --data DIR`: it runs a whole office on this machine, private servers included, and prints \
            how to submit reports to it. The four workers are one process each; any number of each may run.
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(name: "An office on this machine", subcommands: [Demo.self, Up.self, SimulateUnits.self, WitnessCommand.self]),
            CommandGroup(
                name: "Workers",
                subcommands: [IntakeWorker.self, RoutingWorker.self, DeadlinesWorker.self, FeedbackWorker.self]),
            CommandGroup(name: "Use", subcommands: [Submit.self, Recall.self, Status.self]),
            CommandGroup(name: "Care", subcommands: [Migrate.self, PolicyCommand.self, TopologyCommand.self, ContractCommand.self, Ledger.self, Dead.self]),
            CommandGroup(name: "Proof", subcommands: [BenchCommand.self, ChaosCommand.self, ChaosVerdictCommand.self]),
        ])

    /// Runs what the arguments name. What is wrong with it or with them is said in one place, as all that is printed is.
    static func main() async {
        Output.closeGaps()
        Foundation.exit(Output.endStatus(await status()))
    }

    private static func status() async -> Int32 {
        do {
            var command = try parseAsRoot()
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            let (text, status) = (fullMessage(for: error, columns: nil), exitCode(for: error).rawValue)
            if !text.isEmpty { status == 0 ? Output.line(text) : Output.note(text) }
            return status
        }
    }
}
