public import Basics
public import Casework

extension MessageType {
    public static let handoffDispatched = MessageType("bihuan.handoff.dispatched.v1")
}

/// The data of `handoff.dispatched`: the content for the unit. Texts are masked; the reporter is not included.
public struct HandoffDispatched: Codable, Hashable, Sendable {
    public var number: String
    /// The kind of handoff, a word of the policy: transfer (移送), send_down (转送), assignment (交办).
    public var kind: String
    public var matterKind: String?
    public var title: String
    public var text: String
    public var region: String?
    public var accused: [Accused]
    public var allegations: [Allegation]
    /// The attachments announced with the report; their bytes are sent separately.
    public var attachments: [Attachment]
    /// The time by which the unit must sign; `nil` if there is none. `rule` is the rule that routed the report.
    public var signBy: Instant?
    public var resultOwed: Bool
    public var rule: String

    public init(
        number: String, kind: String, matterKind: String?, title: String, text: String, region: String?,
        accused: [Accused], allegations: [Allegation], attachments: [Attachment], signBy: Instant?, resultOwed: Bool,
        rule: String
    ) {
        self.number = number
        self.kind = kind
        self.matterKind = matterKind
        self.title = title
        self.text = text
        self.region = region
        self.accused = accused
        self.allegations = allegations
        self.attachments = attachments
        self.signBy = signBy
        self.resultOwed = resultOwed
        self.rule = rule
    }
}

extension MessageDefinition {
    static let handoffDispatched = MessageDefinition(
        .handoffDispatched, from: .routing, about: .handoff, sentTo: [.unitInbox],
        example: HandoffDispatched(
            number: "2026-00000001", kind: "transfer", matterKind: "accusation", title: "举报张三贪污",
            text: "反映张三虚报冒领。", region: "p-c01", accused: Example.accused, allegations: Example.allegations,
            attachments: Example.attachments, signBy: Instant("2026-03-04T08:00:00Z"), resultOwed: true,
            rule: "cn-discipline@1/route-city"))
}
