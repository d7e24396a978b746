extension MessageType {
    public static let handoffSigned = MessageType("bihuan.handoff.signed.v1")
}

/// The data of `handoff.signed` (签收): the unit has received the handoff complete.
public struct HandoffSigned: Codable, Hashable, Sendable {
    /// SHA-256 of the exact body of `handoff.dispatched`, lower-case hexadecimal.
    public var digest: String
    /// The person who signed at the unit, as the unit writes it.
    public var signedBy: String?

    public init(digest: String, signedBy: String? = nil) {
        self.digest = digest
        self.signedBy = signedBy
    }
}

extension MessageDefinition {
    static let handoffSigned = MessageDefinition(
        .handoffSigned, from: .unit, about: .handoff, to: [.feedback],
        example: HandoffSigned(digest: String(repeating: "0a", count: 32), signedBy: "周内勤"),
        problem: { .text($0.signedBy, "data.signedBy", 1...$1.nameBytesMax) }
    ) { .act(.signed($0)) }
}
