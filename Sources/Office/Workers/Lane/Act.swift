import Basics
import CaseStore
import Casework
import Contract

/// One act of a unit or a person.
struct Act: Sendable {
    let key: InboxKey
    let message: Message
    /// Whose act it is; of an approved command the person who asked for it.
    let sender: Party
    /// The body as it arrived; empty for a message that was deferred.
    var body: [UInt8] = []
    /// The approval by which a command is carried out.
    var approval: ApprovalID?
}

extension Act {
    init?(_ inbound: InboundMessage) {
        guard case .message(let message) = inbound.content else { return nil }
        self.init(key: inbound.key, message: message, sender: message.envelope.source, body: inbound.arrival.body)
    }
}

extension InboundMessage {
    /// The approval that a person decides.
    var approval: ApprovalID? {
        guard case .message(let message) = content, case .approval = message.body else { return nil }
        return ApprovalID(message.envelope.subject)
    }

    /// Whether a person commands something that may need the approval of another.
    var isCommand: Bool {
        guard case .message(let message) = content else { return false }
        switch message.body {
        case .handoffCommand, .reviewCommand, .policyCommand, .approval: return true
        case .submitted, .act, .dutyCommand, .deadLetter, .note: return false
        }
    }
}
