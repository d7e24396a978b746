package import AMQP
package import Basics
import BrokerTopology
import Casework
package import Contract
import Foundation

/// A person's connection: publishes commands and receives the office's verdicts. Blocks its thread.
///
/// A person has one at a time, because the reply queue is consumed exclusively: a second command waits until the
/// first is done.
package final class PersonClient {
    package enum Verdict: Sendable {
        case taken(String)
        case refused([Problem])
        /// What the person asked to read.
        case contents(ReviewContents)
    }

    private let person: PersonID
    private let user: String
    private let connection: AMQP.Connection
    private let channel: ChannelNumber
    private let publisher: Publisher
    private var token: Int64 = 0

    /// - Parameter timeoutSeconds: how long to wait for another command of the same person.
    package init(_ broker: AMQP.ConnectionSettings, person: PersonID, timeoutSeconds: Double) throws {
        self.person = person
        user = broker.user
        connection = try AMQP.Connection(broker)
        // The consumer comes before commands, so that no verdict arrives without one.
        channel = try PersonClient.consume(of: person, on: connection, until: .now + .seconds(timeoutSeconds))
        publisher = try Publisher(on: connection)
    }

    package func close() { connection.close() }

    /// Sends one command and waits for its verdict; `nil` if none came in time: the command may still be taken.
    package func send<Payload>(
        _ event: CloudEvent<Payload>, to owner: Worker? = nil, timeoutSeconds: Double
    ) throws -> Verdict? {
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        try publish(event, to: owner, timeoutSeconds: timeoutSeconds)
        while ContinuousClock.now < deadline {
            if let (act, verdict) = try next(within: (deadline - .now).inSeconds), act == event.id { return verdict }
        }
        return nil
    }

    /// - Parameter owner: the worker that shall handle the command, if several could.
    package func publish<Payload>(_ event: CloudEvent<Payload>, to owner: Worker? = nil, timeoutSeconds: Double) throws
    {
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        let now = Instant(Date())
        let properties = Properties(
            contentType: MediaType.cloudEvents, messageID: UUID.version7(at: now).lowercased, type: event.type.rawValue,
            correlationID: event.subject, userID: user,
            timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)))
        token += 1
        let sent = try publisher.publish(
            Wire.encode(event), to: ExchangeName(rawValue: Topology.Exchange.command),
            key: RoutingKey(rawValue: event.type.routingKey(from: .person(person), owner: owner)),
            properties: properties, token: token, deadline: (deadline - .now).inSeconds)
        let outcomes = sent ? try publisher.settle(within: (deadline - .now).inSeconds) : []
        guard outcomes.first?.outcome == .confirmed else {
            throw UserError("the broker did not take the command: run it again")
        }
    }

    /// The next verdict, with the id of the act it answers; `nil` if none came in time.
    package func next(within seconds: Double) throws -> (act: String, verdict: Verdict)? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        repeat {
            guard case .delivery(let delivery)? = try connection.nextEvent(within: max(0, (deadline - .now).inSeconds))
            else { continue }
            // A verdict for a command whose sender did not wait is dropped. A sender that repeats the act gets the
            // verdict again.
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
            if let verdict = PersonClient.read(delivery) { return verdict }
        } while ContinuousClock.now < deadline
        return nil
    }

    /// The number of messages in any queue; `nil` if there is no such queue. Any user of the virtual host may ask.
    package func depth(of queue: String) throws -> Int? {
        let asking = try connection.openChannel()
        do throws(AMQPError) {
            let count = try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: asking).messageCount
            try connection.closeChannel(asking)
            return count
        } catch {
            guard error.replyCode == 404, !error.isConnectionFatal else { throw error }
            return nil
        }
    }

    private static func consume(
        of person: PersonID, on connection: AMQP.Connection, until deadline: ContinuousClock.Instant
    ) throws -> ChannelNumber {
        let queue = QueueName(rawValue: Topology.Queue.reply(person))
        while true {
            let channel = try connection.openChannel()
            do throws(AMQPError) {
                try connection.consume(queue, exclusive: true, on: channel)
                return channel
            } catch {
                guard error.replyCode == 403, !error.isConnectionFatal else { throw error }
                guard ContinuousClock.now < deadline else {
                    throw UserError(
                        "another command of \(person) is waiting for its verdict: try again when it has ended")
                }
                usleep(100_000)
            }
        }
    }

    private static func read(_ delivery: Delivery) -> (String, Verdict)? {
        let body = Data(delivery.body)
        switch delivery.properties.type {
        case MessageType.commandTaken.rawValue:
            guard let event = try? JSONDecoder().decode(CloudEvent<CommandTaken>.self, from: body),
                let act = event.inreplyto
            else { return nil }
            return (act, .taken(event.data.text))
        case MessageType.messageRefused.rawValue:
            guard let event = try? JSONDecoder().decode(CloudEvent<MessageRefused>.self, from: body),
                let act = event.inreplyto
            else { return nil }
            return (act, .refused(event.data.problems))
        case MessageType.reviewContents.rawValue:
            guard let event = try? JSONDecoder().decode(CloudEvent<ReviewContents>.self, from: body),
                let act = event.inreplyto
            else { return nil }
            return (act, .contents(event.data))
        default: return nil
        }
    }
}
