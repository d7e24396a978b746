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
        guard let person = PersonID(person) else { throw ExitCode.validationFailure }
        let configuration = try await installation.configuration(parties: [.person(person)])
        let intent = ([person.rawValue, subject] + words).joined(separator: "|")
        let act = id ?? "\(kind)-" + Array(SHA256.hash(data: Array(intent.utf8))).hexadecimal.prefix(32)
        // A repeat must have the same bytes, so no clock is read here; the office uses its own time.
        let event = CloudEvent(
            id: act, source: .person(person), type: type, subject: subject,
            time: Instant(microsecondsSinceEpoch: 0), data: data)
        let broker = try configuration.brokerSettings(for: .person(person))
        let timeout = timeout
        let verdict = try await onThread {
            let client = try PersonClient(broker, person: person, timeoutSeconds: timeout)
            defer { client.close() }
            return try client.send(event, timeoutSeconds: timeout)
        }
        switch verdict {
        case .taken(let text): Output.line(printable(text))
        case .refused(let problems):
            for problem in problems { Output.note("refused: \(printable("\(problem)"))") }
            throw ExitCode(1)
        case nil:
            throw UserError(
                """
                no verdict within \(Int(timeout)) s: the command is with the office; run it again to read the \
                verdict, and see that the \(owner.rawValue) worker runs
                """)
        }
    }
}
