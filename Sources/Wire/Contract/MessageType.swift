/// The types of messages of the closed loop: literal strings with a version, which never change their meaning.
public enum MessageType: String, CaseIterable, Hashable, Sendable, Codable {
    // From a source
    case reportSubmitted = "bihuan.report.submitted.v1"
    case attachmentPart = "bihuan.attachment.part.v1"
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
    case commandReplay = "bihuan.command.replay.v1"
    case commandDiscard = "bihuan.command.discard.v1"
    case commandTaken = "bihuan.command.taken.v1"
    // Inside the office: ids only
    case reportRegistered = "bihuan.report.registered.v1"
    case handoffCameBack = "bihuan.handoff.came_back.v1"

    /// The type without `bihuan.` and version, as routing keys use it: `handoff.signed`.
    public var short: String {
        String(rawValue.dropFirst("bihuan.".count).dropLast(".v1".count))
    }

    /// What was written as the type of a message, where it looks like one, known or not. What does not is repeated
    /// nowhere: it may be of any length, and a column that slipped may have put a name there.
    public static func repeatable(_ text: String?) -> String? {
        guard let text, (1...100).contains(text.utf8.count),
            text.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2E
                    || $0 == 0x5F || $0 == 0x2D
            })
        else { return nil }
        return text
    }

    /// The workers that hear a command: of a dead letter the one whose lane buried it. Empty for what is no command.
    public var commandOwners: [Worker] {
        switch self {
        case .commandRecall: [.feedback]
        case .commandReplay, .commandDiscard: Worker.allCases
        case .reportSubmitted, .attachmentPart, .reportAccepted, .reportRejected, .reportReceived, .handoffSigned,
            .handoffReturned, .handoffProgress, .dispositionDecided, .caseFiled, .caseNotified, .handoffConcluded,
            .handoffDispatched, .handoffRecalled, .conclusionAccepted, .conclusionReturned, .noticeSignDue,
            .noticeDueSoon,
            .noticeOverdue, .noticeEscalated, .messageRefused, .commandTaken, .reportRegistered, .handoffCameBack:
            []
        }
    }

    /// The routing keys under which `sender` may publish this type to the office: `unit.u7.handoff.signed`; of a
    /// command `person.li.feedback.recall`, one for each worker that hears it.
    public func routingKeys(from sender: Party) -> [String] {
        guard !commandOwners.isEmpty else { return ["\(sender).\(short)"] }
        return commandOwners.map { "\(sender).\($0.rawValue).\(short.dropFirst("command.".count))" }
    }

    /// The routing key where there is one only; of a command that several workers hear, the key for `owner`.
    public func routingKey(from sender: Party, owner: Worker? = nil) -> String {
        let keys = routingKeys(from: sender)
        guard let owner, let index = commandOwners.firstIndex(of: owner) else { return keys[0] }
        return keys[index]
    }
}

/// Types that the contract describes and this version of the office does not handle yet. One that sends them is told
/// so.
public enum PlannedMessageType: String, CaseIterable, Hashable, Sendable {
    // From a unit
    case handoffResendRequested = "bihuan.handoff.resend_requested.v1"
    case clueOpened = "bihuan.clue.opened.v1"
    case reporterAnswered = "bihuan.reporter.answered.v1"
    case extensionRequested = "bihuan.extension.requested.v1"
    case identityRequested = "bihuan.identity.requested.v1"
    case returnSubmitted = "bihuan.return.submitted.v1"
    case returnPart = "bihuan.return.part.v1"
    case statementReplied = "bihuan.statement.replied.v1"
    case statementPart = "bihuan.statement.part.v1"
    case supervisionReplied = "bihuan.supervision.replied.v1"
    // From the office
    case handoffSupplemented = "bihuan.handoff.supplemented.v1"
    case extensionDecided = "bihuan.extension.decided.v1"
    case identityDisclosed = "bihuan.identity.disclosed.v1"
    case identityRefused = "bihuan.identity.refused.v1"
    case statementOpened = "bihuan.statement.opened.v1"
    case statementClosed = "bihuan.statement.closed.v1"
    case supervisionOpened = "bihuan.supervision.opened.v1"
    case repeatsDigest = "bihuan.repeats.digest.v1"
    case upstreamReport = "bihuan.upstream.report.v1"
    case checkpointPublished = "bihuan.checkpoint.published.v1"
}
