package import AMQP
import Basics
import Casework
package import Contract
import Crypto
import Foundation

/// One message to the office, with the same bytes whenever it is sent.
package struct Posting: Sendable {
    package let exchange: ExchangeName
    package let from: Party
    /// The CloudEvents id: it names the act.
    package let id: String
    package let type: MessageType
    package let subject: String
    package let body: [UInt8]
    /// SHA-256 of the body, lower-case hexadecimal.
    package let digest: String
    /// Wall-clock microseconds when it was first passed to the broker.
    var firstSentAt: Int64?
    package var refusals = 0

    package init<Payload>(_ event: CloudEvent<Payload>, to exchange: String) {
        self.exchange = ExchangeName(rawValue: exchange)
        from = event.source
        id = event.id
        type = event.type
        subject = event.subject
        body = Wire.encode(event)
        digest = Array(SHA256.hash(data: body)).hexadecimal
    }

    package var act: ActKey { ActKey(party: from.description, id: id) }

    package var key: RoutingKey { RoutingKey(rawValue: type.routingKey(from: from)) }

    /// The properties of one publish. The message id is new each time, for tracing only.
    fileprivate var properties: Properties {
        let now = Wall.now
        return Properties(
            contentType: MediaType.cloudEvents,
            messageID: UUID.version7(at: Instant(microsecondsSinceEpoch: now)).lowercased, type: type.rawValue,
            correlationID: subject, userID: from.description, timestamp: UInt64(now / 1_000_000))
    }

    /// The journal entry about it, once it is confirmed.
    package var published: JournalEntry {
        JournalEntry(
            fact: .published, at: firstSentAt ?? Wall.now, party: from.description, id: id, type: type.rawValue,
            subject: subject, digest: digest)
    }
}

/// A queue of messages for the broker. Each stays here until it is confirmed, and is published again on the next
/// connection if the last one ended before the confirm. A message the broker refuses is retried a few times after a
/// delay.
package final class Outgoing {
    package static let refusalsMax = 5
    private static let restSeconds = 0.3

    private var publisher: Publisher?
    private var waiting: ArraySlice<Posting> = []
    private var inFlight: [Int64: Posting] = [:]
    private var resting: [(until: Int64, posting: Posting)] = []
    private var lastToken: Int64 = 0

    /// The messages that the broker refused too often, with the reason.
    package private(set) var givenUp: [(posting: Posting, reason: String)] = []

    package init() {}

    /// The number of messages that are neither confirmed nor given up.
    package var count: Int { waiting.count + inFlight.count + resting.count }
    /// The number of messages not yet passed to the broker.
    package var waitingCount: Int { waiting.count }
    package var hasInFlight: Bool { !inFlight.isEmpty }

    package func post(_ posting: Posting) { waiting.append(posting) }

    /// Continues over a new connection. Messages in flight are published again, first and in their order.
    package func attach(to connection: AMQP.Connection) throws(AMQPError) {
        publisher = try Publisher(on: connection)
        waiting = inFlight.sorted { $0.key < $1.key }.map(\.value) + waiting
        inFlight = [:]
    }

    package func detach() { publisher = nil }

    /// Publishes as many messages as the window has room for.
    package func push() throws(AMQPError) {
        guard let publisher else { return }
        wakeResting()
        while var posting = waiting.first {
            let token = lastToken + 1
            guard
                try publisher.publish(
                    posting.body, to: posting.exchange, key: posting.key, properties: posting.properties,
                    mandatory: true, token: token, deadline: 0)
            else { return }
            lastToken = token
            posting.firstSentAt = posting.firstSentAt ?? Wall.now
            inFlight[token] = posting
            waiting.removeFirst()
        }
        waiting = []
    }

    /// The confirmed messages; waits at most `seconds` for everything in flight.
    package func collect(within seconds: Double) throws(AMQPError) -> [Posting] {
        guard let publisher else { return [] }
        var confirmed: [Posting] = []
        for (token, outcome) in try publisher.settle(within: seconds) {
            guard let posting = inFlight.removeValue(forKey: token) else { continue }
            switch outcome {
            case .confirmed: confirmed.append(posting)
            case .nacked: refuse(posting, "the broker does not take it")
            case .returned(let code, _): refuse(posting, "no queue takes it (\(code))")
            }
        }
        return confirmed
    }

    private func refuse(_ posting: Posting, _ reason: String) {
        var posting = posting
        posting.refusals += 1
        if posting.refusals >= Self.refusalsMax {
            givenUp.append((posting, reason))
        } else {
            resting.append((Wall.now + Int64(Self.restSeconds * 1_000_000) * Int64(posting.refusals), posting))
        }
    }

    private func wakeResting() {
        guard !resting.isEmpty else { return }
        let now = Wall.now
        waiting += resting.filter { $0.until <= now }.map(\.posting)
        resting.removeAll { $0.until <= now }
    }
}
