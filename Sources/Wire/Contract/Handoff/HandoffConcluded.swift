extension MessageType {
    public static let handoffConcluded = MessageType("bihuan.handoff.concluded.v1")
}

/// The data of `handoff.concluded` (办结).
public struct HandoffConcluded: Codable, Hashable, Sendable {
    /// An id from the policy's outcomes.
    public var outcome: String
    public var summary: String
    /// True if a real-name reporter was answered (实名答复).
    public var reporterAnswered: Bool?

    public init(outcome: String, summary: String, reporterAnswered: Bool? = nil) {
        self.outcome = outcome
        self.summary = summary
        self.reporterAnswered = reporterAnswered
    }
}

extension MessageDefinition {
    static let handoffConcluded = MessageDefinition(
        .handoffConcluded, from: .unit, about: .handoff, to: [.feedback],
        example: HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。", reporterAnswered: true),
        problem: { .text($0.summary, "data.summary", 0...$1.textBytesMax) },
        words: { [PolicyWord($0.outcome, at: "data.outcome", of: .conclusionOutcomes)] }
    ) { .act(.concluded($0)) }
}
