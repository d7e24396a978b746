import ArgumentParser
import Terminal

/// The main command. Each subcommand is a small file that composes the modules below it and contains no rule.
@main
struct Bihuan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bihuan",
        abstract: "Register reports, hand them to units, and track each one until it is closed.",
        discussion: """
            Start with `bihuan up --data DIR`: it runs a whole office on this machine, including private servers, and \
            prints how to submit reports to it. Each of the four workers is a separate process; you can run any \
            number of each.
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(name: "An office on this machine", subcommands: [Up.self]),
            CommandGroup(
                name: "Workers",
                subcommands: [IntakeWorker.self, RoutingWorker.self, DeadlinesWorker.self, FeedbackWorker.self]),
            CommandGroup(
                name: "Use",
                subcommands: [
                    Submit.self, Recall.self, Review.self, Approvals.self, Approve.self, Reject.self, Duty.self,
                    Status.self, Trace.self, OutboxCommand.self,
                    DeferredCommand.self,
                ]),
            CommandGroup(
                name: "Operation",
                subcommands: [
                    Setup.self, DoctorCommand.self, Drain.self, ConfigCommand.self, Migrate.self, PolicyCommand.self,
                    TopologyCommand.self, ContractCommand.self, Ledger.self, Dead.self,
                ]),
        ])

    static func main() async { await runAndExit() }
}
