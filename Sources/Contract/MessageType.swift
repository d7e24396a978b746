/// The types of messages of the closed loop: literal strings with a version, which never change their meaning.
public enum MessageType: String, CaseIterable, Hashable, Sendable, Codable {
    // From a source
    case reportSubmitted = "bihuan.report.submitted.v1"
    // To a source
    case reportAccepted = "bihuan.report.accepted.v1"
    case reportRejected = "bihuan.report.rejected.v1"
    case reportReceived = "bihuan.report.received.v1"
    // From a unit
    case handoffSigned = "bihuan.handoff.signed.v1"
    case handoffReturned = "bihuan.handoff.returned.v1"
    case handoffProgress = "bihuan.handoff.progress.v1"
    case dispositionDecided = "bihuan.disposition.decided.v1"
    case caseFiled = "bihuan.case.filed.v1"
    case caseNotified = "bihuan.case.notified.v1"
    case handoffConcluded = "bihuan.handoff.concluded.v1"
    // To a unit
    case handoffDispatched = "bihuan.handoff.dispatched.v1"
    case handoffRecalled = "bihuan.handoff.recalled.v1"
    case conclusionAccepted = "bihuan.conclusion.accepted.v1"
    case conclusionReturned = "bihuan.conclusion.returned.v1"
    case noticeSignDue = "bihuan.notice.sign_due.v1"
    case noticeDueSoon = "bihuan.notice.due_soon.v1"
    case noticeOverdue = "bihuan.notice.overdue.v1"
    case noticeEscalated = "bihuan.notice.escalated.v1"
    // To anyone
    case messageRefused = "bihuan.message.refused.v1"
    // People and their verdicts
    case commandRecall = "bihuan.command.recall.v1"
    case commandTaken = "bihuan.command.taken.v1"
    // Inside the office: ids only
    case reportRegistered = "bihuan.report.registered.v1"
    case handoffCameBack = "bihuan.handoff.came_back.v1"

    /// The type without `bihuan.` and version, as routing keys use it: `handoff.signed`.
    public var short: String {
        String(rawValue.dropFirst("bihuan.".count).dropLast(".v1".count))
    }

    /// The worker that a command goes to; `nil` for what is no command.
    public var commandOwner: Worker? {
        switch self {
        case .commandRecall: .feedback
        case .reportSubmitted, .reportAccepted, .reportRejected, .reportReceived, .handoffSigned, .handoffReturned,
            .handoffProgress, .dispositionDecided, .caseFiled, .caseNotified, .handoffConcluded, .handoffDispatched,
            .handoffRecalled, .conclusionAccepted, .conclusionReturned, .noticeSignDue, .noticeDueSoon, .noticeOverdue,
            .noticeEscalated, .messageRefused, .commandTaken, .reportRegistered, .handoffCameBack:
            nil
        }
    }

    /// The routing key under which `sender` publishes this type to the office: `unit.u7.handoff.signed`; of a command
    /// `person.li.feedback.recall`.
    public func routingKey(from sender: Party) -> String {
        guard let owner = commandOwner else { return "\(sender).\(short)" }
        return "\(sender).\(owner.rawValue).\(short.dropFirst("command.".count))"
    }
}
