/// One thing that is wrong with the office, as `status` and the page show it. Each has an alert of the same name in
/// deploy/monitoring, with the same bound.
public struct Trouble: Sendable, Equatable, Codable {
    public enum Kind: String, CaseIterable, Sendable, Codable {
        case databaseUnreadable = "BihuanDatabaseUnreadable"
        case queuesUnreadable = "BihuanQueuesUnreadable"
        case queueDown = "BihuanQueueDown"
        case queueUnread = "BihuanQueueWithoutConsumer"
        case queueLong = "BihuanQueueLong"
        case workerMissing = "BihuanWorkerMissing"
        case queuesUnleased = "BihuanQueuesUnleased"
        case outboxOld = "BihuanOutboxOld"
        case sweepLate = "BihuanClockStepsLate"
        case clocksSetAside = "BihuanClocksSetAside"
        case deadLetters = "BihuanDeadLetters"
        case deferredOld = "BihuanDeferredOld"
        case unsignedOld = "BihuanHandoffUnsigned"
        case overdue = "BihuanClocksOverdue"
        case changesHeld = "BihuanChangeLogHeld"
        case checkpointOld = "BihuanCheckpointOld"
    }

    public enum Severity: String, Sendable, Codable { case critical, warning }

    public let kind: Kind
    /// What it is about: names of queues, units or workers; at most a few.
    public let subjects: [String]
    /// An amount, or an age in seconds.
    public let value: Double

    public var severity: Severity { kind.severity }
}

extension Trouble.Kind {
    public var severity: Trouble.Severity {
        switch self {
        case .databaseUnreadable, .queuesUnreadable, .queueDown, .queueUnread, .workerMissing, .outboxOld, .sweepLate:
            .critical
        default: .warning
        }
    }

    /// The bound beyond which it is trouble: an amount, or seconds.
    public var bound: Double {
        switch self {
        case .queueLong: 1_000
        case .outboxOld: 60
        case .sweepLate: 120
        case .deferredOld: 300
        case .unsignedOld: 3 * 86_400
        case .checkpointOld: 2 * 86_400
        case .changesHeld: 0
        default: 0
        }
    }
}

extension OfficeView {
    /// What is wrong, the worst first.
    public var troubles: [Trouble] {
        var found: [Trouble] = []
        func note(_ kind: Trouble.Kind, _ subjects: [String], _ value: Double) {
            found.append(Trouble(kind: kind, subjects: subjects, value: value))
        }
        if database == nil { note(.databaseUnreadable, [], 1) }
        if queues == nil { note(.queuesUnreadable, [], 1) }
        let queues = queues ?? []
        func note(_ kind: Trouble.Kind, _ queues: [Queue]) {
            if !queues.isEmpty { note(kind, queues.map(\.name), Double(queues.count)) }
        }
        note(.queueDown, queues.filter { $0.state != .up })
        note(.queueUnread, queues.filter { $0.state == .up && $0.wantsConsumer && $0.consumers == 0 })
        let long = queues.filter { Double($0.messages ?? 0) > Trouble.Kind.queueLong.bound }
        if let longest = long.compactMap(\.messages).max() { note(.queueLong, long.map(\.name), Double(longest)) }
        if let database { found += database.troubles }
        return found.enumerated().sorted {
            ($0.element.severity == .critical ? 0 : 1, $0.offset) < (
                $1.element.severity == .critical ? 0 : 1, $1.offset
            )
        }.map(\.element)
    }
}

extension OfficeView.Database {
    fileprivate var troubles: [Trouble] {
        var found: [Trouble] = []
        func note(_ kind: Trouble.Kind, _ subjects: [String], _ value: Double) {
            if value > kind.bound { found.append(Trouble(kind: kind, subjects: subjects, value: value)) }
        }
        let missing = lanes.filter { $0.count == 0 }.map(\.name)
        note(.workerMissing, missing, Double(missing.count))
        let unread = unleased.filter { $0.count > 0 }
        note(.queuesUnleased, unread.map(\.name), Double(unread.reduce(0) { $0 + $1.count }))
        note(.outboxOld, [], outboxAge)
        note(.sweepLate, [], stepAge)
        note(.clocksSetAside, [], Double(clocksSetAside))
        note(
            .deadLetters, deadLetters.filter { $0.count > 0 }.map(\.name),
            Double(deadLetters.reduce(0) { $0 + $1.count }))
        note(.deferredOld, [], deferredAge)
        let late = unsigned.filter { $0.age > Trouble.Kind.unsignedOld.bound }.sorted { $0.age > $1.age }
        note(.unsignedOld, late.map(\.unit), late.first?.age ?? 0)
        note(.overdue, [], Double(overdue))
        let held = readers.filter { $0.held > 0 }
        note(.changesHeld, held.map(\.holder), Double(held.map(\.held).max() ?? 0))
        note(.checkpointOld, [], checkpointAge ?? 0)
        return found
    }
}
