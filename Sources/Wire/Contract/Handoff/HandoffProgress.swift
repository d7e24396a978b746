extension MessageType {
    public static let handoffProgress = MessageType("bihuan.handoff.progress.v1")
}

/// The data of `handoff.progress`.
public struct HandoffProgress: Codable, Hashable, Sendable {
    public var text: String
    public init(text: String) { self.text = text }
}

extension MessageDefinition {
    static let handoffProgress = MessageDefinition(
        .handoffProgress, from: .unit, about: .handoff, to: [.feedback],
        example: HandoffProgress(text: "已谈话两人。"),
        problem: { .text($0.text, "data.text", 0...$1.textBytesMax) }
    ) { .act(.progressed($0)) }
}
