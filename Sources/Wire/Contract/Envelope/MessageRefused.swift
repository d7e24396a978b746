extension MessageType {
    public static let messageRefused = MessageType("bihuan.message.refused.v1")
}

/// The data of `message.refused`: the message changed nothing, with the reasons.
public struct MessageRefused: Codable, Hashable, Sendable {
    /// The type of the refused message as written; absent if it could not be read, or does not look like a type.
    public var refusedType: String?
    public var problems: [Problem]

    public init(refusedType: String?, problems: [Problem]) {
        self.refusedType = refusedType
        self.problems = problems
    }
}

extension MessageDefinition {
    static let messageRefused = MessageDefinition(
        .messageRefused, from: .feedback, about: .answered, sentTo: [.unitNotice, .sourceNotice, .personReply],
        example: MessageRefused(refusedType: "bihuan.handoff.signed.v9", problems: Example.problems))
}
