extension MessageType {
    public static let handoffReturned = MessageType("bihuan.handoff.returned.v1")
}

/// The data of `handoff.returned` (退回): the handoff is not the unit's, or has no substance.
public struct HandoffReturned: Codable, Hashable, Sendable {
    /// An id from the policy's return reasons.
    public var reason: String
    public var text: String?

    public init(reason: String, text: String? = nil) {
        self.reason = reason
        self.text = text
    }
}

extension MessageDefinition {
    static let handoffReturned = MessageDefinition(
        .handoffReturned, from: .unit, about: .handoff, to: [.feedback],
        example: HandoffReturned(reason: "not_competent", text: "不属本单位管辖。"),
        problem: { .text($0.text, "data.text", 0...$1.textBytesMax) },
        words: { [PolicyWord($0.reason, at: "data.reason", of: .returnReasons)] }
    ) { .act(.returned($0)) }
}
