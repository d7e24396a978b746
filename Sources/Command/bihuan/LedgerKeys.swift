import ArgumentParser
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Installation
import PostgreSQL
import Terminal

extension Ledger {
    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the public key that checkpoints are signed with.",
            discussion:
                """
                Send it to those who verify exports, by another way than the export. They pin it with verify --file F \
                --key HEX.
                """
        )

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let file = try await installation.configuration().checkpointKeyFile
                let key = Array(
                    try Curve25519.Signing.PrivateKey(rawRepresentation: KeyFiles.read(file)).publicKey
                        .rawRepresentation)
                let id = Array(SHA256.hash(data: key)).hexadecimal.prefix(16)
                Output.line("public key \(key.hexadecimal)\nkey id     \(id)")
            }
        }
    }

    struct Salt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the salt with which a party finds its own acts in a report's chain.",
            discussion: """
                Give it to that party only. It finds what the party sent or received itself, and reveals nothing \
                about anybody else. docs/ledger.md describes how.
                """)

        @Option(help: ArgumentHelp("The report, by its number or its id.", valueName: "report"))
        var report: String

        @Option(help: ArgumentHelp("The party: unit.d1, source.web, person.li.", valueName: "party"))
        var party: String

        @OptionGroup var installation: InstallationOptions

        func validate() throws {
            if Party(party) == nil { throw ValidationError("--party must be as unit.d1, source.web or person.li") }
        }

        func run() async throws {
            try await plainly {
                let configuration = try await installation.configuration()
                let key = try DigestKey(keyFile: configuration.digestKeyFile)
                let (settings, name) = (configuration.databaseSettings("bihuan ledger salt"), report)
                let found = try await onThread {
                    let connection = try Connection(settings)
                    defer { connection.close() }
                    return try connection.run(FindReport(numberOrID: name)).rows.first
                }
                guard let found else { throw UserError("there is no report \(name)") }
                Output.line("report \(found)\nparty  \(party)\nsalt   \(key.salt(of: found, for: party).hexadecimal)")
            }
        }
    }
}
