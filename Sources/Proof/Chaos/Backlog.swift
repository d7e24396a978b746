import AMQP
import BrokerTopology
import Contract
import Foundation
import Installation

/// The waiting messages of an office, as counted by the broker.
struct Backlog {
    private let settings: AMQP.ConnectionSettings
    private var broker: (connection: AMQP.Connection, channel: ChannelNumber)?

    private static let queues =
        [Topology.Queue.routing] + SampleOffice.standard.sources.map { Topology.Queue.submit($0.id) }
        + SampleOffice.standard.units.flatMap { [Topology.Queue.acts($0.id), Topology.Queue.inbox($0.id)] }

    /// - Parameter settings: of a user who may see every queue.
    init(_ settings: AMQP.ConnectionSettings) { self.settings = settings }

    /// The ready messages in the queues that every report passes; `nil` while the broker does not answer.
    mutating func count() -> Int? {
        do {
            if broker == nil {
                let connection = try AMQP.Connection(settings)
                broker = (connection, try connection.openChannel())
            }
            guard let broker else { return nil }
            return try Self.queues.reduce(0) { sum, queue in
                try sum
                    + broker.connection.declareQueue(QueueName(rawValue: queue), passive: true, on: broker.channel)
                    .messageCount
            }
        } catch {
            close()
            return nil
        }
    }

    mutating func close() {
        broker?.connection.close()
        broker = nil
    }
}

/// A load that follows the office: the next report is sent while few messages wait. So the queues are never empty
/// and never grow for long.
struct LoadPace {
    private static let waitingMax = 2_000
    private static let reportsPerSecondMax = 1_500.0
    private static let secondsBetweenLooks = 0.2
    /// The longest delay that is made up for.
    private static let catchUpSeconds = 0.1

    private var backlog: Backlog
    private var waiting = 0
    private var nextLook = ContinuousClock.now
    private var nextReport = ContinuousClock.now

    init(_ backlog: Backlog) { self.backlog = backlog }

    /// Blocks until the next report is due; false if the load must stop.
    mutating func wait(unless isStopped: () -> Bool) -> Bool {
        while !isStopped() {
            let now = ContinuousClock.now
            if now >= nextLook {
                // A broker that does not answer accepts no report either; the submitter waits for it.
                waiting = backlog.count() ?? 0
                nextLook = .now + .seconds(Self.secondsBetweenLooks)
            }
            if waiting < Self.waitingMax, now >= nextReport {
                nextReport =
                    max(nextReport, now - .seconds(Self.catchUpSeconds)) + .seconds(1 / Self.reportsPerSecondMax)
                return true
            }
            usleep(1_000)
        }
        return false
    }

    mutating func close() { backlog.close() }
}
