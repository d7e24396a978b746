public import Casework

extension MessageType {
    public static let reportAccepted = MessageType("bihuan.report.accepted.v1")
}

/// The data of `report.accepted`: the report stands in the books.
public struct ReportAccepted: Codable, Hashable, Sendable {
    /// The office's number, or of a sealed pass-through the envelope number.
    public var number: String
    public var state: ReportState
    /// The row of the policy that decided (invariant 9).
    public var rule: String?
    /// Who is competent, where the office is not.
    public var authority: String?
    /// How many announced papers are not here whole; absent where none is missing.
    public var papersPending: Int?

    public init(
        number: String, state: ReportState, rule: String? = nil, authority: String? = nil, papersPending: Int? = nil
    ) {
        self.number = number
        self.state = state
        self.rule = rule
        self.authority = authority
        self.papersPending = papersPending
    }
}

extension MessageDefinition {
    static let reportAccepted = MessageDefinition(
        .reportAccepted, from: .intake, about: .submission, sentTo: [.sourceNotice],
        example: ReportAccepted(
            number: "2026-00000001", state: .notAccepted, rule: "cn-discipline@1/scope-web", authority: "housing"))
}
