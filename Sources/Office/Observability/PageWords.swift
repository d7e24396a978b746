import Casework
import Contract

/// The words of the page. Both languages stand side by side, so that neither is forgotten.
struct PageWords {
    let language: PageLanguage

    func callAsFunction(_ english: String, _ chinese: String) -> String {
        switch language {
        case .english: english
        case .chinese: chinese
        }
    }

    // MARK: Amounts

    static let unknown = "–"

    /// At most seven digits, so that it fits its place in the picture.
    func amount(_ number: Int) -> String {
        let magnitude = number.magnitude
        if magnitude < 1_000_000 { return Self.grouped(number) }
        return switch language {
        case .english:
            magnitude < 1_000_000_000
                ? "\(Self.short(Double(number) / 1e6)) M" : "\(Self.short(Double(number) / 1e9)) G"
        case .chinese:
            magnitude < 100_000_000
                ? "\(Self.short(Double(number) / 1e4)) 万" : "\(Self.short(Double(number) / 1e8)) 亿"
        }
    }

    func amount(_ number: Int?) -> String { number.map { amount($0) } ?? Self.unknown }

    /// What is not known is never shown as nothing.
    func amount(_ depth: QueueDepth) -> String {
        guard let messages = depth.atLeast else { return Self.unknown }
        return (depth.unknown > 0 ? "≥ " : "") + amount(messages)
    }

    /// A number that may have a fraction, such as a rate.
    func amount(_ number: Double) -> String {
        number < 10 && number != number.rounded()
            ? Self.short(number) : amount(Int(min(max(number, -1e15), 1e15).rounded()))
    }

    func perMinute(_ rate: Double?) -> String {
        let amount = rate.map { self.amount($0) } ?? Self.unknown
        return self("\(amount) / min", "\(amount) / 分钟")
    }

    func unknown(_ part: Int, of whole: Int) -> String {
        self("\(amount(part)) of \(amount(whole)) unknown", "\(amount(part))/\(amount(whole)) 未知")
    }

    /// An English noun with its number.
    func counted(_ number: Int, _ one: String, _ many: String) -> String {
        "\(amount(number)) \(number == 1 ? one : many)"
    }

    /// The two largest units.
    func age(_ seconds: Double) -> String {
        let seconds = Int(min(max(seconds, 0), 1e12))
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
        func joined(_ large: String, _ small: Int, _ unit: String) -> String {
            small == 0 ? large : "\(large) \(small) \(unit)"
        }
        if days > 0 {
            return joined("\(amount(days)) \(self("d", "天"))", days > 9 ? 0 : hours % 24, self("h", "小时"))
        }
        if hours > 0 { return joined("\(hours) \(self("h", "小时"))", minutes % 60, self("min", "分")) }
        return minutes > 0 ? "\(minutes) \(self("min", "分钟"))" : "\(seconds) \(self("s", "秒"))"
    }

    /// The largest unit alone, where there is little room.
    func shortAge(_ seconds: Double?) -> String {
        guard let seconds else { return Self.unknown }
        let unit = [86_400.0, 3600, 60].first { seconds >= $0 } ?? 1
        return age((seconds / unit).rounded(.down) * unit)
    }

    func age(_ seconds: Double?) -> String { seconds.map { age($0) } ?? Self.unknown }

    private static func grouped(_ number: Int) -> String {
        var digits = String(number.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// One decimal below 100, and none above.
    private static func short(_ number: Double) -> String {
        let number = min(max(number, -1e15), 1e15)
        guard abs(number) < 99.95 else { return grouped(Int(number.rounded())) }
        let tenths = Int((abs(number) * 10).rounded())
        return (number < 0 ? "-" : "") + "\(tenths / 10)" + (tenths % 10 == 0 ? "" : ".\(tenths % 10)")
    }

    // MARK: Names

    func worker(_ name: String) -> String {
        switch Worker(rawValue: name) {
        case .intake: self("intake", "受理登记")
        case .routing: self("routing", "分流")
        case .deadlines: self("deadlines", "催办")
        case .feedback: self("feedback", "反馈")
        case nil: name
        }
    }

    func report(_ state: ReportState) -> String {
        switch state {
        case .registered: self("registered", "已登记")
        case .needsReview: self("needs review", "待人工审看")
        case .linkedAsRepeat: self("repeat", "重复件")
        case .notAccepted: self("not accepted", "不予受理")
        case .referred: self("referred", "已转办")
        case .passedUp: self("passed up", "已上报")
        case .routed: self("routed", "已分流")
        case .inHand: self("in hand", "办理中")
        case .concluded: self("concluded", "已报结")
        case .closed: self("closed", "已办结")
        }
    }

    func handoff(_ state: HandoffState) -> String {
        switch state {
        case .awaitingApproval: self("awaiting approval", "待批准")
        case .released: self("released", "已发出")
        case .dispatched: self("delivered, unsigned", "已送达待签收")
        case .signed: self("signed", "已签收")
        case .inHand: self("in hand", "办理中")
        case .caseFiled: self("case filed", "已立案")
        case .concluded: self("concluded", "已报结")
        case .closed: self("closed", "已办结")
        case .returned: self("returned", "已退回")
        case .recalled: self("recalled", "已撤回")
        case .undeliverable: self("undeliverable", "无法送达")
        }
    }

    func measure(_ measure: OfficeHistory.Measure) -> String {
        switch measure {
        case .submit: self("Wait for intake", "待受理")
        case .routing: self("Wait for routing", "待分流")
        case .inbox: self("In units’ inboxes", "待承办单位收取")
        case .acts: self("Wait for feedback", "待处理反馈")
        case .notice: self("Notices not taken", "未收取通知")
        case .command: self("Commands", "待执行指令")
        case .outbox: self("Outbox", "待发消息")
        case .unsigned: self("Unsigned handoffs", "未签收移交件")
        case .overdue: self("Overdue", "超期")
        case .reportRate: self("Reports / min", "每分钟登记")
        case .handoffRate: self("Handoffs / min", "每分钟移交")
        case .actRate: self("Acts / min", "每分钟反馈")
        case .outboxRate: self("Messages / min", "每分钟发出消息")
        case .stepRate: self("Deadline steps / min", "每分钟催办步骤")
        }
    }

    // MARK: Severity

    /// A mark and a word, since a colour alone does not reach everybody.
    func severity(_ severity: Trouble.Severity) -> String {
        switch severity {
        case .critical: self("✖ Critical", "✖ 严重")
        case .warning: self("▲ Warning", "▲ 警告")
        }
    }
}
