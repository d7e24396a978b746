import ArgumentParser
import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal

/// Which lanes have somebody who sends what they left in the outbox.
enum LaneLife {
    /// The lanes with a lease that runs: their own, or that of the lane that took their place.
    static func live(_ database: PostgreSQL.Connection) throws -> Set<String> {
        let (intake, routing, deadlines, feedback) = try database.pipeline(
            ReadLeases(worker: Worker.intake.rawValue), ReadLeases(worker: Worker.routing.rawValue),
            ReadLeases(worker: Worker.deadlines.rawValue), ReadLeases(worker: Worker.feedback.rawValue))
        let leases = intake.rows + routing.rows + deadlines.rows + feedback.rows
        return Set(leases.filter { !$0.isFree }.map(\.lane))
    }
}

/// What waits to be sent.
struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "Show what waits to be sent, by the queue it goes to.",
        discussion: """
            A row of the outbox is deleted when the broker has confirmed its message, so on a healthy office few are \
            seen, and none for long. LANES says who sends them: live lanes have a lease that runs; rows of a dead \
            lane are sent by another of its worker within 30 s. The oldest comes first. --json prints one object a \
            queue.
            """)

    @Option(help: ArgumentHelp("List at most this many queues, 1 to 100000.", valueName: "count"))
    var limit = 50

    @Flag(help: "Print one JSON object per line.")
    var json = false

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if !(1...100_000).contains(limit) { throw ValidationError("--limit takes 1 to 100000") }
    }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let queues = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan outbox"))
                defer { database.close() }
                return try OutboxQueue.all(
                    of: database.run(ReadOutboxGroups()).rows, live: LaneLife.live(database), at: .wall())
            }
            if json {
                for queue in queues.prefix(limit) { Output.json(try queue.json()) }
            } else if queues.isEmpty {
                Output.line("nothing waits to be sent")
            } else {
                Output.line(OutboxQueue.table(Array(queues.prefix(limit))))
                let all = queues.reduce(0) { $0 + $1.count }
                Output.line(
                    "\(all) message\(all == 1 ? "" : "s") for \(queues.count) queue\(queues.count == 1 ? "" : "s")")
            }
            if queues.count > limit {
                let more = "\(queues.count - limit) more queues: raise --limit"
                json ? Output.note(more) : Output.line(more)
            }
        }
    }
}

/// What the outbox holds for one queue.
struct OutboxQueue: Encodable {
    let queue: String
    let addressee: String
    private(set) var count = 0
    private(set) var oldestSeconds = 0.0
    /// Messages by type, without prefix and version.
    private(set) var types: [String: Int] = [:]
    private(set) var liveLanes: Set<String> = []
    private(set) var deadLanes: Set<String> = []

    private enum CodingKeys: String, CodingKey {
        case queue, addressee, count, oldestSeconds, types, liveLanes, deadLanes
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(queue, forKey: .queue)
        try container.encode(addressee, forKey: .addressee)
        try container.encode(count, forKey: .count)
        try container.encode(oldestSeconds, forKey: .oldestSeconds)
        try container.encode(types, forKey: .types)
        try container.encode(liveLanes.sorted(), forKey: .liveLanes)
        try container.encode(deadLanes.sorted(), forKey: .deadLanes)
    }

    /// The longest waiting first.
    /// - Parameters:
    ///   - live: the lanes with a lease that runs.
    ///   - now: wall time.
    static func all(of groups: [OutboxGroup], live: Set<String>, at now: Instant) -> [OutboxQueue] {
        var queues: [String: OutboxQueue] = [:]
        for group in groups {
            let key = group.routingKey + " " + group.addressee
            var queue = queues[key] ?? OutboxQueue(queue: group.routingKey, addressee: group.addressee)
            queue.count += group.count
            queue.oldestSeconds = max(queue.oldestSeconds, now.seconds(since: group.oldest))
            queue.types[MessageType(rawValue: group.type)?.short ?? group.type, default: 0] += group.count
            if live.contains(group.lane) {
                queue.liveLanes.insert(group.lane)
            } else {
                queue.deadLanes.insert(group.lane)
            }
            queues[key] = queue
        }
        return queues.values.sorted { ($1.oldestSeconds, $0.queue) < ($0.oldestSeconds, $1.queue) }
    }

