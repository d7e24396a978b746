extension MessageType {
    public static let handoffRecalled = MessageType("bihuan.handoff.recalled.v1")
}

/// The data of `handoff.recalled`: the unit no longer has the handoff.
public struct HandoffRecalled: Codable, Hashable, Sendable {
    /// `recalled` (by a person of the office) or `return_approved`.
    public var cause: String
    public var reason: String

    public init(cause: String, reason: String) {
        self.cause = cause
        self.reason = reason
    }
}

extension MessageDefinition {
    static let handoffRecalled = MessageDefinition(
        .handoffRecalled, from: .feedback, about: .handoff, sentTo: [.unitInbox],
        example: HandoffRecalled(cause: "return_approved", reason: "同意退回，另行分流"))
}
