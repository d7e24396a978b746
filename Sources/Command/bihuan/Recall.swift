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
            Publishes the command as the broker's user of PERSON and waits for the verdict. The unit reads the reason. \
            The same handoff, person and reason are the same act: running the command again gives the same verdict. If \
            the policy asks for a second person, the recall waits as an approval (`bihuan approvals`). Exit 0 if it \
            was accepted, 1 if not.
            """)

    @Argument(help: "The handoff's id.")
    var handoff: String

    @OptionGroup var why: ReasonOption

    @OptionGroup var options: PersonOptions

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if HandoffID(handoff) == nil { throw ValidationError("a handoff's id is a UUID, not '\(handoff)'") }
    }

    func run() async throws {
        try await plainly {
            guard let handoff = HandoffID(handoff) else { throw ExitCode.validationFailure }
            try await options.give(
                "recall", .commandRecall, about: handoff.description, words: [why.reason],
                CommandRecall(reason: why.reason),
                decidedBy: .feedback, in: installation)
        }
    }
}
