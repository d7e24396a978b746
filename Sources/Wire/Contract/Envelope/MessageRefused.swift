extension MessageType {
    public static let messageRefused = MessageType("bihuan.message.refused.v1")
}

/// The data of `message.refused`: nothing was changed, and why.
public struct MessageRefused: Codable, Hashable, Sendable {
    /// The type that was refused, as it was written; absent where it could not be read, or does not look like one.
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
