/// All message types, grouped by the outside party that sends or receives them.
extension MessageDefinition {
    public static let all: [MessageDefinition] = [
        // Sources
        reportSubmitted, attachmentPart, reportAccepted, reportRejected, reportReceived,
        // Units
        handoffDispatched, handoffSigned, handoffReturned, handoffProgress, dispositionDecided, caseFiled, caseNotified,
        handoffConcluded, handoffResendRequested, handoffRecalled, conclusionAccepted, conclusionReturned,
        noticeSignDue, noticeDueSoon, noticeOverdue, noticeEscalated, noticeDuty,
        // Persons
        commandRecall, commandReviewRead, commandReviewRoute, commandReviewClose, commandPolicyActivate, commandApprove,
        commandReject, commandDutyDone, commandReplay, commandDiscard, commandTaken, reviewContents,
        // Anyone
        messageRefused,
        // Inside the office: ids only
        reportRegistered, handoffCameBack,
    ]

    static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.type.rawValue, $0) })
}

extension Message {
    /// The content of a message, by family. A desk reads some families completely, and no other.
    public enum Body: Sendable {
        case submitted(Submitted)
        case act(HandoffAct)
        case handoffCommand(HandoffCommand)
        case reviewCommand(ReviewCommand)
        case policyCommand(PolicyCommand)
        case approval(ApprovalOrder)
        case dutyCommand(DutyCommand)
        case deadLetter(DeadLetterOrder)
        case note(InternalNote)
    }
}
