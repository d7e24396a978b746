extension MessageType {
    public static let handoffResendRequested = MessageType("bihuan.handoff.resend_requested.v1")
}

/// The data of `handoff.resend_requested`: the handoff is lost, or did not arrive whole. The office sends the same
/// bytes under the same id into the same queue.
public struct HandoffResendRequested: Codable, Hashable, Sendable {
    /// One of `causes`.
    public var cause: String
    public var text: String?

    public static let causes = ["body_incomplete", "digest_differs", "lost"]

    public init(cause: String, text: String? = nil) {
        self.cause = cause
        self.text = text
    }
}

extension MessageDefinition {
    static let handoffResendRequested = MessageDefinition(
        .handoffResendRequested, from: .unit, about: .handoff, to: [.feedback],
        example: HandoffResendRequested(cause: "digest_differs", text: "摘要不符，请重发。"),
        problem: { data, limits in
            guard HandoffResendRequested.causes.contains(data.cause) else {
                return Problem(
                    code: "bad_value", path: "data.cause",
                    text: "must be one of \(HandoffResendRequested.causes.joined(separator: ", "))")
            }
            return .text(data.text, "data.text", 0...limits.textBytesMax)
        }
    ) { .act(.resendRequested($0)) }
}
