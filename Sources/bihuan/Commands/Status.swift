import AMQP
import ArgumentParser
import CaseStore
import Casework
import Contract
import PostgreSQL

/// How much stands where.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show reports and handoffs by state, queues, and what waits.",
        discussion: "Queues are read as the broker's user operator; without its password only the database is shown.")

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            Output.line(Table.printed(try await onThread { try Status.tables(configuration) }))
        }
    }

    private static func tables(_ configuration: OfficeConfiguration) throws -> [Table] {
        let database = try PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan status"))
        defer { database.close() }
        let (reports, handoffs, waiting, dead, units, sources, persons) = try database.pipeline(
            CountReports(), CountHandoffs(), CountWaiting(now: configuration.now), CountDeadLetters(), ReadUnits(), ReadSources(),
            ReadPersons())
        var tables = [
            table("Reports", ReportState.allCases, reports.rows.map { ($0.state, $0.count) }),
            table("Handoffs", HandoffState.allCases, handoffs.rows.map { ($0.state, $0.count) }),
            waits(waiting.rows, dead.rows),
        ]
        if let broker = try? configuration.operatorBrokerSettings() {
            let queues =
                [Topology.Queue.intake, Topology.Queue.routing, Topology.Queue.routingExpress, Topology.Queue.feedback]
                + Worker.allCases.map { Topology.Queue.command($0) } + [Topology.Queue.unroutable, Topology.Queue.dead]
                + units.rows.flatMap { [Topology.Queue.inbox($0.id), Topology.Queue.express($0.id), Topology.Queue.notice($0.id)] }
                + sources.rows.map { Topology.Queue.notice($0.id) } + persons.rows.map { Topology.Queue.reply($0.id) }
            tables.append(try depths(of: queues, broker))
        }
        return tables
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
            table.add("clocks past their day", row.overdueClocks)
            table.add("notices to persons, unseen", row.unseenNotices)
        }
        table.add("dead letters, open", dead.reduce(0) { $0 + $1.count })
        for row in dead { table.add("  " + row.reason, row.count) }
        return table
    }

    /// Of the parties' queues only those that hold something: there are many.
    private static func depths(of queues: [String], _ broker: AMQP.ConnectionSettings) throws -> Table {
        let connection = try AMQP.Connection(broker)
        defer { connection.close() }
        var channel = try connection.openChannel()
        var table = Table("Queues (ready messages; parties' queues only where there are some)")
        for queue in queues {
            do throws(AMQPError) {
                let status = try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel)
                guard queue.hasPrefix("bihuan.") || status.messageCount > 0 else { continue }
                table.add(queue, status.messageCount, status.consumerCount == 0 ? "no consumer" : "")
            } catch {
                guard error.replyCode == 404, !error.isConnectionFatal else { throw error }
                table.add(queue, 0, "does not exist: load the definitions")
                channel = try connection.openChannel()
            }
        }
        return table
    }
}
