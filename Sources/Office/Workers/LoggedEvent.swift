package import Logging

/// One event in a worker's log, with its values.
///
/// Workers write to the log only through this type. `docs/logs.md` has the same list for operators; a test
/// compares the two.
package struct LoggedEvent {
    let kind: Kind
    let level: Logger.Level
    let message: String
    let metadata: [Field: String]

    private init(
        _ kind: Kind, _ metadata: [Field: String] = [:], level: Logger.Level? = nil, message: String? = nil
    ) {
        self.kind = kind
        self.level = level ?? kind.level ?? .info
        self.message = message ?? kind.rawValue
        self.metadata = metadata
    }

    /// The name of a value in a log line.
    enum Field: String {
        case attempts, cause, code, host, item, keys, lanes, level, messages, name, policy, port, queue, severity, what,
            work
    }
}

extension Logger {
    /// Logs an event. A worker's log has no other lines.
    package func log(_ event: LoggedEvent) {
        let metadata = event.metadata.map { ($0.key.rawValue, Logger.MetadataValue.string($0.value)) }
        log(level: event.level, "\(event.message)", metadata: Dictionary(metadata) { first, _ in first })
    }
}

// MARK: The list

extension LoggedEvent {
    /// All events, by the text of the log line. `N` stands for a number.
    ///
    /// Numbers of what happens are metrics: `Metric`.
    enum Kind: String, CaseIterable {
        case laneReady = "lane ready"
        case laneDrained = "lane drained"
        case laneEndedEarly = "lane ended before it was drained"
        case laneInterrupted = "lane interrupted"
        case laneStoodStill = "this lane stood still: others send what it had not sent"
        case deadLaneAdopted = "sending what a dead lane left"
        case waitingForDatabase = "waiting for the database"
        case installationFault = "installation fault"
        case faultEnded = "fault ended after N s"
        case attemptFailed = "attempt failed"
        case batchFailed = "batch failed"
        case messageSetAside = "message set aside"
        case caseSetAside = "case set aside"
        case setAside = "set aside"
        case outboxRowNotSettled = "an outbox row cannot be settled"
        case queueParked = "a queue takes no messages: those for it wait"
        case queueFreed = "a queue takes messages again"
        case queuesMissing = "queues of parties do not exist at the broker"
        case policyChanged = "another policy decides"
        case directoryUnreadable = "the directory cannot be read"
        case databaseNotice = "notice from the database"
        case notProtected = "not protected"
        case monitorListens = "the monitor listens"
        case configurationReloaded = "the configuration was read again"
        case configurationNotReloaded = "the configuration cannot be read again"
    }
}

extension LoggedEvent.Kind {
    /// `nil` if each event has its own level.
    var level: Logger.Level? {
        switch self {
        case .attemptFailed: .debug
        case .laneReady, .laneDrained, .deadLaneAdopted, .monitorListens: .info
        case .laneEndedEarly, .waitingForDatabase, .faultEnded, .queueFreed, .policyChanged, .configurationReloaded:
            .notice
        case .laneInterrupted, .laneStoodStill, .queueParked, .queuesMissing, .notProtected,
            .configurationNotReloaded:
            .warning
        case .installationFault, .batchFailed, .messageSetAside, .caseSetAside, .setAside, .outboxRowNotSettled,
            .directoryUnreadable:
            .error
        case .databaseNotice: nil
        }
    }

    /// The values that each line of this kind has, in addition to the lane's name.
    var fields: [LoggedEvent.Field] {
        switch self {
        case .laneReady, .laneDrained: []
        case .laneEndedEarly, .setAside, .outboxRowNotSettled, .directoryUnreadable: [.cause]
        case .laneInterrupted: [.attempts, .cause]
        case .laneStoodStill: [.name]
        case .deadLaneAdopted: [.lanes]
        case .waitingForDatabase, .installationFault: [.work, .attempts, .cause]
        case .faultEnded: [.work, .attempts]
        case .attemptFailed: [.work, .cause]
        case .batchFailed: [.messages, .cause]
        case .messageSetAside, .queueParked: [.queue, .cause]
        case .caseSetAside: [.item, .cause]
        case .queueFreed, .queuesMissing: [.queue]
        case .policyChanged: [.policy]
        case .databaseNotice: [.severity, .code]
        case .notProtected: [.what]
        case .monitorListens: [.host, .port]
        case .configurationReloaded: [.level, .keys]
        case .configurationNotReloaded: [.cause]
        }
    }
}

// MARK: Lanes

extension LoggedEvent {
    static let laneReady = LoggedEvent(.laneReady)
    static let laneDrained = LoggedEvent(.laneDrained)

