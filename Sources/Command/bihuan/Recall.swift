import ArgumentParser
import Basics
import Casework
import Contract
import Foundation
import Installation
import Terminal

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

    @OptionGroup var options: PersonOptions

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if HandoffID(handoff) == nil { throw ValidationError("a handoff's id is a UUID, not '\(handoff)'") }
        if reason.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty { throw ValidationError("give a reason") }
        if reason.utf8.count > Limits.standard.reasonBytesMax {
            throw ValidationError("the reason has more than \(Limits.standard.reasonBytesMax) bytes")
        }
    }

    func run() async throws {
        try await plainly {
            guard let handoff = HandoffID(handoff) else { throw ExitCode.validationFailure }
            try await options.give(
                "recall", .commandRecall, about: handoff.description, words: [reason], CommandRecall(reason: reason),
                decidedBy: .feedback, in: installation)
        }
    }
}
