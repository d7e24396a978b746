import ArgumentParser
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PartyClient
import PostgreSQL
import Terminal
import Text

/// The dead letters that a person settles, and how.
struct SettlingOptions: ParsableArguments {
    @Argument(help: "Ids of dead letters; or select them with the options below.")
    var ids: [String] = []

    @OptionGroup var selection: DeadLetterSelection

    @Flag(help: "All dead letters that nobody has decided about.")
    var all = false

    @Option(name: .customLong("as"), help: ArgumentHelp("Who you are, such as operator.", valueName: "person"))
    var person: String

    @Flag(help: "Print which dead letters are meant, and do nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("At most this many dead letters per second, 1 to 10000.", valueName: "count"))
    var rate = 200.0

    @Option(
        help: ArgumentHelp(
            "How long to wait for a verdict, and for a sender to read its answers, 1 to 600.", valueName: "seconds"))
    var timeout = 15.0

    @Flag(help: "Continue even if a sender does not read its answers; without this option it gets at most 100 more.")
    var despiteUnread = false

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        try DeadShow.checked(ids)
        try PersonOptions.check(person, timeout: timeout)
        if [!ids.isEmpty, !selection.isEmpty, all].count(where: { $0 }) != 1 {
            throw ValidationError(
                """
                say which letters: give ids, or choose by --reason, --type, --sender, --older-than, --newer-than, \
                or --all
                """
            )
        }
        if !(1...10_000).contains(rate) { throw ValidationError("--rate takes 1 to 10000") }
    }
}

struct DeadReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Let the office handle dead letters again.",
        discussion: """
            The same worker handles the stored bytes under the name of their sender; the act gets its verdict and the \
            sender the answer. A message that fails again stays a dead letter. A dead letter is settled once: you can \
            run the command again safely. Needs the role operator. Exit 0 if all were handled, 1 if not.
            """)

    @OptionGroup var options: SettlingOptions

    func run() async throws {
        try await plainly { try await Settling(options).run { _ in Nothing() } }
    }
}

struct DeadDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Discard dead letters for good.",
        discussion: """
            Each act is refused, and its sender gets the reason. The dead letter is kept. Needs the role operator. \
            Exit 0 if all were discarded, 1 if not.
            """)

    @OptionGroup var options: SettlingOptions

    @Option(help: "The reason, in a sentence; the sender reads it.")
    var because: String

    func validate() throws {
        if because.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty {
            throw ValidationError("say why, with --because")
        }
        if because.utf8.count > Limits.standard.reasonBytesMax {
            throw ValidationError("the reason has more than \(Limits.standard.reasonBytesMax) bytes")
        }
    }

    func run() async throws {
        let reason = because
        try await plainly { try await Settling(options).run { _ in CommandDiscard(reason: reason) } }
    }
}

/// Finds the selected dead letters and settles them.
private struct Settling {
    private let options: SettlingOptions

    init(_ options: SettlingOptions) { self.options = options }

    func run<Payload: Codable & Sendable>(_ payload: @escaping @Sendable (DeadLetterSummary) -> Payload) async throws {
        guard let person = PersonID(options.person) else { throw ExitCode.validationFailure }
        let configuration = try await options.installation.configuration(parties: [.person(person)])
        let broker = try configuration.brokerSettings(for: .person(person))
        let options = options
        let type: MessageType = Payload.self == CommandDiscard.self ? .commandDiscard : .commandReplay
        let isSettled = try await onThread {
            let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan dead"))
            defer { database.close() }
            let letters = try Settling.letters(options, database)
            if options.dryRun {
                Output.line(DeadLetterSummary.table(letters, at: Instant(Date())))
                Output.line("\(letters.count) would be \(type == .commandReplay ? "replayed" : "discarded")")
                return true
            }
            guard !letters.isEmpty else {
                Output.line("no dead letter is meant by this")
                return true
            }
            let client = try PersonClient(broker, person: person, timeoutSeconds: options.timeout)
            defer { client.close() }
            var run = SettlingRun(letters, by: client, options) { letter in
                // The id is the same for the same intent; a replay that failed again counts as a new intent.
                let action = type == .commandReplay ? "replay" : "discard"
                return CloudEvent(
                    id: "\(action)-\(letter.id.lowercased)-\(letter.replays)", source: .person(person), type: type,
                    subject: letter.id.lowercased, time: Instant(microsecondsSinceEpoch: 0), data: payload(letter))
            }
            return try run.settle()
        }
        guard isSettled else { throw ExitCode(1) }
    }

    private static func letters(
        _ options: SettlingOptions, _ database: PostgreSQL.Connection
    ) throws -> [DeadLetterSummary] {
        guard options.ids.isEmpty else {
            let wanted = options.ids.compactMap { UUID(uuidString: $0) }
            let found = try database.run(ReadDeadLetters(ids: wanted)).rows
            let missing = Set(wanted).subtracting(found.map(\.id))
            guard missing.isEmpty else {
                throw UserError(
                    "no dead letter has the id \(missing.map(\.lowercased).sorted().joined(separator: ", "))")
            }
            return found
        }
        // The list is complete before the start: a replay that fails again is not tried twice by one command.
        var pages = DeadLetterPages(database, options.selection.filter(.open))
        var letters: [DeadLetterSummary] = []
        while case let page = try pages.next(), !page.isEmpty { letters += page }
        return letters
    }
}
