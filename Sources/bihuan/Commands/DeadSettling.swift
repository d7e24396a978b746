import ArgumentParser
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Text

/// Which letters a person decides about, and how.
struct SettlingOptions: ParsableArguments {
    @Argument(help: "Ids of dead letters; or choose them by the options below.")
    var ids: [String] = []

    @OptionGroup var selection: DeadLetterSelection

    @Flag(help: "All that nobody has decided about.")
    var all = false

    @Option(name: .customLong("as"), help: ArgumentHelp("Who you are, such as operator.", valueName: "person"))
    var person: String

    @Flag(help: "Say which letters are meant, and do nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("At most so many letters a second, 1 to 10000.", valueName: "count"))
    var rate = 200.0

    @Option(help: ArgumentHelp("How long to wait for a verdict, 1 to 600.", valueName: "seconds"))
    var timeout = 15.0

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        try DeadShow.checked(ids)
        if PersonID(person) == nil { throw ValidationError("a person's id is 1 to 40 of a-z, 0-9 and -, not '\(person)'") }
        if [!ids.isEmpty, !selection.isEmpty, all].count(where: { $0 }) != 1 {
            throw ValidationError("say which letters: give ids, or choose by --reason, --type, --sender, --older-than, --newer-than, or --all")
        }
        if !(1...10_000).contains(rate) { throw ValidationError("--rate takes 1 to 10000") }
        if !(1...600).contains(timeout) { throw ValidationError("--timeout takes 1 to 600 seconds") }
    }
}

struct DeadReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Try dead letters again.",
        discussion: """
            The stored bytes go through the same worker under the name of the one who sent them; the act gets its verdict and its \
            sender the answer. What fails again stays a dead letter. A letter is settled once: running the command twice does no \
            harm. Needs the role operator. Exit 0 if all went through, 1 if not.
            """)

    @OptionGroup var options: SettlingOptions

    func run() async throws {
        try await plainly { try await Settling(options).run { _ in Nothing() } }
    }
}

struct DeadDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Set dead letters aside for good.",
        discussion: """
            Each act is refused to its sender, who reads the reason. The letter is kept. Needs the role operator. Exit 0 if all \
            were set aside, 1 if not.
            """)

    @OptionGroup var options: SettlingOptions

    @Option(help: "Why, in a sentence; the sender reads it.")
    var because: String

    func validate() throws {
        if because.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty { throw ValidationError("say why, with --because") }
        if because.utf8.count > Limits.standard.reasonBytesMax {
            throw ValidationError("the reason has more than \(Limits.standard.reasonBytesMax) bytes")
        }
    }

    func run() async throws {
        let reason = because
        try await plainly { try await Settling(options).run { _ in CommandDiscard(reason: reason) } }
    }
}

/// Sends a command for each letter, many under way at once but no more a second than was said, and tells what became of each.
private struct Settling {
    private let options: SettlingOptions
    /// Commands under way at once.
    private static let windowMax = 100

    init(_ options: SettlingOptions) { self.options = options }

    func run<Payload: Codable & Sendable>(_ payload: @escaping @Sendable (DeadLetterSummary) -> Payload) async throws {
        guard let person = PersonID(options.person) else { throw ExitCode.validationFailure }
        let configuration = try await options.installation.configuration(parties: [.person(person)])
        let broker = try configuration.brokerSettings(for: .person(person))
        let options = options
        let type: MessageType = Payload.self == CommandDiscard.self ? .commandDiscard : .commandReplay
        let tally = try await onThread {
            let database = try PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan dead"))
            defer { database.close() }
            let letters = try Settling.letters(options, database)
            if options.dryRun {
                Output.line(DeadLetterSummary.table(letters, at: Instant(Date())))
                Output.line("\(letters.count) would be \(type == .commandReplay ? "replayed" : "discarded")")
                return Tally(open: 0)
            }
            guard !letters.isEmpty else {
                Output.line("no dead letter is meant by this")
                return Tally(open: 0)
            }
            let client = try PersonClient(broker, person: person, timeoutSeconds: options.timeout)
            defer { client.close() }
            return try Settling.settle(letters, by: client, options) { letter in
                // The same for the same intent; a letter that failed again is a new one.
                let action = type == .commandReplay ? "replay" : "discard"
                return CloudEvent(
                    id: "\(action)-\(letter.id.lowercased)-\(letter.replays)", source: .person(person), type: type,
                    subject: letter.id.lowercased, time: Instant(microsecondsSinceEpoch: 0), data: payload(letter))
            }
        }
        guard tally.open == 0 else { throw ExitCode(1) }
    }

