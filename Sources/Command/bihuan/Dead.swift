import ArgumentParser
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal
import Text

/// The dead letters: messages that could not be handled.
struct Dead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, show, replay or discard dead letters.",
        discussion: """
            A message that the office could not handle is kept, encrypted, with the reason, and its sender is \
            notified. None of these commands shows the content of a message.
            """,
        subcommands: [DeadList.self, DeadShow.self, DeadReplay.self, DeadDiscard.self])
}

/// Selects dead letters.
struct DeadLetterSelection: ParsableArguments {
    @Option(help: ArgumentHelp("Only those with this reason, such as unknown_source.", valueName: "word"))
    var reason: String?

    @Option(help: ArgumentHelp("Only those of this type, such as report.submitted.", valueName: "type"))
    var type: String?

    @Option(help: ArgumentHelp("Only those of this sender, such as source.web.", valueName: "party"))
    var sender: String?

    @Option(help: ArgumentHelp("Only those at least this old, such as 90s, 15m, 2h or 7d.", valueName: "age"))
    var olderThan: Age?

    @Option(help: ArgumentHelp("Only those at most this old.", valueName: "age"))
    var newerThan: Age?

    func filter(_ state: DeadLetterState?) -> DeadLetterFilter {
        let now = Instant(Date())
        var filter = DeadLetterFilter()
        filter.state = state
        filter.reason = reason
        filter.type = type.map { $0.hasPrefix("bihuan.") ? $0 : "bihuan.\($0).v1" }
        filter.sender = sender
        filter.receivedBefore = olderThan.map { now.adding(seconds: -$0.seconds) }
        filter.receivedAfter = newerThan.map { now.adding(seconds: -$0.seconds) }
        return filter
    }

    var isEmpty: Bool { reason == nil && type == nil && sender == nil && olderThan == nil && newerThan == nil }
}

/// A length of time in words: a whole number and one of s, m, h, d.
struct Age: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let last = argument.last, let unit = units[last], let count = UInt32(argument.dropLast()) else {
            return nil
        }
        seconds = Double(count) * unit
    }

    /// A length of time in the largest suitable unit: `47s`, `12m`, `3h`, `15d`.
    static func text(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(Int(max(0, seconds)))s"
        case ..<7200: "\(Int(seconds / 60))m"
        case ..<172_800: "\(Int(seconds / 3600))h"
        default: "\(Int(seconds / 86_400))d"
        }
    }
}

/// Reads dead letters page by page, so that a hundred thousand of them need not fit into memory.
struct DeadLetterPages {
    let database: PostgreSQL.Connection
    let filter: DeadLetterFilter
    private var after: (receivedAt: Instant, id: UUID)?

    init(_ database: PostgreSQL.Connection, _ filter: DeadLetterFilter) {
        self.database = database
        self.filter = filter
    }

    mutating func next() throws -> [DeadLetterSummary] {
        let page = try database.run(ListDeadLetters(filter, after: after, countMax: 500)).rows
        if let last = page.last { after = (last.receivedAt, last.id) }
        return page
    }
}

struct DeadList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List dead letters, oldest first.",
        discussion: """
            Without --state it lists those that nobody has decided about. Ages count from when the office received \
            the message. If there are more than --limit, it says how many, and how to continue.
            """)

    @OptionGroup var selection: DeadLetterSelection

    @Option(help: ArgumentHelp("open, replayed, discarded or all.", valueName: "state"))
    var state = "open"

    @Option(help: ArgumentHelp("List at most this many, 1 to 100000.", valueName: "count"))
    var limit = 50

    @Option(help: ArgumentHelp("Continue after this one, the last of the previous list.", valueName: "id"))
    var after: String?

    @Flag(help: "Print one JSON object per line.")
    var json = false

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if state != "all", DeadLetterState(rawValue: state) == nil {
            throw ValidationError("--state takes open, replayed, discarded or all, not '\(state)'")
        }
        if !(1...100_000).contains(limit) { throw ValidationError("--limit takes 1 to 100000") }
        try DeadShow.checked(after.map { [$0] } ?? [])
    }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let (filter, limit, after) = (
                selection.filter(DeadLetterState(rawValue: state)), limit, after.flatMap { UUID(uuidString: $0) }
            )
            let (letters, more, unkept) = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan dead"))
                defer { database.close() }
                let page = try DeadList.page(database, filter, after: after, limit: limit)
                return (page.letters, page.more, try database.run(ReadUnkeptLetters()).rows)
            }
            if json {
                for letter in letters { Output.json(try letter.json()) }
            } else {
                Output.line(DeadLetterSummary.table(letters, at: Instant(Date())))
                Output.line(letters.count == 1 ? "1 dead letter" : "\(letters.count) dead letters")
            }
            for (sender, count, lastAt) in unkept {
                let name = sender.isEmpty ? "an unknown sender" : sender
                say(
                    """
                    \(count) more of \(name) were answered and not kept, since too many of its were open; the \
                    last at \(lastAt)
                    """
                )
            }
            // With --json this goes to standard error, apart from the data.
            if more > 0, let last = letters.last { say("\(more) more: go on with --after \(last.id.lowercased)") }
        }
    }

    private func say(_ text: String) { json ? Output.note(text) : Output.line(text) }

    private static func page(
        _ database: PostgreSQL.Connection, _ filter: DeadLetterFilter, after id: UUID?, limit: Int
    ) throws -> (letters: [DeadLetterSummary], more: Int) {
        var place: (receivedAt: Instant, id: UUID)?
        if let id {
            guard let letter = try database.run(ReadDeadLetters(ids: [id])).rows.first else {
                throw UserError("no dead letter has the id \(id.lowercased)")
            }
            place = (letter.receivedAt, letter.id)
        }
        let letters = try database.run(ListDeadLetters(filter, after: place, countMax: limit)).rows
        guard letters.count == limit, let last = letters.last else { return (letters, 0) }
        let counted = try database.run(CountListedDeadLetters(filter, after: (last.receivedAt, last.id))).rows
        return (letters, counted.first ?? 0)
    }
}

