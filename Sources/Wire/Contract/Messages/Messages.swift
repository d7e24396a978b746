/// Every type of message, one line each.
extension MessageDefinition {
    public static let all: [MessageDefinition] = [
        // Sources
        reportSubmitted, attachmentPart, reportAccepted, reportRejected, reportReceived,
        // Units
        handoffDispatched, handoffSigned, handoffReturned, handoffProgress, dispositionDecided, caseFiled, caseNotified,
        handoffConcluded, handoffRecalled, conclusionAccepted, conclusionReturned,
        noticeSignDue, noticeDueSoon, noticeOverdue, noticeEscalated,
        // Persons
        commandRecall, commandReplay, commandDiscard, commandTaken,
        // Anyone
        messageRefused,
        // Inside the office: ids only
        reportRegistered, handoffCameBack,
    ]

    static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.type.rawValue, $0) })
}

extension Message {
    /// What a message says, by family. A desk reads some families whole, and no other.
    public enum Body: Sendable {
        case submitted(Submitted)
        case act(HandoffAct)
        case handoffCommand(HandoffCommand)
        case deadLetter(DeadLetterOrder)
        case note(InternalNote)
    }
}
