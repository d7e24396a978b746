import ArgumentParser
import Basics
import Foundation
import Installation
import Terminal

/// Makes a working office on servers that are there.
struct Setup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a working office on servers that are there.",
        discussion: """
            Makes what is missing: keys, passwords, database roles, the database and its schema, units, sources and \
            staff of FILE, the policy, the broker's queues, users and rights. What is there stays. Interrupted, run it \
            again. Faults that can be known beforehand are printed together, and then nothing is changed. Lines begin \
            with + for what was made, = for what was there. See docs/operating.md.
            """)

    @Option(
        help: ArgumentHelp(
            "The units, sources and staff, as YAML or CSV; see docs/operating.md.", valueName: "file"))
    var office: String

    @Option(help: ArgumentHelp("The policy; by default the shipped one.", valueName: "file"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "A database URL of a user who may make roles and databases; without a password.", valueName: "url"))
    var adminDatabase: String?

    @Option(help: ArgumentHelp("A file of mode 600 with that URL, if it contains a password.", valueName: "file"))
    var adminDatabaseFile: String?

    @Flag(help: "Print what would be made, and change nothing.")
    var dryRun = false

    @OptionGroup var broker: BrokerOptions
    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let text =
                try policy.map { ($0, try PolicyText.read($0)) } ?? ("cn-discipline", ShippedPolicy.chineseDiscipline)
            var options = OfficeSetup.Options(
                configurationFile: try installation.file(), officeFile: office, policy: (text.1, text.0), broker: broker
            )
            options.flags = installation.flags
            options.administratorURL = try SecretOption.setupDatabase.url(adminDatabase, file: adminDatabaseFile)
            options.isDryRun = dryRun
            try await OfficeSetup(options).run()
        }
    }
}
