import AMQP
import AuditStore
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal

/// A live table of a running rehearsal: redrawn in place on a terminal, elsewhere a line every two seconds.
final class RehearsalView: @unchecked Sendable {
    private let database: PostgreSQL.Connection
    private let broker: AMQP.Connection
    private let channel: ChannelNumber
    private let total: Int
    private let began = ContinuousClock.now
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var drawnLines = 0
    private var lineAt = ContinuousClock.now - .seconds(10)

    /// Connects to the office. One thread at a time may use the view.
    init(_ office: LocalOffice, total: Int) throws {
        database = try PostgreSQL.Connection(office.configuration.databaseSettings("bihuan-lab demo"))
        broker = try AMQP.Connection(try office.configuration.operatorBrokerSettings())
        channel = try broker.openChannel()
        self.total = total
    }

    func close() {
        database.close()
        broker.close()
    }

    /// The ready messages by queue, without empty queues.
    func depths() throws -> [String: Int] {
        var depths: [String: Int] = [:]
        let sample = SampleOffice.standard
        let queues =
            [
                Topology.Queue.routing, Topology.Queue.routingExpress, Topology.Queue.unroutable, Topology.Queue.dead,
            ]
            + OfficeQueues.of(sample.units.map { .unit($0.id) } + sample.sources.map { .source($0.id) })
        for queue in queues {
            let count = try broker.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount
            if count > 0 { depths[queue] = count }
        }
        return depths
    }

    func draw() {
        do { try show() } catch {
            // The view skips this update; the witness reads the data itself.
        }
    }

    private func show() throws {
        let (reports, handoffs) = try database.pipeline(CountReports(), CountHandoffs())
        let states = Dictionary(reports.rows.map { ($0.state, $0.count) }) { first, _ in first }
        let steps = Dictionary(handoffs.rows.map { ($0.state, $0.count) }) { first, _ in first }
        let registered = states.values.reduce(0, +)
        let depths = try depths()
        let waiting = depths.filter { Topology.Queue.isReadByOffice($0.key) }.values.reduce(0, +)
        let unitsHold = depths.filter { $0.key.hasPrefix("unit.") && !Topology.Queue.isReadByOffice($0.key) }.values
            .reduce(0, +)
        if isTerminal {
            redraw(registered, states, steps, waiting: waiting, unitsHold: unitsHold)
        } else if ContinuousClock.now - lineAt > .seconds(2) {
            lineAt = .now
            Output.note(
                """
                registered \(registered) of \(total), closed \(states[.closed] ?? 0), queued \(waiting) at the \
                office, \(unitsHold) at units
                """
            )
        }
    }

    private func redraw(
        _ registered: Int, _ states: [ReportState: Int], _ steps: [HandoffState: Int], waiting: Int, unitsHold: Int
    ) {
        func row(_ name: String, _ count: Int) -> String {
            let width = total > 0 ? min(40, count * 40 / total) : 0
            return "  " + name.padding(toLength: 18, withPad: " ", startingAt: 0) + String(format: "%7d  ", count)
                + String(repeating: "█", count: width)
        }
        let lines =
            [row("registered", registered)]
            + ReportState.allCases.filter { $0 != .registered }.map {
                row($0.rawValue.replacing("_", with: " "), states[$0] ?? 0)
            }
            + [
                row(
                    "handoffs signed",
                    steps.filter { ![.released, .dispatched, .awaitingApproval].contains($0.key) }.values.reduce(0, +)),
                "  queues: \(waiting) at the office, \(unitsHold) at units",
            ]
        let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A" : ""
        Output.write(up + lines.map { "\u{1B}[K" + $0 + "\n" }.joined(), to: STDERR_FILENO)
        drawnLines = lines.count
    }
}
