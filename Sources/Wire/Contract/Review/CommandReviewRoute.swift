public import Basics

extension MessageType {
    public static let commandReviewRoute = MessageType("bihuan.command.review_route.v1")
}

/// The data of `command.review_route`: a report that needs review is handed off, with the reason.
public struct CommandReviewRoute: Codable, Hashable, Sendable {
    /// With `kind`: the unit that gets it. Without both: the rules decide again, and no unit gets it from which it was
    /// taken back.
    public var unit: UnitID?
    /// The handoff kind, a word of the policy.
    public var kind: String?
    public var reason: String

    public init(unit: UnitID? = nil, kind: String? = nil, reason: String) {
        (self.unit, self.kind, self.reason) = (unit, kind, reason)
    }
}

extension MessageDefinition {
    static let commandReviewRoute = MessageDefinition(
        .commandReviewRoute, from: .person, about: .report, to: [.routing],
        example: CommandReviewRoute(unit: UnitID(unchecked: "d1"), kind: "transfer", reason: "属该室监督检查范围"),
        problem: { data, limits in
            if (data.unit == nil) != (data.kind == nil) {
                return Problem(
                    code: "missing_field", path: data.unit == nil ? "data.unit" : "data.kind",
                    text: "unit and kind stand together; without both the rules decide again")
            }
            return .reason(data.reason, limits)
        },
        words: { data in data.kind.map { [PolicyWord($0, at: "data.kind", of: .handoffKinds)] } ?? [] }
    ) { .reviewCommand(.route($0)) }
}
