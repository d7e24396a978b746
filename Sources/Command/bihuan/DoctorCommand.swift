import ArgumentParser
import Basics
import Contract
import Foundation
import Installation
import Terminal

/// Examines an installation.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine an installation: what is wrong, and what to do.",
        discussion: """
            Looks at files, database, broker and the office, and changes nothing. One line a check: ok, !! an error, \
            ! a warning, ? not known; the worst first. Exit 0 if nothing is wrong, 1 if there is an error, 2 if there \
            are only warnings, 3 if something could not be asked. It ends within a minute. See docs/doctor.md.
            """)

    @Flag(help: "Print one JSON object for each check.")
    var json = false

    @OptionGroup var workers: WorkerNames
    @OptionGroup var broker: BrokerOptions
    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let patient = try await Patient.read(
                installation, workers: workers.worker, broker: broker, directory: try installation.directory())
            let reports = try await onThread { Doctor(patient).reports() }
            let summary = DoctorSummary(reports)
            for report in reports {
                if json { Output.json(try report.json()) } else { report.lines.forEach { Output.line($0) } }
            }
            if !json { Output.line(summary.line) }
            if summary.exitStatus != 0 { throw ExitCode(summary.exitStatus) }
        }
    }
}

/// The option that names workers.
struct WorkerNames: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Check for this worker: \(Worker.allCases.map(\.rawValue).joined(separator: ", ")). May be repeated.",
            valueName: "name"),
        transform: { name in
            guard let worker = Worker(rawValue: name) else { throw ValidationError("there is no worker '\(name)'") }
            return worker
        })
    var worker: [Worker] = []
}
