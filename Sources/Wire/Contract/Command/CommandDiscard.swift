extension MessageType {
    public static let commandDiscard = MessageType("bihuan.command.discard.v1")
}

/// The data of `command.discard`: a dead letter needs no further action, with the reason.
public struct CommandDiscard: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

extension MessageDefinition {
    static let commandDiscard = MessageDefinition(
        .commandDiscard, from: .person, about: .deadLetter, to: Worker.allCases,
        example: CommandDiscard(reason: "来文单位已重新发送"), problem: { .reason($0.reason, $1) }
    ) { .deadLetter(.discard($0)) }
}
