import ArgumentParser
import Basics
import Casework
import Contract
import Crypto
import Foundation
import Installation
import PartyClient
import Terminal
import Text

/// Who gives a command, and how long to wait for its verdict.
struct PersonOptions: ParsableArguments {
    @Option(name: .customLong("as"), help: ArgumentHelp("Who you are, such as leader.", valueName: "person"))
    var person: String

    @Option(
        help: ArgumentHelp(
            "The id of the act. The same words have the same id; give another one to try again after a refusal.",
            valueName: "id"))
    var id: String?

    @Option(help: ArgumentHelp("How long to wait for the verdict, 1 to 600.", valueName: "seconds"))
    var timeout = 10.0

    func validate() throws { try PersonOptions.check(person, timeout: timeout) }

    static func check(_ person: String, timeout: Double) throws {
        if PersonID(person) == nil {
            throw ValidationError("a person's id is 1 to 40 of a-z, 0-9 and -, not '\(person)'")
        }
        if !(1...600).contains(timeout) { throw ValidationError("--timeout takes 1 to 600 seconds") }
    }

    /// Publishes a command as the person, waits for the verdict and prints it.
    /// - Parameters:
    ///   - kind: the first word of the act's id. The rest follows from person, subject and `words`: the same intent has
    ///     the same id, so that a repeat gets the first verdict.
    ///   - owner: the worker that decides it.
    func give<Payload: Codable & Sendable>(
        _ kind: String, _ type: MessageType, about subject: String, words: [String] = [], _ data: Payload,
        decidedBy owner: Worker, in installation: InstallationOptions
    ) async throws {
        let intent = ([person, subject] + words).joined(separator: "|")
        let act = id ?? "\(kind)-" + Array(SHA256.hash(data: Array(intent.utf8))).hexadecimal.prefix(32)
        switch try await send(type, id: act, about: subject, data, decidedBy: owner, in: installation) {
        case .taken(let text): Output.line(printable(text))
        case .contents: throw ExitCode(1)
        case .refused(let problems): try PersonOptions.refuse(problems)
        }
    }

    static func refuse(_ problems: [Problem]) throws -> Never {
        for problem in problems { Output.note("refused: \(printable("\(problem)"))") }
        throw ExitCode(1)
    }

    /// Publishes a command as the person and waits for the verdict.
    func send<Payload: Codable & Sendable>(
        _ type: MessageType, id act: String, about subject: String, _ data: Payload, decidedBy owner: Worker,
        in installation: InstallationOptions
    ) async throws -> PersonClient.Verdict {
        guard let person = PersonID(person) else { throw ExitCode.validationFailure }
        let configuration = try await installation.configuration(parties: [.person(person)])
        // A repeat must have the same bytes, so no clock is read here; the office uses its own time.
        let event = CloudEvent(
            id: act, source: .person(person), type: type, subject: subject,
            time: Instant(microsecondsSinceEpoch: 0), data: data)
        let broker = try configuration.brokerSettings(for: .person(person))
        let timeout = timeout
        let verdict = try await onThread {
            let client = try PersonClient(broker, person: person, timeoutSeconds: timeout)
            defer { client.close() }
            return try client.send(event, to: owner, timeoutSeconds: timeout)
        }
        guard let verdict else {
            throw UserError(
                """
                no verdict within \(Int(timeout)) s: the command is with the office; run it again to read the \
                verdict, and see that the \(owner.rawValue) worker runs
                """)
        }
        return verdict
    }
}

/// Why a person does something.
struct ReasonOption: ParsableArguments {
    @Option(help: "The reason, in a sentence.")
    var reason: String

    func validate() throws {
        if reason.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty { throw ValidationError("give a reason") }
        if reason.utf8.count > Limits.standard.reasonBytesMax {
            throw ValidationError("the reason has more than \(Limits.standard.reasonBytesMax) bytes")
        }
    }
}