    static func table(_ queues: [OutboxQueue], width: Int? = Output.width) -> String {
        var grid = Grid([.text("QUEUE"), .number("COUNT"), .number("OLDEST"), .text("LANES"), .text("TYPES")])
        for queue in queues {
            let lanes = [
                queue.liveLanes.isEmpty ? nil : "\(queue.liveLanes.count) live",
                queue.deadLanes.isEmpty ? nil : "\(queue.deadLanes.count) dead",
            ]
            let types = queue.types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
            grid.add([
                queue.queue, "\(queue.count)", Age.text(queue.oldestSeconds),
                lanes.compactMap(\.self).joined(separator: ", "), types.joined(separator: ", "),
            ])
        }
        let (headings, rows) = grid.fitting(width: width)
        return (headings + rows.joined()).joined(separator: "\n")
    }

    func json() throws -> String {
        try Output.jsonText(self)
    }
}

/// Messages that came before the state that they need.
struct DeferredCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deferred",
        abstract: "Show messages that came ahead of their state, oldest first.",
        discussion: """
            A unit's act may arrive before the signature that makes it valid. It waits, encrypted, until the \
            signature was taken, and is refused if it never comes. WAITS FOR is `its turn` when the state has come. \
            --json prints one object a message.
            """)

    @OptionGroup var list: ListOptions

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let limit = list.limit
            let (messages, count) = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan deferred"))
                defer { database.close() }
                let (listed, counted) = try database.pipeline(ListDeferredMessages(countMax: limit), CountDeferred())
                return (listed.rows, counted.rows.first ?? 0)
            }
            if list.json {
                for message in messages { Output.json(try message.json(at: .wall())) }
            } else if messages.isEmpty {
                Output.line("no message waits for its state")
            } else {
                Output.line(WaitingMessage.table(messages, at: .wall()))
                Output.line("\(count) message\(count == 1 ? "" : "s")")
            }
            if count > messages.count {
                let more = "\(count - messages.count) more: raise --limit"
                list.json ? Output.note(more) : Output.line(more)
            }
        }
    }
}

extension WaitingMessage {
    /// What must happen before it is taken.
    var awaited: String {
        isRipe || !state.awaitsSignature ? "its turn" : "the signature of unit.\(unit)"
    }

    private var shortType: String { MessageType(rawValue: type)?.short ?? type }

    static func table(_ messages: [WaitingMessage], at now: Instant, width: Int? = Output.width) -> String {
        var grid = Grid([
            .whole("HANDOFF"), .number("AGE"), .text("SENDER"), .text("TYPE"), .whole("RIPE"), .text("WAITS FOR"),
        ])
        for message in messages {
            grid.add([
                message.handoff.description, Age.text(now.seconds(since: message.since)), message.sender,
                message.shortType, message.isRipe ? "yes" : "no", message.awaited,
            ])
        }
        let (headings, rows) = grid.fitting(width: width)
        return (headings + rows.joined()).joined(separator: "\n")
    }

    func json(at now: Instant) throws -> String {
        struct Line: Encodable {
            let sender, type, report, handoff, unit, state: String
            let attempt: Int
            let ripe: Bool
            let ageSeconds: Double
            let waitsFor: String
        }
        let line = Line(
            sender: sender, type: type, report: report.description, handoff: handoff.description,
            unit: "unit.\(unit)", state: state.rawValue, attempt: attempt, ripe: isRipe,
            ageSeconds: now.seconds(since: since), waitsFor: awaited)
        return try Output.jsonText(line)
    }
}
