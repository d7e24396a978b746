import AMQP
import Casework
import Contract
import Foundation

/// Sends a person's command and waits for the office's verdict. Blocks its thread.
struct PersonClient: Sendable {
    enum Verdict: Sendable {
        case taken(String)
        case refused([Problem])
        /// Nothing came in time; the command may still be taken.
        case silent
    }

    let broker: AMQP.ConnectionSettings
    let person: PersonID

    func send<Payload>(_ event: CloudEvent<Payload>, timeoutSeconds: Double) throws -> Verdict {
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        let connection = try AMQP.Connection(broker)
        defer { connection.close() }
        // First the reader, then the command: of two commands of one person the second waits until the first has its verdict.
        let channel = try consume(on: connection, until: deadline)
        try publish(event, on: connection, until: deadline)
        while ContinuousClock.now < deadline {
            guard case .delivery(let delivery)? = try connection.nextEvent(within: (deadline - .now).inSeconds) else { continue }
            // A verdict left over from a command whose sender did not wait is dropped: whoever repeats that act gets it again.
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
            if let verdict = verdict(delivery, of: event.id) { return verdict }
        }
        return .silent
    }

    private func consume(on connection: AMQP.Connection, until deadline: ContinuousClock.Instant) throws -> ChannelNumber {
        let queue = QueueName(rawValue: Topology.Queue.reply(person))
        while true {
            let channel = try connection.openChannel()
            do throws(AMQPError) {
                try connection.consume(queue, exclusive: true, on: channel)
                return channel
            } catch {
                guard error.replyCode == 403, !error.isConnectionFatal else { throw error }
                guard ContinuousClock.now < deadline else {
                    throw UserError("another command of \(person) is waiting for its verdict: try again when it has ended")
                }
                usleep(100_000)
            }
        }
    }

    private func publish<Payload>(
        _ event: CloudEvent<Payload>, on connection: AMQP.Connection, until deadline: ContinuousClock.Instant
    ) throws {
        let publisher = try Publisher(on: connection)
        let now = Instant(Date())
        let properties = Properties(
            contentType: MediaType.cloudEvents, messageID: UUID.version7(at: now).lowercased, type: event.type.rawValue,
            correlationID: event.subject, userID: broker.user, timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)))
        let sent = try publisher.publish(
            Wire.encode(event), to: ExchangeName(rawValue: Topology.Exchange.command),
            key: RoutingKey(rawValue: event.type.routingKey(from: .person(person))), properties: properties, token: 1,
            deadline: (deadline - .now).inSeconds)
        let outcomes = sent ? try publisher.settle(within: (deadline - .now).inSeconds) : []
        guard outcomes.first?.outcome == .confirmed else {
            throw UserError("the broker did not take the command: run it again")
        }
    }

    private func verdict(_ delivery: Delivery, of act: String) -> Verdict? {
        let body = Data(delivery.body)
        switch delivery.properties.type {
        case MessageType.commandTaken.rawValue:
            guard let event = try? JSONDecoder().decode(CloudEvent<CommandTaken>.self, from: body), event.inreplyto == act else { return nil }
            return .taken(event.data.text)
        case MessageType.messageRefused.rawValue:
            guard let event = try? JSONDecoder().decode(CloudEvent<MessageRefused>.self, from: body), event.inreplyto == act else { return nil }
            return .refused(event.data.problems)
        default: return nil
        }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
