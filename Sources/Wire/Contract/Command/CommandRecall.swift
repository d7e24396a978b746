extension MessageType {
    public static let commandRecall = MessageType("bihuan.command.recall.v1")
}

/// The data of `command.recall`: the office takes a handoff back, with the reason.
public struct CommandRecall: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

extension MessageDefinition {
    static let commandRecall = MessageDefinition(
        .commandRecall, from: .person, about: .handoff, to: [.feedback], example: CommandRecall(reason: "交办单位有误"),
        problem: { .reason($0.reason, $1) }
    ) { .handoffCommand(.recall($0)) }
}
