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

/// Takes a handoff back as a person of the office.
struct Recall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a handoff back from its unit; the report goes to review.",
        discussion: """
            Publishes the command as the broker's user of PERSON and waits for the verdict. The same handoff, person \
            and reason are the same act: running the command again gives the same verdict. Exit 0 if it was accepted, \
            1 if not.
            """)

    @Argument(help: "The handoff's id.")
    var handoff: String

    @Option(help: "The reason, in a sentence; the unit reads it.")
    var reason: String

    @Option(name: .customLong("as"), help: ArgumentHelp("Who you are, such as leader.", valueName: "person"))
    var person: String

    @Option(
        help: ArgumentHelp("The id of the act, for another recall with the same reason.", valueName: "id"))
    var id: String?

    @Option(help: ArgumentHelp("How long to wait for the verdict, 1 to 600.", valueName: "seconds"))
    var timeout = 10.0

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if HandoffID(handoff) == nil { throw ValidationError("a handoff's id is a UUID, not '\(handoff)'") }
        if PersonID(person) == nil {
            throw ValidationError("a person's id is 1 to 40 of a-z, 0-9 and -, not '\(person)'")
        }
        if reason.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty { throw ValidationError("give a reason") }
        if reason.utf8.count > Limits.standard.reasonBytesMax {
            throw ValidationError("the reason has more than \(Limits.standard.reasonBytesMax) bytes")
        }
        if !(1...600).contains(timeout) { throw ValidationError("--timeout takes 1 to 600 seconds") }
    }

    func run() async throws {
        try await plainly {
            guard let person = PersonID(person), let handoff = HandoffID(handoff) else {
                throw ExitCode.validationFailure
            }
            let configuration = try await installation.configuration(parties: [.person(person)])
            let act = id ?? Recall.actID(person, handoff, reason)
            // A repeat must have the same bytes, so no clock is read here; the office uses its own time.
            let event = CloudEvent(
                id: act, source: .person(person), type: .commandRecall, subject: handoff.description,
                time: Instant(microsecondsSinceEpoch: 0), data: CommandRecall(reason: reason))
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
                    verdict, and see \
                    that the feedback worker runs
                    """)
            }
        }
    }

    /// The same id for the same intent, so that a repeat gets the first verdict.
    private static func actID(_ person: PersonID, _ handoff: HandoffID, _ reason: String) -> String {
        "recall-" + Array(SHA256.hash(data: Array("\(person)|\(handoff)|\(reason)".utf8))).hexadecimal.prefix(32)
    }
}
