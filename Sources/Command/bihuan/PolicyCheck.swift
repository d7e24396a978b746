import ArgumentParser
import Basics
import Casework
import Foundation
import Installation
import Terminal
import Workers

extension PolicyCommand {
    /// Lists all problems of a policy file, without an installation.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report all faults of a policy file at once.",
            discussion: """
                Each output line names a line of the file, the key and what to do. A policy with a fault cannot be \
                activated; a warning shows something unusual. It needs no installation. docs/policy.md describes \
                every key.

                Exit 0 without faults, 1 with faults, 2 if the file cannot be read, 64 for a wrong command line.
                """)

        @Argument(help: ArgumentHelp("The policy, in YAML.", valueName: "file"))
        var file: String

        func run() throws {
            let bytes: [UInt8]
            do { bytes = try PolicyText.bytes(of: file) } catch {
                Output.note("Error: \(error)")
                throw ExitCode(2)
            }
            let reading = PolicyFile.check(bytes)
            for problem in reading.problems { Output.line("\(problem)") }
            Output.line(Self.summary(of: reading, named: URL(filePath: file).lastPathComponent))
            if reading.policy == nil { throw ExitCode(1) }
        }

        static func summary(of reading: PolicyFile.Reading, named file: String) -> String {
            func count(_ number: Int, _ noun: String) -> String {
                (number >= PolicyFile.problemsMax ? "at least " : "")
                    + "\(number == 0 ? "no" : "\(number)") \(noun)\(number == 1 ? "" : "s")"
            }
            let warnings = reading.problems.count - reading.faults.count
            let counts = "\(count(reading.faults.count, "fault")), \(count(warnings, "warning"))"
            guard let policy = reading.policy else { return "\(file): \(counts); it cannot be activated" }
            return "\(file): \(policy.versionName), \(counts); it can be activated"
        }
    }
}
