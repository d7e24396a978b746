import ArgumentParser
import Basics
import CaseStore
import Foundation
import Installation
import Rehearsal
import Terminal
import Witness

/// Checks a rehearsal's result in a separate process; it reads journals and tables, and consumes no queue.
struct WitnessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Compare the journals of a rehearsal with its tables.", shouldDisplay: false)

    @Option(help: ArgumentHelp("The folder with the journals of sources and units.", valueName: "dir"))
    var journals: String

    @Option(help: ArgumentHelp("The share of accepted reports that must be reached, 0 to 1.", valueName: "share"))
    var acceptedShareMin: Double?

    @Option(help: ArgumentHelp("Write everything as JSON.", valueName: "file"))
    var json: String?

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let witness = Witness(
                database: configuration.databaseSettings("bihuan-lab witness"),
                journals: URL(filePath: journals, directoryHint: .isDirectory),
                digestKey: try DigestKey(keyFile: configuration.digestKeyFile))
            let testimony = try await onThread { try witness.testify() }
            let extra = acceptedShareMin.map { [testimony.acceptedLine(shareMin: $0)] } ?? []
            Output.line(TestimonyPage.text(testimony, extra: extra))
            if let json { try testimony.json(extraLines: extra).write(to: URL(filePath: json)) }
            guard (testimony.lines + extra).allSatisfy(\.holds) else { throw ExitCode(1) }
        }
    }
}
