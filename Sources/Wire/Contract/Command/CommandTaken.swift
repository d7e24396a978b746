extension MessageType {
    public static let commandTaken = MessageType("bihuan.command.taken.v1")
}

/// The data of `command.taken`: the command is done, and recorded in the ledger.
public struct CommandTaken: Codable, Hashable, Sendable {
    public var text: String
    public init(text: String) { self.text = text }
}

extension MessageDefinition {
    static let commandTaken = MessageDefinition(
        .commandTaken, from: .feedback, about: .answered, sentTo: [.personReply],
        example: CommandTaken(text: "recalled; the report needs review"))
}
