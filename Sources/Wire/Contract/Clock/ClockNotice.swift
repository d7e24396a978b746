public import Basics

/// The data of the notices about a clock (签收提醒, 超期预警): the due time, the step and the rule.
public struct ClockNotice: Codable, Hashable, Sendable {
    public var clock: String
    public var startedAt: Instant
    public var dueAt: Instant
    public var step: Int
    public var rule: String
    public var citation: String?

    public init(clock: String, startedAt: Instant, dueAt: Instant, step: Int, rule: String, citation: String?) {
        self.clock = clock
        self.startedAt = startedAt
        self.dueAt = dueAt
        self.step = step
        self.rule = rule
        self.citation = citation
    }
}

extension MessageType {
    public static let noticeSignDue = MessageType("bihuan.notice.sign_due.v1")
    public static let noticeDueSoon = MessageType("bihuan.notice.due_soon.v1")
    public static let noticeOverdue = MessageType("bihuan.notice.overdue.v1")
    public static let noticeEscalated = MessageType("bihuan.notice.escalated.v1")
}

extension MessageDefinition {
    static let noticeSignDue = clockNotice(.noticeSignDue)
    static let noticeDueSoon = clockNotice(.noticeDueSoon)
    static let noticeOverdue = clockNotice(.noticeOverdue)
    static let noticeEscalated = clockNotice(.noticeEscalated)

    private static func clockNotice(_ type: MessageType) -> MessageDefinition {
        MessageDefinition(
            type, from: .deadlines, about: .handoff, sentTo: [.unitNotice],
            example: ClockNotice(
                clock: "sign", startedAt: Example.moment, dueAt: Example.moment.adding(seconds: 172_800), step: 1,
                rule: "cn-discipline@1/clock-sign", citation: "默认值"))
    }
}