    private static func letters(_ options: SettlingOptions, _ database: PostgreSQL.Connection) throws -> [DeadLetterSummary] {
        guard options.ids.isEmpty else {
            let wanted = options.ids.compactMap { UUID(uuidString: $0) }
            let found = try database.run(ReadDeadLetters(ids: wanted)).rows
            let missing = Set(wanted).subtracting(found.map(\.id))
            guard missing.isEmpty else {
                throw UserError("no dead letter has the id \(missing.map(\.lowercased).sorted().joined(separator: ", "))")
            }
            return found
        }
        // A list taken first: what a replay brings back to the dead letters is not tried again by the same command.
        var pages = DeadLetterPages(database, options.selection.filter(.open))
        var letters: [DeadLetterSummary] = []
        while case let page = try pages.next(), !page.isEmpty { letters += page }
        return letters
    }

    private struct Tally {
        var open: Int
    }

    private static func settle<Payload>(
        _ letters: [DeadLetterSummary], by client: PersonClient, _ options: SettlingOptions,
        _ event: (DeadLetterSummary) -> CloudEvent<Payload>
    ) throws -> Tally {
        var waiting: [String: DeadLetterSummary] = [:]
        var (done, refused, sent) = ([String: Int](), 0, 0)
        var progress = ProgressLine()
        var pace = Pace(perSecond: options.rate)
        var heardAt = ContinuousClock.now
        while sent < letters.count || !waiting.isEmpty {
            while sent < letters.count, waiting.count < windowMax, pace.take(at: .now) {
                let command = event(letters[sent])
                if waiting.isEmpty { heardAt = .now }
                waiting[command.id] = letters[sent]
                try client.publish(command, to: Worker(rawValue: letters[sent].worker), timeoutSeconds: options.timeout)
                sent += 1
            }
            let mayGoOn = sent < letters.count && waiting.count < windowMax
            if let (act, verdict) = try client.next(within: mayGoOn ? pace.secondsLeft(at: .now) : 0.2),
                let letter = waiting.removeValue(forKey: act)
            {
                heardAt = .now
                switch verdict {
                case .taken(let text): done[text, default: 0] += 1
                case .refused(let problems):
                    refused += 1
                    progress.clear()
                    Output.note("\(letter.id.lowercased): \(printable(problems.map(\.description).joined(separator: "; ")))")
                }
            }
            let decided = sent - waiting.count
            progress.draw("\(decided) of \(letters.count) decided", share: Double(decided) / Double(letters.count))
            if !waiting.isEmpty, (ContinuousClock.now - heardAt).inSeconds > options.timeout { break }
        }
        progress.clear()
        for (text, count) in done.sorted(by: { $0.key < $1.key }) { Output.line("\(count) \(printable(text))") }
        if refused > 0 { Output.line("\(refused) not settled") }
        let silent = letters.count - done.values.reduce(0, +) - refused
        if silent > 0 {
            Output.note(
                "no verdict about \(silent) within \(Int(options.timeout)) s: the commands are with the office; run it again, and see that "
                    + "the workers \(Set(letters.map(\.worker)).sorted().joined(separator: ", ")) run")
        }
        return Tally(open: refused + silent)
    }
}
