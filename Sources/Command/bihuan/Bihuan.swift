import ArgumentParser
import Terminal
import Terminal

/// The one command. Each subcommand is a small file that composes the rooms below; no rule stands here.
@main
struct Bihuan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bihuan",
        abstract: "Reports go in at one door and come back closed.",
        discussion: """
            Start with `bihuan up --data DIR`: it runs a whole office on this machine, private servers included, and \
            prints \
            how to submit reports to it. The four workers are one process each; any number of each may run.
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(name: "An office on this machine", subcommands: [Up.self]),
            CommandGroup(
                name: "Workers",
                subcommands: [IntakeWorker.self, RoutingWorker.self, DeadlinesWorker.self, FeedbackWorker.self]),
            CommandGroup(name: "Use", subcommands: [Submit.self, Recall.self, Status.self]),
            CommandGroup(
                name: "Care",
                subcommands: [
                    Migrate.self, PolicyCommand.self, TopologyCommand.self, ContractCommand.self, Ledger.self,
                    Dead.self,
                ]),
        ])

    static func main() async { await runAndExit() }
}
