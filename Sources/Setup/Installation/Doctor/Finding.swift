import Basics
import Terminal

/// One thing that a check found.
package struct Finding: Sendable, Equatable {
    /// The worst first.
    package enum Severity: String, Sendable, CaseIterable, Comparable {
        /// Something does not work, or something may be lost.
        case error
        /// It works, but not for long, or not as it should.
        case warning
        /// What was to be asked could not be asked: it may be right or wrong.
        case unknown
        /// This way in cannot tell it; another can.
        case untold
        /// Worth knowing, and nothing wrong.
        case note

        package static func < (left: Self, right: Self) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    package let severity: Severity
    package let text: String
    /// What to do; nothing for a note.
    package let advice: String?

    package static func wrong(_ text: String, do advice: String) -> Finding {
        Finding(severity: .error, text: text, advice: advice)
    }

    package static func risky(_ text: String, do advice: String) -> Finding {
        Finding(severity: .warning, text: text, advice: advice)
    }

    package static func unknown(_ reason: String, do advice: String? = nil) -> Finding {
        Finding(severity: .unknown, text: "could not be asked: \(reason)", advice: advice)
    }

    package static func untold(_ text: String, do advice: String? = nil) -> Finding {
        Finding(severity: .untold, text: "not told by this way in: \(text)", advice: advice)
    }

    package static func note(_ text: String) -> Finding { Finding(severity: .note, text: text, advice: nil) }

    /// An error as a finding. Its text ends with what to do, behind the last colon that stands in no brackets.
    package static func told(_ severity: Severity, _ error: any Error) -> Finding {
        let text = UserError(error).description
        var depth = 0
        for index in text.indices.reversed() {
            switch text[index] {
            case ")": depth += 1
            case "(": depth -= 1
            case ":" where depth == 0 && text[text.index(after: index)...].hasPrefix(" "):
                let advice = text[text.index(index, offsetBy: 2)...]
                return Finding(severity: severity, text: String(text[..<index]), advice: String(advice))
            default: break
            }
        }
        return Finding(severity: severity, text: text, advice: "see docs/doctor.md")
    }
}

/// Thrown by a check whose way in does not lead there.
struct NotTold: Error {
    let text: String
    let advice: String?
}

/// One question to an installation: a row of the list that docs/doctor.md shows.
package struct DoctorCheck: Sendable {
    /// What it must be able to ask.
    package enum Need: String, Sendable {
        case files = "files of this machine"
        case database = "the database"
        /// Beside the roles of commands, those whose passwords are here.
        case logins = "passwords of roles"
        case broker = "passwords of broker users"
        /// rabbitmqctl or the management interface.
        case control = "the broker's control"
        case policy = "an active policy"
    }

    /// `group.name`.
    package let id: String
    /// What it looks at.
    package let title: String
    package let needs: [Need]
    /// - Throws: what kept it from asking; it then is unknown.
    let run: @Sendable (Patient) throws -> [Finding]

    init(
        _ id: String, _ title: String, needs: [Need], _ run: @escaping @Sendable (Patient) throws -> [Finding]
    ) {
        self.id = id
        self.title = title
        self.needs = needs
        self.run = run
    }

    /// Every check, group by group.
    package static let all =
        configuration + certificates + database + databaseHealth + broker + brokerQueues + office + officeRules
        + secrets
}
