/// The stage of the loop at which a queue stands.
enum OfficeStage: Int, CaseIterable, Sendable {
    /// What sources submit; intake reads it.
    case submit
    /// What waits for routing.
    case routing
    /// Handoffs that a unit has not taken.
    case inbox
    /// Acts of units; feedback reads them.
    case acts
    /// Answers and notices that a party has not taken.
    case notice
    /// Commands of persons to the workers.
    case command

    /// `nil` for the ends of the office: what no queue took, and what no worker could read.
    init?(_ queue: OfficeView.Queue) { self.init(kind: queue.kind, name: queue.name) }

    /// From a name alone, as a trouble gives it.
    init?(named name: String) {
        let last = name.utf8.lastIndex(of: UInt8(ascii: ".")).map { name.utf8.index(after: $0) } ?? name.startIndex
        self.init(kind: name.hasPrefix("bihuan.") ? "office" : String(name[last...]), name: name)
    }

    private init?(kind: String, name: String) {
        switch kind {
        case "submit": self = .submit
        case "inbox", "express": self = .inbox
        case "acts": self = .acts
        case "notice", "reply": self = .notice
        case "office" where name.hasPrefix("bihuan.routing"): self = .routing
        case "office" where name.hasPrefix("bihuan.command."): self = .command
        // Queues that all sources and all units once shared; a broker may still hold them.
        case "office" where name == "bihuan.intake": self = .submit
        case "office" where name == "bihuan.feedback": self = .acts
        default: return nil
        }
    }
}

/// The ready messages of some queues.
struct QueueDepth: Equatable, Sendable {
    private(set) var queues = 0
    private(set) var unknown = 0
    private(set) var messages = 0

    mutating func add(_ queue: OfficeView.Queue) {
        queues += 1
        if let more = queue.messages { messages += more } else { unknown += 1 }
    }

    /// `nil` if it is known of no queue; of those that are not known it holds nothing.
    var atLeast: Int? { unknown < queues ? messages : nil }
}

/// The depth of every stage of one sample, found in one walk over its queues.
struct StageDepths: Sendable {
    /// In the order of the cases.
    private var stages = Array(repeating: QueueDepth(), count: OfficeStage.allCases.count)
    /// The part of the notices that is for sources, and that for units.
    private(set) var toSources = QueueDepth()
    private(set) var toUnits = QueueDepth()

    init(_ queues: [OfficeView.Queue]) {
        for queue in queues {
            guard let stage = OfficeStage(queue) else { continue }
            stages[stage.rawValue].add(queue)
            guard stage == .notice else { continue }
            if queue.name.hasPrefix("source.") { toSources.add(queue) }
            if queue.name.hasPrefix("unit.") { toUnits.add(queue) }
        }
    }

    subscript(stage: OfficeStage) -> QueueDepth { stages[stage.rawValue] }
}
