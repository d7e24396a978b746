import AMQP
import ArgumentParser
import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Installation
import PostgreSQL
import Terminal

/// Counts of reports, handoffs, waiting items and queues.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show reports and handoffs by state, duties, queues, and what is waiting.",
        discussion: """
            Queues are read as the broker's user operator; without its password only the database is shown. If \
            database or broker is not available, the other is still shown. Exit 0 if everything could be read and no \
            queue is down or missing, 1 if not.
            """)

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let view = try await onThread { StatusView(of: configuration) }
            if !view.tables.isEmpty { Output.line(Table.printed(view.tables)) }
            for problem in view.problems { Output.note("Error: \(problem)") }
            if !view.problems.isEmpty { throw ExitCode(1) }
        }
    }
}

/// The state of database and broker, each read independently.
struct StatusView {
    private(set) var tables: [Table] = []
    private(set) var problems: [String] = []

    init(of configuration: OfficeConfiguration) {
        var parties: [String] = []
        attempt { view in
            let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan status"))
            defer { database.close() }
            let (reports, handoffs, waiting, dead, readers, units, sources, persons) = try database.pipeline(
                CountReports(), CountHandoffs(), CountWaiting(now: configuration.now), CountDeadLetters(),
                ReadChangeReaders(), ReadUnits(), ReadSources(), ReadPersons())
            view.tables = [
                Self.table("Reports", ReportState.allCases, reports.rows.map { ($0.state, $0.count) }),
                Self.table("Handoffs", HandoffState.allCases, handoffs.rows.map { ($0.state, $0.count) }),
                Self.waits(waiting.rows, dead.rows),
            ]
            let duties = try database.run(ReadOpenDuties(now: configuration.now)).rows
            if !duties.isEmpty { view.tables.append(Self.owed(duties, DutyNames(in: database))) }
            if !readers.rows.isEmpty { view.tables.append(Self.unread(readers.rows)) }
            parties = OfficeQueues.parties(units: units.rows, sources: sources.rows, persons: persons.rows)
        }
        guard let broker = try? configuration.operatorBrokerSettings() else { return }
        attempt { view in try view.look(at: Topology.Queue.office + parties, broker) }
    }

    private mutating func attempt(_ work: (inout StatusView) throws -> Void) {
        do { try work(&self) } catch { problems.append(UserError(error).description) }
    }

    private static func table<State: RawRepresentable<String> & Hashable>(
        _ title: String, _ states: [State], _ counts: [(State, Int)]
    ) -> Table {
        let counts = Dictionary(counts) { first, _ in first }
        var table = Table(title)
        for state in states { table.add(state.rawValue, counts[state] ?? 0) }
        table.add("all", counts.values.reduce(0, +))
        return table
    }

    private static func waits(_ waiting: [CountWaiting.Waiting], _ dead: [(reason: String, count: Int)]) -> Table {
        var table = Table("Waiting")
        for row in waiting {
            table.add("messages to be sent (outbox)", row.outbox)
            table.add("messages ahead of their state (held)", row.held)
            table.add("handoffs passed up sealed, unsigned", row.sealed)
            table.add("clocks past their day", row.overdueClocks)
            table.add("clocks set aside after a fault", row.clocksSetAside)
            table.add("notices to persons, unseen", row.unseenNotices)
        }
        table.add("dead letters, open", dead.reduce(0) { $0 + $1.count })
        for row in dead { table.add("  " + row.reason, row.count) }
        return table
    }

    private static func owed(_ duties: [ReadOpenDuties.Row], _ names: DutyNames) -> Table {
        var table = Table("Duties that are owed (`bihuan duty list` names who)")
        for duty in duties {
            let debtor = duty.debtor ?? "units"
            var remarks = ["due \(names.lastDay(before: duty.dueAt))"]
            if duty.overdue > 0 { remarks.append(duty.overdue == duty.open ? "overdue" : "\(duty.overdue) overdue") }
            table.add(
                [debtor, duty.duty, duty.period, names[duty.duty]].filter { !$0.isEmpty }.joined(separator: " "),
                duty.open, remarks.joined(separator: ", "))
        }
        return table
    }

    private static func unread(_ readers: [ReadChangeReaders.Row]) -> Table {
        var table = Table("What is new (transactions of the ledger that a reader has not read)")
        for reader in readers {
            var remarks = reader.startsAnew ? ["will read the whole ledger"] : []
            if reader.lag.waiting > 0 {
                let holder = reader.lag.holder.map { ": \($0)" } ?? ""
                remarks.append("\(reader.lag.waiting) behind an older one\(holder)")
            }
            table.add(reader.name, reader.unread, remarks.joined(separator: "; "))
        }
        return table
    }

    /// Reads the queues. Parties have many, so theirs are listed only if they contain messages or have a problem; a sum
    /// of what all sources and all units have sent is always there.
    private mutating func look(at queues: [String], _ broker: AMQP.ConnectionSettings) throws {
        var settings = broker
        settings.rpcTimeoutSeconds = 3
        let survey = try QueueSurvey(settings)
        defer { survey.close() }
        var table = Table("Queues (ready messages; parties' only where there are some)")
        var (down, missing) = ([String](), [String]())
        var sums: [String: (queues: Int, messages: Int, unread: Int)] = [:]
        defer { tables.append(table) }
        for queue in queues {
            switch try survey.state(of: queue) {
            case .up(let messages, let consumers):
                if let kind = Topology.Queue.inboundKind(of: queue) {
                    let sum = sums[kind] ?? (0, 0, 0)
                    sums[kind] = (sum.queues + 1, sum.messages + messages, sum.unread + (consumers == 0 ? 1 : 0))
                }
                guard queue.hasPrefix("bihuan.") || messages > 0 else { continue }
                table.add(queue, messages, consumers == 0 ? "no consumer" : "")
            case .missing:
                table.add(queue, unknown: "does not exist")
                missing.append(queue)
            case .down:
                table.add(queue, unknown: "down")
                down.append(queue)
            }
        }
        for (kind, sum) in sums.sorted(by: { $0.key < $1.key }) {
            table.add(kind, sum.messages, sum.unread == 0 ? "" : "\(sum.unread) of \(sum.queues) have no consumer")
        }
        if !down.isEmpty { problems.append("down: \(down.joined(separator: ", ")): \(QueueSurvey.advice)") }
        if !survey.unchecked.isEmpty {
            problems.append(
                """
                not known whether they are down: \(survey.unchecked.joined(separator: ", ")): the user \(broker.user) \
                may not read them (docs/topology.md, "A queue that is down")
                """)
        }
        if !missing.isEmpty {
            problems.append("missing on the broker: \(missing.joined(separator: ", ")): run `bihuan topology apply`")
        }
    }
}
