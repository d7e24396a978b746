import ArgumentParser
import Terminal

/// The command that proves an office: a rehearsal, measuring, disturbing. It is not part of an installed package.
@main
struct BihuanLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bihuan-lab",
        abstract: "Prove an office: rehearse it, measure it, disturb it.",
        discussion:
            "Start with `bihuan-lab demo`. It starts the workers by the command `bihuan`, which must stand beside it.",
        version: Version.text,
        subcommands: [
            Demo.self, BenchCommand.self, ChaosCommand.self, ChaosVerdictCommand.self, SimulateUnits.self,
            WitnessCommand.self,
        ])

    static func main() async { await runAndExit() }
}
