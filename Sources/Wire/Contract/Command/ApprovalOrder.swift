/// A decision of an office person about a command of another one (审批).
public enum ApprovalOrder: Sendable {
    case approve(ApprovalDecision)
    case reject(ApprovalDecision)
}

/// The data of `command.approve` and `command.reject`: why the person decides so.
public struct ApprovalDecision: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

/// `command.approve`: a command that waits for a second person is carried out. The subject is the approval.
extension MessageType {
    public static let commandApprove = MessageType("bihuan.command.approve.v1")
    public static let commandReject = MessageType("bihuan.command.reject.v1")
}

extension MessageDefinition {
    static let commandApprove = MessageDefinition(
        .commandApprove, from: .person, about: .approval, to: [.routing, .feedback, .deadlines],
        example: ApprovalDecision(reason: "同意"), problem: { .reason($0.reason, $1) }
    ) { .approval(.approve($0)) }

    static let commandReject = MessageDefinition(
        .commandReject, from: .person, about: .approval, to: [.routing, .feedback, .deadlines],
        example: ApprovalDecision(reason: "理由不充分"), problem: { .reason($0.reason, $1) }
    ) { .approval(.reject($0)) }
}
