import ArgumentParser
import Basics
import BrokerTopology
import Contract
import Foundation
import Installation
import Terminal
import Text

/// The required exchanges, queues, bindings, users and permissions of the broker.
struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Show, compare or apply what the broker must contain: queues, users and their rights.",
        discussion:
            "It is derived from the units, sources and persons of the office's database. See docs/topology.md.",
        subcommands: [Show.self, Diff.self, Apply.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the required state; the broker is not contacted.",
            discussion: """
                --json prints a definitions file for RabbitMQ's load_definitions, for a new node. For users whose \
                password is in --passwords it contains the salted hash; all others cannot log in after it is loaded, \
                even if they could before.
                """)

        @Flag(help: "Print RabbitMQ's definitions file instead of tables.")
        var json = false

        @Option(
            help: ArgumentHelp("Lines of a user and a password, as `apply` writes them; for --json.", valueName: "file")
        )
        var passwords: String?

        @OptionGroup var monitors: MonitorOptions
        @OptionGroup var installation: InstallationOptions

        func validate() throws {
            if passwords != nil, !json { throw ValidationError("--passwords is for --json: tables show no passwords") }
        }

        func run() async throws {
            try await plainly {
                let topology = try await read(try await installation.configuration(), monitors)
                guard json else { return Output.line(topology.tables) }
                let given = try passwords.map { try PasswordFile(URL(filePath: $0)).passwords } ?? [:]
                let file = topology.file(passwords: given)
                let without = file.users.filter(\.password_hash.isEmpty).count
                if without > 0 {
                    Output.note(
                        "\(without) of \(file.users.count) users have no password in it: nobody could log in as these")
                }
                Output.json(String(decoding: try file.json(), as: UTF8.self))
            }
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare the required state with the broker.",
            discussion: "+ is missing, - is not wanted, ~ differs. Exit 0 if nothing differs, 1 if something does.")

        @Option(
            help: ArgumentHelp(
                "Also compare the passwords in this file: lines of a user and a password.", valueName: "file"))
        var passwords: String?

        @OptionGroup var monitors: MonitorOptions
        @OptionGroup var broker: BrokerOptions
        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let configuration = try await installation.configuration()
                let topology = try await read(configuration, monitors)
                let (broker, directory) = (broker, try installation.directory())
                let access = try await onThread { try broker.access(configuration, directory: directory) }
                let given = try passwords.map { try PasswordFile(URL(filePath: $0)).passwords } ?? [:]
                let (found, bytes) = try await onThread { (try access.definitions(), try access.messageBytesMax()) }
                let difference = TopologyDifference(
                    wanted: topology.file(), found: found, virtualHost: topology.definitions.virtualHost,
                    messageBytesMax: bytes, passwords: given)
                for note in difference.notes { Output.note("note: \(printable(note))") }
                for line in difference.lines { Output.line(printable(line.description)) }
                if !difference.isEmpty { throw ExitCode(1) }
                Output.line("nothing differs")
            }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring the broker to the required state.",
            discussion: """
                Creates what is missing, corrects users, rights and limits, moves a broker of an earlier version to \
                the queues of parties, and prints each change that it verified afterwards. You can run it again \
                safely. Existing users keep their password unless the file of --passwords has another. Exit 0 if \
                everything requested is done, 1 if something had to be left.
                """)

        @Option(
            help: ArgumentHelp(
                """
                Lines of a user and a password. New users that are neither here nor in bihuan.yaml get a password, \
                which is written here (0600).
                """,
                valueName: "file"))
        var passwords: String?

        @Flag(
            help: "Also remove what has an office name and is not wanted, including monitors that are not named."
        )
        var prune = false

        @Flag(help: "With --prune: also remove queues that hold messages or have consumers.")
        var withMessages = false

        @Flag(
            help: """
                Also delete the queues of an earlier version, if the workers have read them to their end. See \
                docs/topology.md.
                """
        )
        var finish = false

        @OptionGroup var monitors: MonitorOptions
        @OptionGroup var broker: BrokerOptions
        @OptionGroup var installation: InstallationOptions

        func validate() throws {
            if withMessages, !prune { throw ValidationError("--with-messages is for --prune") }
        }

        func run() async throws {
            try await plainly {
                let configuration = try await installation.configuration()
                let topology = try await read(configuration, monitors)
                let (broker, directory) = (broker, try installation.directory())
                let access = try await onThread { try broker.access(configuration, directory: directory) }
                var options = TopologyApplication.Options()
                options.prunes = prune
                options.withMessages = withMessages
                options.finishes = finish
                options.passwordFile = try passwords.map { try PasswordFile(URL(filePath: $0)) }
                // A worker can log in only with the password in its settings.
                options.takesCertificates = configuration.brokerTakesCertificates
                options.knownPasswords = topology.passwords(in: configuration)
                let settled = options
                let outcome = try await onThread {
                    var application = TopologyApplication(topology, through: access, settled)
                    return try application.run()
                }
                try report(outcome)
            }
        }

        private func report(_ outcome: TopologyApplication.Outcome) throws {
            for note in outcome.notes { Output.note("note: \(printable(note))") }
            for line in outcome.done { Output.line(printable(line.description)) }
            if outcome.generatedPasswords > 0 {
                Output.line("\(outcome.generatedPasswords) passwords were made and written to \(passwords ?? "")")
            }
            if outcome.done.isEmpty, outcome.left.isEmpty { Output.line("nothing to do") }
            for reason in outcome.reasons { Output.line(reason) }
            for line in outcome.left { Output.line("left: \(printable(line.description))") }
            if let failure = outcome.failure { throw failure }
            let unwanted = outcome.left.filter(\.needsPrune)
            if !prune, !unwanted.isEmpty { Output.line("--prune removes what is not wanted") }
            if outcome.left.contains(where: \.mustBeDeletedFirst) {
                Output.line(
                    """
                    What cannot be changed in place: when it is empty and nobody uses it, delete it on the broker \
                    and apply again.
                    """
                )
            }
            if outcome.isUnfinished || outcome.left.count > (prune ? 0 : unwanted.count) { throw ExitCode(1) }
        }
    }
}

extension InstallationOptions {
    /// The folder of the installation's files; after `bihuan up` it also contains the private servers.
    func directory() throws -> URL {
        if let data { return URL(filePath: data, directoryHint: .isDirectory).absoluteURL }
        return URL(filePath: config ?? "").absoluteURL.deletingLastPathComponent()
    }
}

private func read(_ configuration: OfficeConfiguration, _ monitors: MonitorOptions) async throws -> OfficeTopology {
    let names = monitors.names
    return try await onThread { try OfficeTopology.read(configuration, monitors: names) }
}
