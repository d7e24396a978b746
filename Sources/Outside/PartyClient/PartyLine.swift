package import AMQP
import Basics
import Casework
package import Contract
import Crypto
import Foundation

/// A message as delivered, with the envelope fields that receivers need.
package struct Arrival: Sendable {
    package let delivery: Delivery
    package let entry: JournalEntry
    /// The sealed data, if the message has any.
    package let sealed: SealedData?

    package init(_ delivery: Delivery, for party: Party) {
        self.delivery = delivery
        let digest = Array(SHA256.hash(data: delivery.body)).hexadecimal
        let head = try? JSONDecoder().decode(Head.self, from: Data(delivery.body))
        sealed = head?.sealed
        entry = JournalEntry(
            fact: .delivered, at: Wall.now, party: party.description,
            id: head?.id ?? delivery.properties.messageID ?? "sha256:\(digest)",
            type: head?.type ?? delivery.properties.type ?? "",
            subject: head?.subject ?? delivery.properties.correlationID ?? "", inreplyto: head?.inreplyto,
            digest: digest, redelivered: delivery.redelivered ? true : nil,
            sealed: head?.datacontenttype == MediaType.sealed ? true : nil, matter: head?.matter)
    }

    private struct Text: Decodable {
        let title, text: String
        var matter: String { Array(SHA256.hash(data: Array("\(title)\n\(text)".utf8)).prefix(8)).hexadecimal }
    }

    private struct Head: Decodable {
        let id, type, subject: String
        let inreplyto, datacontenttype: String?
        let sealed: SealedData?
        let matter: String?

        enum Key: CodingKey { case id, type, subject, inreplyto, datacontenttype, data }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            id = try container.decode(String.self, forKey: .id)
            type = try container.decode(String.self, forKey: .type)
            subject = try container.decode(String.self, forKey: .subject)
            inreplyto = try container.decodeIfPresent(String.self, forKey: .inreplyto)
            datacontenttype = try container.decodeIfPresent(String.self, forKey: .datacontenttype)
            sealed = datacontenttype == MediaType.sealed ? try? container.decode(SealedData.self, forKey: .data) : nil
            matter =
                sealed == nil && type == MessageType.handoffDispatched.rawValue
                ? (try? container.decode(Text.self, forKey: .data)).map(\.matter) : nil
        }
    }
}

/// One connection of a party that reads its queues and may also publish. It is opened again when it is lost.
///
/// Both directions share a connection, unlike in the office's own workers: a rehearsal has many parties, and each
/// waits on one socket.
package final class PartyLine {
    package static let batchSizeMax = 256

    package let party: Party
    package let outgoing = Outgoing()
    private let settings: AMQP.ConnectionSettings
    private let queues: [String]
    private var connection: AMQP.Connection?
    /// Counts the connections, so that a delivery tag of one is never acknowledged on the next, where it would belong
    /// to another message.
    private var connectionNumber = 0
    private var receivedOn = 0
    private var backoff = Backoff(initialSeconds: 0.1, maximumSeconds: 2)
    private var connectAgainAt: Int64 = 0

    package init(_ party: Party, password: String, broker: AMQP.ConnectionSettings, queues: [String]) {
        self.party = party
        self.queues = queues
        var settings = broker.forUser(party.description, password: password)
        settings.connectionName = "rehearsal \(party)"
        self.settings = settings
    }

    /// The messages that have arrived, at most a batch; waits at most `seconds` for the first. Empty without a broker.
    package func receive(within seconds: Double) -> [Arrival] {
        attempt([]) { connection throws(AMQPError) in
            receivedOn = connectionNumber
            var arrivals: [Arrival] = []
            while arrivals.count < Self.batchSizeMax,
                let event = try connection.nextEvent(within: arrivals.isEmpty ? seconds : 0)
            {
                switch event {
                case .delivery(let delivery): arrivals.append(Arrival(delivery, for: party))
                // The queue lost its leader, or the channel lost its permission: connect again.
                case .consumerCancelled, .channelClosed: lose()
                case .acknowledged, .rejected, .returned, .consumerStopped, .blocked, .unblocked: break
                }
                if self.connection == nil { break }
            }
            return arrivals
        } orWait: {
            min(seconds, 0.05)
        }
    }

    /// Acknowledges the last messages received and all before them. If the connection was lost since, they are
    /// redelivered.
    package func acknowledge(_ arrivals: [Arrival]) {
        guard let last = arrivals.last?.delivery, let connection, receivedOn == connectionNumber else { return }
        do throws(AMQPError) {
            try connection.acknowledge(upTo: last.deliveryTag, multiple: true, on: last.channel)
        } catch {
            lose()
        }
    }

    /// Publishes what waits; returns what was confirmed meanwhile.
    package func exchange(within seconds: Double) -> [Posting] {
        attempt([]) { _ throws(AMQPError) in
            try outgoing.push()
            return try outgoing.collect(within: seconds)
        }
    }

    package func close() {
        outgoing.detach()
        connection?.close()
        connection = nil
    }

    // MARK: The connection

    private func attempt<T>(
        _ nothing: T, _ work: (AMQP.Connection) throws(AMQPError) -> T, orWait seconds: () -> Double = { 0 }
    ) -> T {
        do throws(AMQPError) {
            guard let connection = try connected() else {
                Wall.pause(seconds: seconds())
                return nothing
            }
            return try work(connection)
        } catch {
            lose()
            return nothing
        }
    }

    private func connected() throws(AMQPError) -> AMQP.Connection? {
        if let connection { return connection }
        guard Wall.now >= connectAgainAt else { return nil }
        let made = try AMQP.Connection(settings)
        let reading = try made.openChannel()
        try made.setPrefetch(Self.batchSizeMax * 2, on: reading)
        for queue in queues { try made.consume(QueueName(rawValue: queue), on: reading) }
        try outgoing.attach(to: made)
        connection = made
        connectionNumber += 1
        backoff.reset()
        return made
    }

    private func lose() {
        outgoing.detach()
        connection = nil
        connectAgainAt = Wall.now + Int64(backoff.next() * 1_000_000)
    }
}
