import ArgumentParser
import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal
import Workers

/// The policy: check, activate, show.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check a policy, enter and activate it; show the active one.",
        subcommands: [Check.self, Enter.self, Activate.self, Adopt.self, Show.self])

    struct Enter: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a policy and enter it as a new version, which decides nothing yet.",
            discussion: """
                Acts as the owner role. A leader activates the version with `bihuan policy adopt`. An existing version \
                is accepted again only with the same text.
                """)

        @Argument(help: ArgumentHelp("The policy, in YAML.", valueName: "file"))
        var file: String

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let policy = try await PolicyCommand.asOwner(file, installation) { yaml, name, now, connection in
                    try ActivePolicy.enter(yaml, named: name, at: now, on: connection)
                }
                let version = policy.versionName
                Output.line("\(version) is entered; activate it with `bihuan policy adopt \(version) --as PERSON`")
            }
        }
    }

    struct Adopt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Activate an entered version as a leader of the office.",
            discussion: """
                Publishes the command as the broker's user of PERSON and waits for the verdict; the ledger says who \
                activated which version. If the active policy asks for a second person, the version waits as an \
                approval. Exit 0 if it was accepted, 1 if not.
                """)

        @Argument(help: ArgumentHelp("The version, such as cn-discipline@2.", valueName: "version"))
        var version: String

        @OptionGroup var why: ReasonOption

        @OptionGroup var person: PersonOptions

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let (configuration, version) = (try await installation.configuration(), version)
                // The same words are another act once another version was active meanwhile.
                let others = try await onThread {
                    let database = try Connection(configuration.databaseSettings("bihuan policy"))
                    defer { database.close() }
                    return try database.run(CountOtherActivations(version: version)).rows.first ?? 0
                }
                try await person.give(
                    "policy-adopt", .commandPolicyActivate, about: version, words: ["\(others)", why.reason],
                    CommandPolicyActivate(reason: why.reason), decidedBy: .deadlines, in: installation)
            }
        }
    }

    /// Checks the text of a policy, prints its warnings, and does something with it as the owner role.
    private static func asOwner(
        _ file: String, _ installation: InstallationOptions,
        _ work: @escaping @Sendable (String, String, Instant, Connection) throws -> Policy
    ) async throws -> Policy {
        let (yaml, name) = (try PolicyText.read(file), URL(filePath: file).lastPathComponent)
        for warning in PolicyFile.check(yaml).problems { Output.note("\(warning)") }
        let configuration = try await installation.configuration()
        let (settings, now) = (try configuration.ownerDatabaseSettings("bihuan policy"), configuration.now)
        return try await onThread {
            let connection = try Connection(settings)
            defer { connection.close() }
            return try work(yaml, name, now, connection)
        }
    }

    struct Activate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a policy, enter it as a new version and activate it.",
            discussion: """
                Acts as the owner role. Every worker uses it within a few seconds, without a restart; decisions name \
                the version that made them. An existing version is accepted again only with the same text. If the \
                active policy asks for a second person, this is refused: use `enter` and `adopt`.
                """)

        @Argument(help: ArgumentHelp("The policy, in YAML.", valueName: "file"))
        var file: String

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let policy = try await PolicyCommand.asOwner(file, installation) { yaml, name, now, connection in
                    try ActivePolicy.activate(yaml, named: name, by: NSUserName(), at: now, on: connection)
                }
                Output.line(
                    "\(policy.versionName) decides from now on; workers go by it within some seconds")
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
                    "\(active.versionName), activated at \(active.activatedAt) by \(active.activatedBy)")
            }
        }
    }
}
