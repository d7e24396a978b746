public import Basics

/// The data of `notice.duty`: a duty that the unit owes by the calendar (办结反馈, 每季度一次), and the step of its ladder.
public struct DutyNotice: Codable, Hashable, Sendable {
    /// The row of the policy, and what people call it.
    public var duty: String
    public var name: String
    /// `2026-11` or `2026-Q3`.
    public var period: String
    public var startedAt: Instant
    public var dueAt: Instant
    /// `remind`, `warn`, `overdue` or `escalate`.
    public var action: String
    public var step: Int
    public var rule: String
    public var citation: String?

    public init(
        duty: String, name: String, period: String, startedAt: Instant, dueAt: Instant, action: String, step: Int,
        rule: String, citation: String?
    ) {
        self.duty = duty
        self.name = name
        self.period = period
        self.startedAt = startedAt
        self.dueAt = dueAt
        self.action = action
        self.step = step
        self.rule = rule
        self.citation = citation
    }
}

extension MessageType {
    public static let noticeDuty = MessageType("bihuan.notice.duty.v1")
}

extension MessageDefinition {
    static let noticeDuty = MessageDefinition(
        .noticeDuty, from: .deadlines, about: .duty, sentTo: [.unitNotice],
        example: DutyNotice(
            duty: "duty-quarterly-return", name: "办结反馈", period: "2026-Q1", startedAt: Example.moment,
            dueAt: Example.moment.adding(seconds: 864_000), action: "warn", step: 1,
            rule: "cn-discipline@1/duty-quarterly-return", citation: "默认值"))
}
