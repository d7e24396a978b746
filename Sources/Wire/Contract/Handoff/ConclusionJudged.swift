/// The data of `conclusion.accepted` and `conclusion.returned`: the office's decision on a conclusion, and its rule.
public struct ConclusionJudged: Codable, Hashable, Sendable {
    public var rule: String
    public var text: String

    public init(rule: String, text: String) {
        self.rule = rule
        self.text = text
    }
}

extension MessageType {
    public static let conclusionAccepted = MessageType("bihuan.conclusion.accepted.v1")
    public static let conclusionReturned = MessageType("bihuan.conclusion.returned.v1")
}

extension MessageDefinition {
    static let conclusionAccepted = conclusion(.conclusionAccepted)
    static let conclusionReturned = conclusion(.conclusionReturned)

    private static func conclusion(_ type: MessageType) -> MessageDefinition {
        MessageDefinition(
            type, from: .feedback, about: .handoff, sentTo: [.unitNotice],
            example: ConclusionJudged(rule: "cn-discipline@1/conclusion-accepted", text: "同意办结"))
    }
}
