import ArgumentParser
import AuditStore
import Basics
import CaseStore
import Casework
import Foundation
import Installation
import PostgreSQL
import Terminal

/// The way of one report: what happened to it, from the ledger, and what runs or waits now.
struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the way of one report: each step, and what runs or waits now.",
        discussion: """
            The steps are the entries of the report's ledger chain, in business time as it was stored, with the time \
            since the step before, who acted and the policy row. Then come the handoffs, the clocks with what is \
            overdue, and what waits: messages to be sent, messages ahead of their state, open dead letters, notices \
            that nobody has seen. It shows ids, codes, states and times; no name, title or text, and nothing of \
            what a sealed report says. --json prints one object a line: kind is report, handoff, step, clock, outbox, \
            deferred, dead_letter or notice. Exit 1 if there is no such report, or if its chain is broken.
            """)

    @Argument(
        help: ArgumentHelp(
            "The report's number, such as 2026-00000001; or the id of the report or of one of its handoffs.",
            valueName: "number"))
    var name: String

    @Flag(help: "Print one JSON object per line.")
    var json = false

    @OptionGroup var installation: InstallationOptions

    private static let shapes = """
        a report's number is written like 2026-00000001, of a sealed report like S2026-00000001; the id of a report or \
        handoff like 0195a5f2-6c00-7abc-8def-0123456789ab
        """

    /// A number or an id as people write it; `nil` if it is neither.
    static func wanted(_ name: String) -> FindTraced? {
        if let id = UUID(uuidString: name) { return FindTraced(id: id) }
        guard let match = name.wholeMatch(of: /[Ss]?([0-9]{4})-([0-9]{8})/), let year = Int(match.1),
            let serial = Int64(match.2)
        else { return nil }
        return FindTraced(number: Report.number(year: year, serial: serial))
    }

    func validate() throws {
        if Self.wanted(name) == nil { throw ValidationError("'\(name)' is neither: \(Self.shapes)") }
    }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            guard let wanted = Self.wanted(name) else { return }
            let found = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan trace"))
                defer { database.close() }
                return try TracedCase.read(wanted, database, now: configuration.now, wall: .wall())
            }
            guard let found else { throw UserError("there is no report or handoff \(name): \(Self.shapes)") }
            if json {
                for line in try found.jsonLines() { Output.json(line) }
            } else {
                Output.page(TracePage(found, width: Output.width).lines)
            }
            if let place = found.brokenAt {
                Output.note("Error: the chain is NOT whole: entry \(place) does not match; run `bihuan ledger verify`")
                throw ExitCode(1)
            }
        }
    }
}

/// What is known about the way of one report, as it stood at one moment.
struct TracedCase: Sendable {
    let report: TracedReport
    let entries: [LedgerEntry]
    var handoffs: [TracedHandoff] = []
    var clocks: [(clock: Clock, steps: Int)] = []
    var outbox: [TracedOutboxRow] = []
    var deferred: [WaitingMessage] = []
    var letters: [TracedDeadLetter] = []
    var notices: [TracedNotice] = []
    /// Lanes that live, or whose rows a living lane sends.
    var liveLanes: Set<String> = []
    /// When it was read: business time for clocks, wall time for messages.
    let now: Instant
    let wall: Instant

    /// The first entry of the chain that does not match; `nil` if all do.
    var brokenAt: Int? { LedgerHead.firstBreak(in: entries, endingIn: report.head) }

    /// The number by which people tell the handoffs of a report from each other.
    func attempt(of handoff: HandoffID?) -> Int? {
        handoff.flatMap { id in handoffs.first { $0.id == id }?.attempt }
    }

    /// - Returns: `nil` if there is no such report.
    static func read(
        _ wanted: FindTraced, _ database: PostgreSQL.Connection, now: Instant, wall: Instant
    ) throws -> TracedCase? {
        try database.run(BeginSnapshot())
        // Nothing was written.
        defer { _ = try? database.run(Rollback()) }
        guard let id = try database.run(wanted).rows.first,
            let report = try database.run(ReadTracedReport(id: id)).rows.first
        else { return nil }
        let (entries, handoffs, clocks, notices) = try database.pipeline(
            ReadChain(chain: id.uuid), ReadTracedHandoffs(report: id), ReadTracedClocks(report: id),
            ReadTracedNotices(report: id))
        let (outbox, deferred, letters) = try database.pipeline(
            ReadTracedOutbox(report: id), ListDeferredMessages(report: id, countMax: 10_000),
            ReadTracedDeadLetters(report: id))
        return TracedCase(
            report: report, entries: entries.rows, handoffs: handoffs.rows, clocks: clocks.rows, outbox: outbox.rows,
            deferred: deferred.rows, letters: letters.rows, notices: notices.rows,
            liveLanes: outbox.rows.isEmpty ? [] : try LaneLife.live(database), now: now, wall: wall)
    }
}
