import ArgumentParser
import Terminal

/// The command that tests an office: rehearsal, benchmarks, fault injection. It is not part of an installed package.
@main
struct BihuanLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bihuan-lab",
        abstract: "Test an office: demo, benchmarks, fault injection.",
        discussion: """
            Start with `bihuan-lab demo`. It starts the workers with the command `bihuan`, which must be in the same \
            directory.
            """,
        version: Version.text,
        subcommands: [
            Demo.self, BenchCommand.self, ChaosCommand.self, ClusterCommand.self, Servers.self,
            ChaosVerdictCommand.self, ClusterVerdictCommand.self, SimulateUnits.self, WitnessCommand.self,
        ])

    static func main() async { await runAndExit() }
}
