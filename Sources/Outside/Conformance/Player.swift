import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation

/// Sends and receives messages between the office's side and the unit over real queues. Must be used on one thread,
/// like its connections.
final class Player {
    private let unit: UnitID
    private let routing: Outlet
    private let feedback: Outlet
    private let connection: AMQP.Connection
    private let channel: ChannelNumber
    /// Delivered and not yet returned by `next(within:)`.
    private var left: ArraySlice<Delivery> = []

    /// One worker's connection for publishing. The broker lets a user publish only under its own name.
    private struct Outlet {
        let connection: AMQP.Connection
        let publisher: Publisher

        init(_ settings: ConnectionSettings) throws(AMQPError) {
            connection = try AMQP.Connection(settings)
            publisher = try Publisher(on: connection)
        }
    }

    /// Connects as both workers and consumes the queue of the unit's acts.
    /// - Throws: `ConformanceError` if there is another consumer on that queue, or if the queue has messages
    ///   of others.
    init(unit: UnitID, routing: ConnectionSettings, feedback: ConnectionSettings, takesWhatLies: Bool) throws {
        self.unit = unit
        self.routing = try Outlet(routing)
        self.feedback = try Outlet(feedback)
        connection = try AMQP.Connection(feedback)
        channel = try connection.openChannel()
        let queue = Topology.Queue.acts(unit)
        let status = try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel)
        guard status.consumerCount == 0 else { throw ConformanceError.workersRun(queue) }
        try connection.consume(QueueName(rawValue: queue), exclusive: true, on: channel)
        if !takesWhatLies { try lookThrough(status.messageCount) }
    }

    /// Takes the messages in the queue if all of them belong to an earlier check; otherwise leaves them there and
    /// throws.
    private func lookThrough(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(10)
        while left.count < count, ContinuousClock.now < end {
            guard case .delivery(let delivery)? = try connection.nextEvent(within: 1) else { continue }
            left.append(delivery)
        }
        let isOurs = left.allSatisfy { delivery in
            let message = try? Message(reading: delivery.body, typeHint: delivery.properties.type)
            return Letters.isOfSomeCheck(message?.envelope.subject ?? delivery.properties.correlationID ?? "")
        }
        guard isOurs else {
            // Nothing was acknowledged, so the broker requeues all of it.
            connection.close()
            throw ConformanceError.messagesLieThere(count, in: Topology.Queue.acts(unit))
        }
    }

    func close() {
        connection.close()
        routing.connection.close()
        feedback.connection.close()
    }

    /// The unit's queues without a consumer.
    func unreadQueues() throws -> [String] {
        try [Topology.Queue.express(unit), Topology.Queue.inbox(unit), Topology.Queue.notice(unit)].filter {
            try connection.declareQueue(QueueName(rawValue: $0), passive: true, on: channel).consumerCount == 0
        }
    }

    /// The number of messages in a queue that are ready for delivery.
    func waitingCount(in queue: String) throws -> Int {
        try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount
    }

    func send(_ sendings: [Sending]) throws {
        for (worker, outlet) in [(Worker.routing, routing), (Worker.feedback, feedback)] {
            let mine = sendings.filter { $0.sender == worker }
            for sending in mine { try publish(sending, through: outlet) }
            var open = mine.count
            let end = ContinuousClock.now + .seconds(10)
            while open > 0 {
                guard ContinuousClock.now < end else { throw ConformanceError.notTaken }
                for settled in try outlet.publisher.settle(within: 1) {
                    guard settled.outcome == .confirmed else { throw ConformanceError.notTaken }
                    open -= 1
                }
            }
        }
    }

    private func publish(_ sending: Sending, through outlet: Outlet) throws {
        let now = Instant(Date())
        let properties = Properties(
            contentType: MediaType.cloudEvents, messageID: UUID.version7(at: now).lowercased, type: sending.type,
            correlationID: sending.subject, userID: Party.office(sending.sender).description,
            timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)))
        let sent = try outlet.publisher.publish(
            sending.body, to: ExchangeName(rawValue: sending.exchange), key: RoutingKey(rawValue: sending.queue),
            properties: properties, mandatory: true, token: 0, deadline: 10)
        guard sent else { throw ConformanceError.notTaken }
    }

    /// The next message of the unit; `nil` if none comes in time. Serves the heartbeats of all connections.
    func next(within seconds: Double) throws -> Utterance? {
        let end = ContinuousClock.now + .seconds(seconds)
        repeat {
            for outlet in [routing, feedback] { _ = try outlet.publisher.settle(within: 0) }
            let secondsLeft = max(0, (end - .now) / .seconds(1))
            let delivery: Delivery
            if let first = left.popFirst() {
                delivery = first
            } else {
                guard case .delivery(let next)? = try connection.nextEvent(within: min(secondsLeft, 1)) else {
                    continue
                }
                delivery = next
            }
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
            return Utterance(routingKey: delivery.routingKey, properties: delivery.properties, body: delivery.body)
        } while ContinuousClock.now < end
        return nil
    }
}

/// Why a check cannot be made. `description` says what to do.
public enum ConformanceError: Error, Sendable, Equatable, CustomStringConvertible {
    case workersRun(String)
    case messagesLieThere(Int, in: String)
    case nobodyReads([String])
    case notTaken
    case cancelled
    case unknownScenario(String)

    public var description: String {
        switch self {
        case .workersRun(let queue):
            """
            somebody reads \(queue) on this virtual host: a check plays the office, so the \
            office's workers must not run there
            """
        case .messagesLieThere(let count, let queue):
            """
            \(queue) holds \(count) messages that are no check's: use a virtual host that no \
            office uses
            """
        case .nobodyReads(let queues):
            "nobody reads \(queues.joined(separator: ", ")): start the unit's system, then check again"
        case .notTaken: "the broker did not take a message for the unit: check that its queues exist and have room"
        case .cancelled: "the check was cancelled"
        case .unknownScenario(let name): "there is no scenario \(name); --list names them"
        }
    }
}