struct DeadShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show everything about dead letters except their content.")

    @Argument(help: "Ids of dead letters.")
    var ids: [String]

    @OptionGroup var installation: InstallationOptions

    func validate() throws { try DeadShow.checked(ids) }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let wanted = ids.compactMap { UUID(uuidString: $0) }
            let letters = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan dead"))
                defer { database.close() }
                return try database.run(ReadDeadLetters(ids: wanted)).rows
            }
            Output.line(letters.map(\.page).joined(separator: "\n\n"))
            let missing = Set(wanted).subtracting(letters.map(\.id))
            for id in missing.map(\.lowercased).sorted() { Output.note("no dead letter has the id \(id)") }
            if !missing.isEmpty { throw ExitCode(1) }
        }
    }

    static func checked(_ ids: [String]) throws {
        if let bad = ids.first(where: { UUID(uuidString: $0) == nil }) {
            throw ValidationError("a dead letter's id is a UUID, not '\(bad)': see `bihuan dead list`")
        }
    }
}

extension DeadLetterSummary {
    static func table(_ letters: [DeadLetterSummary], at now: Instant) -> String {
        var grid = Grid([
            .whole("ID"), .whole("AGE"), .text("REASON"), .text("TYPE"), .text("SENDER"), .whole("ANSWERED"), .text(""),
        ])
        for letter in letters {
            grid.add([
                letter.id.lowercased, Age.text(now.seconds(since: letter.receivedAt)), letter.reason, letter.typeName,
                letter.sender ?? "-", letter.answered ? "yes" : "no", letter.remark,
            ])
        }
        return grid.printed()
    }

    private var remark: String {
        if state != .open { return "\(state.rawValue): \(settledBecause ?? "")" }
        let remarks = [
            isKept ? nil : "not kept", times > 1 ? "came \(times) times" : nil,
            replays > 0 ? "tried again \(replays) times" : nil,
        ]
        return remarks.compactMap(\.self).joined(separator: ", ")
    }

    /// The type without the common prefix and version.
    private var typeName: String {
        guard let type else { return "-" }
        return type.hasPrefix("bihuan.") && type.hasSuffix(".v1") ? String(type.dropFirst(7).dropLast(3)) : type
    }

    var page: String {
        var lines: [(String, String?)] = [
            ("id", id.lowercased), ("reason", reason), ("detail", detail), ("type", type), ("sender", sender),
            ("event id", eventID), ("came by", "\(queue), key \(routingKey)"), ("worker", worker),
            ("bytes", isKept ? String(bytes) : "\(bytes), none of them kept: it cannot be tried again"),
            ("came", times > 1 ? "\(times) times" : nil),
            ("taken in", receivedAt.description),
            ("answered", answered ? "yes, its sender was told" : "no, there was nobody to tell"),
            ("tried again", replays > 0 ? "\(replays) times, in vain" : nil), ("state", state.rawValue),
        ]
        lines += [("settled", settledAt?.description), ("by", settledBy), ("because", settledBecause)]
        return lines.compactMap { label, value in
            value.map { label + String(repeating: " ", count: 13 - label.count) + printable($0) }
        }.joined(separator: "\n")
    }

    func json() throws -> String {
        struct Line: Encodable {
            let id, reason, detail: String
            let type, sender, eventID: String?
            let queue, routingKey, worker: String
            let bytes: Int
            let kept: Bool
            let times: Int
            let answered: Bool
            let receivedAt: Instant
            let replays: Int
            let state: String
            let settledAt: Instant?
            let settledBy, settledBecause: String?
        }
        let line = Line(
            id: id.lowercased, reason: reason, detail: detail, type: type, sender: sender, eventID: eventID,
            queue: queue, routingKey: routingKey, worker: worker, bytes: bytes, kept: isKept, times: times,
            answered: answered, receivedAt: receivedAt, replays: replays, state: state.rawValue, settledAt: settledAt,
            settledBy: settledBy, settledBecause: settledBecause)
        return try Output.jsonText(line)
    }
}
