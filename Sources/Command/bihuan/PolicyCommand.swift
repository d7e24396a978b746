import ArgumentParser
import Basics
import CaseStore
import Casework
import Foundation
import Installation
import PostgreSQL
import Terminal
import Workers

/// The policy: check, activate, show.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check a policy, enter and activate it; show the active one.",
        subcommands: [Check.self, Activate.self, Show.self])

    struct Activate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a policy, enter it as a new version and activate it.",
            discussion: """
                Acts as the owner role. Every worker uses it within a few seconds, without a restart; decisions name \
                the version that made them. An existing version is accepted again only with the same text.
                """)

        @Argument(help: ArgumentHelp("The policy, in YAML.", valueName: "file"))
        var file: String

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let (yaml, name) = (try PolicyText.read(file), URL(filePath: file).lastPathComponent)
                for warning in PolicyFile.check(yaml).problems { Output.note("\(warning)") }
                let configuration = try await installation.configuration()
                let (settings, now) = (try configuration.ownerDatabaseSettings("bihuan policy"), configuration.now)
                let policy = try await onThread {
                    let connection = try Connection(settings)
                    defer { connection.close() }
                    return try ActivePolicy.activate(yaml, named: name, by: NSUserName(), at: now, on: connection)
                }
                Output.line(
                    "\(policy.name)@\(policy.version) decides from now on; workers go by it within some seconds")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show which policy is active, since when, and who activated it.")

        @Flag(help: "Print its text.")
        var text = false

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let settings = try await installation.configuration().databaseSettings("bihuan policy")
                let active = try await onThread {
                    let connection = try Connection(settings)
                    defer { connection.close() }
                    return try connection.run(ReadActivePolicy()).rows.first
                }
                guard let active else {
                    throw UserError("no policy is active: enter one with `bihuan policy activate FILE`")
                }
                if text { return Output.line(active.yaml) }
                Output.line(
                    "\(active.name)@\(active.version), activated at \(active.activatedAt) by \(active.activatedBy)")
            }
        }
    }
}