    static func laneEndedEarly(_ cause: any Error) -> LoggedEvent {
        LoggedEvent(.laneEndedEarly, [.cause: Fault.words(cause)])
    }

    static func laneInterrupted(_ cause: any Error, attempts: Int) -> LoggedEvent {
        LoggedEvent(.laneInterrupted, [.attempts: "\(attempts)", .cause: Fault.words(cause)])
    }

    static func laneStoodStill(newName: String) -> LoggedEvent { LoggedEvent(.laneStoodStill, [.name: newName]) }

    static func deadLanesAdopted(_ lanes: [String]) -> LoggedEvent {
        LoggedEvent(.deadLaneAdopted, [.lanes: lanes.joined(separator: " ")])
    }

    static func policyChanged(to policy: String) -> LoggedEvent { LoggedEvent(.policyChanged, [.policy: policy]) }
}

// MARK: Faults

extension LoggedEvent {
    /// The lane cannot do this kind of work and waits.
    static func waiting(_ fault: Fault, for work: String, attempts: Int, _ cause: any Error) -> LoggedEvent {
        LoggedEvent(fault.kind, [.work: work, .attempts: "\(attempts)", .cause: Fault.words(cause)])
    }

    static func faultEnded(after seconds: Int, work: String, attempts: Int) -> LoggedEvent {
        LoggedEvent(
            .faultEnded, [.work: work, .attempts: "\(attempts)"], message: "fault ended after \(seconds) s")
    }

    static func attemptFailed(_ work: String, _ cause: any Error) -> LoggedEvent {
        LoggedEvent(.attemptFailed, [.work: work, .cause: Fault.words(cause)])
    }

    static func batchFailed(messages: Int, _ cause: any Error) -> LoggedEvent {
        LoggedEvent(.batchFailed, [.messages: "\(messages)", .cause: Fault.words(cause)])
    }

    static func messageSetAside(from queue: String, _ cause: any Error) -> LoggedEvent {
        LoggedEvent(.messageSetAside, [.queue: queue, .cause: Fault.words(cause)])
    }

    static func caseSetAside(_ item: String, _ cause: any Error) -> LoggedEvent {
        LoggedEvent(.caseSetAside, [.item: item, .cause: Fault.words(cause)])
    }

    /// - Parameter cause: a text written by the office, as in `UnitOfWork.faults`.
    static func setAside(_ cause: String) -> LoggedEvent { LoggedEvent(.setAside, [.cause: cause]) }

    static func outboxRowNotSettled(_ cause: any Error) -> LoggedEvent {
        LoggedEvent(.outboxRowNotSettled, [.cause: Fault.words(cause)])
    }

    static func directoryUnreadable(_ cause: any Error) -> LoggedEvent {
        LoggedEvent(.directoryUnreadable, [.cause: Fault.words(cause)])
    }
}

// MARK: Servers

extension LoggedEvent {
    static func queueParked(_ queue: String, _ cause: ParkedQueues.Cause) -> LoggedEvent {
        LoggedEvent(.queueParked, [.queue: queue, .cause: cause.rawValue])
    }

    static func queuesMissing(_ queues: [String]) -> LoggedEvent {
        LoggedEvent(.queuesMissing, [.queue: queues.joined(separator: " ")])
    }

    static func queueFreed(_ queue: String) -> LoggedEvent { LoggedEvent(.queueFreed, [.queue: queue]) }

    /// A notice from PostgreSQL. The server's text may quote a row, so it is left out.
    static func databaseNotice(severity: String, code: String) -> LoggedEvent {
        let level: Logger.Level =
            switch severity {
            case "WARNING": .warning
            case "NOTICE": .notice
            case "DEBUG": .debug
            default: .info
            }
        return LoggedEvent(.databaseNotice, [.severity: severity, .code: code], level: level)
    }

    package static func monitorListens(host: String, port: Int) -> LoggedEvent {
        LoggedEvent(.monitorListens, [.host: host, .port: "\(port)"])
    }

    /// - Parameter needRestart: the names of the keys that changed and take effect with a restart.
    package static func configurationReloaded(level: String, needRestart: [String]) -> LoggedEvent {
        LoggedEvent(.configurationReloaded, [.level: level, .keys: needRestart.joined(separator: " ")])
    }

    /// - Parameter cause: names of keys and files, and no values.
    package static func configurationNotReloaded(_ cause: String) -> LoggedEvent {
        LoggedEvent(.configurationNotReloaded, [.cause: cause])
    }

    /// - Parameter what: the server that is reached without encryption, or without a check of its certificate.
    package static func notProtected(_ what: String) -> LoggedEvent { LoggedEvent(.notProtected, [.what: what]) }
}
