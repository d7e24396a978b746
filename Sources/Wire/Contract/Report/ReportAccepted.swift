public import Casework

extension MessageType {
    public static let reportAccepted = MessageType("bihuan.report.accepted.v1")
}

/// The data of `report.accepted`: the report is registered.
public struct ReportAccepted: Codable, Hashable, Sendable {
    /// The office's number, or the envelope number of a sealed pass-through.
    public var number: String
    public var state: ReportState
    /// The deciding row of the policy (invariant 9).
    public var rule: String?
    /// The competent authority, if the office is not competent.
    public var authority: String?
    /// The number of announced attachments that are not complete yet; absent if none is missing.
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
