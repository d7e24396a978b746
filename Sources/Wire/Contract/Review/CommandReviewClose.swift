import Casework

extension MessageType {
    public static let commandReviewClose = MessageType("bihuan.command.review_close.v1")
}

/// The data of `command.review_close`: a report that needs review ends without a handoff, with the reason.
public struct CommandReviewClose: Codable, Hashable, Sendable {
    public enum End: String, CaseIterable, Codable, Hashable, Sendable {
        /// It is outside the scope (业务范围外); `authority` is competent.
        case notAccepted = "not_accepted"
        /// Nothing more follows (予以了结).
        case closed
    }

    public var end: End
    /// A word of the policy; required with `not_accepted`, and only there.
    public var authority: String?
    public var reason: String

    public init(end: End, authority: String? = nil, reason: String) {
        (self.end, self.authority, self.reason) = (end, authority, reason)
    }
}

extension MessageDefinition {
    static let commandReviewClose = MessageDefinition(
        .commandReviewClose, from: .person, about: .report, to: [.routing],
        example: CommandReviewClose(end: .notAccepted, authority: "housing", reason: "属住房保障问题"),
        problem: { data, limits in
            if (data.end == .notAccepted) != (data.authority != nil) {
                return Problem(
                    code: data.authority == nil ? "missing_field" : "bad_value", path: "data.authority",
                    text: "not_accepted names the competent authority, and nothing else does")
            }
            return .reason(data.reason, limits)
        },
        words: { data in data.authority.map { [PolicyWord($0, at: "data.authority", of: .authorities)] } ?? [] }
    ) { .reviewCommand(.close($0)) }
}
