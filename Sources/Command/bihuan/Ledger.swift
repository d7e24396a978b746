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

/// The append-only ledger.
struct Ledger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify, export or sign the ledger.",
        subcommands: [Verify.self, Export.self, Checkpoint.self, Key.self, Salt.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verify all chains and checkpoints; name the first entry that does not match.",
            discussion: """
                Exit 0 if everything matches, 1 if not. An export is verified without a database, as \
                docs/contract/examples/verify-ledger.py does.
                """)

        @Option(
            help: ArgumentHelp(
                "An exported ledger instead of an installation's; - for standard input.", valueName: "export"))
        var file: String?

        @Option(
            help: ArgumentHelp(
                "The public key that must have signed every checkpoint, as `ledger key` prints it.", valueName: "hex"))
        var key: String?

        @OptionGroup var installation: InstallationOptions

        func validate() throws {
            if let key, [UInt8](hexadecimal: key)?.count != 32 {
                throw ValidationError("--key takes the 64 hexadecimal digits that `ledger key` prints")
            }
        }

        func run() async throws {
            try await plainly {
                let verifier = if let file { try await verified(file: file) } else { try await verifiedDatabase() }
                let late = verifier.uncoveredCount == 0 ? "" : ", \(verifier.uncoveredCount) entries not yet under one"
                Output.line(
                    "the ledger is whole: \(verifier.entryCount) entries in \(verifier.chainCount) chains, "
                        + "\(verifier.checkpointCount) checkpoints\(late)")
                for key in verifier.signers.map(\.hexadecimal).sorted() { Output.line("signed with \(key)") }
            }
        }

        private var pinnedKey: [UInt8]? { key.flatMap { [UInt8](hexadecimal: $0) } }

        private func verified(file: String) async throws -> LedgerVerifier {
            let (reader, pinned) = (try LineReader(path: file, bytesMax: LedgerFile.lineBytesMax), pinnedKey)
            return try await onThread {
                var (lines, verifier, number) = (reader, LedgerVerifier(pinnedKey: pinned), 0)
                while let bytes = lines.next() {
                    number += 1
                    let line = try LedgerFile.line(bytes, number: number)
                    try stopAtFault { () throws(LedgerFault) in try verifier.take(line) }
                }
                try stopAtFault { () throws(LedgerFault) in try verifier.finish(lacksLineEnd: lines.lacksLineEnd) }
                return verifier
            }
        }

        private func verifiedDatabase() async throws -> LedgerVerifier {
            let settings = Ledger.patient(
                try await installation.configuration().databaseSettings("bihuan ledger verify"))
            let pinned = pinnedKey
            return try await onThread {
                let connection = try Connection(settings)
                defer { connection.close() }
                var verifier = LedgerVerifier(pinnedKey: pinned)
                try LedgerBooks(connection).read { line in
                    try stopAtFault { () throws(LedgerFault) in try verifier.take(line) }
                }
                return verifier
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a consistent snapshot of the ledger as JSON lines.",
            discussion:
                """
                docs/ledger.md describes the lines; docs/contract/examples/verify-ledger.py verifies them without \
                this program.
                """
        )

        @Option(help: ArgumentHelp("The file to write; by default standard output.", valueName: "file"))
        var output: String?

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let settings = Ledger.patient(
                    try await installation.configuration().databaseSettings("bihuan ledger export"))
                let output = output
                try await onThread {
                    let connection = try Connection(settings)
                    defer { connection.close() }
                    var writer = try LineWriter(path: output)
                    try LedgerBooks(connection).read { try writer.write(LedgerFile.text($0)) }
                    try writer.finish()
                }
            }
        }
    }

    struct Checkpoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign the ledger entries since the last checkpoint.",
            discussion: """
                Acts as the owner role and signs with the key file of checkpoint.keyFile. Run it daily. It signs \
                the chains that have grown since; the first time, all chains. What waits for an older transaction is \
                left to the next checkpoint; standard error names the session.
                """)

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await plainly {
                let configuration = try await installation.configuration()
                let settings = Ledger.patient(try configuration.ownerDatabaseSettings("bihuan ledger checkpoint"))
                let key = try Curve25519.Signing.PrivateKey(
                    rawRepresentation: KeyFiles.read(configuration.checkpointKeyFile))
                let now = configuration.now
                let run = try await onThread {
                    let connection = try Connection(settings)
                    defer { connection.close() }
                    return try LedgerBooks(connection).makeCheckpoint(key: key, at: now)
                }
                if let checkpoint = run.checkpoint {
                    Output.line(
                        String(decoding: checkpoint.statement, as: UTF8.self)
                            + "signature \(checkpoint.signature.hexadecimal)")
                } else {
                    Output.line("nothing has come since the last checkpoint")
                }
                // Beside what is kept: what it cost, and what it could not see yet.
                Output.note("chains looked at: \(run.chainsLookedAt)\(run.isWhole ? ", all that there are" : "")")
                if run.lag.waiting > 0 {
                    let holder = run.lag.holder.map { ": \($0)" } ?? ""
                    Output.note(
                        "left to the next checkpoint, behind an older transaction that is still open: "
                            + "\(run.lag.waiting) transactions\(holder)")
                }
            }
        }
    }

    /// Long timeouts: a reader of millions of entries may pause longer between two pages than a worker may, and a
    /// checkpoint waits for another one that is being made.
    fileprivate static func patient(_ settings: PostgreSQL.ConnectionSettings) -> PostgreSQL.ConnectionSettings {
        var settings = settings
        settings.statementTimeoutMilliseconds = 600_000
        settings.lockTimeoutMilliseconds = 600_000
        settings.idleInTransactionTimeoutMilliseconds = 0
        return settings
    }
}

/// Turns a fault of the ledger, the expected finding of `verify`, into an error with the fault's own text.
private func stopAtFault(_ check: () throws(LedgerFault) -> Void) throws {
    do throws(LedgerFault) { try check() } catch {
        throw UserError("the ledger is NOT whole: \(error)")
    }
}
