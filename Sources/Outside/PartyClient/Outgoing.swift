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
    fileprivate var refusals = 0
    /// Wall-clock microseconds when the broker first refused it because its queue was full.
    fileprivate var fullSince: Int64?

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
/// connection if the last one ended before the confirm.
///
/// If the broker refuses a message, as when the party's queue is full, it is sent again after a delay, and with it
/// everything about the same subject that was posted after it, whether or not the broker took that: so the office gets
/// the messages about one subject in their order, and a repeat has no second effect.
package final class Outgoing {
    /// How often a message that no queue takes is sent.
    package static let returnsMax = 5
    private static let restSeconds = 0.3
    private static let restSecondsMax = 5.0

    private struct Sent {
        var posting: Posting
        /// Whether it is reported as soon as everything before it about its subject is confirmed.
        var isConfirmed = false
    }

    /// The messages about a subject that are sent again later.
    private struct Rest {
        var until: Int64
        var postings: [Posting]
    }

    /// How long a message is sent again while its queue is full.
    private let fullSecondsMax: Double
    private var publisher: Publisher?
    private var waiting: ArraySlice<Posting> = []
    private var inFlight: [Int64: Sent] = [:]
    private var resting: [String: Rest] = [:]
    private var lastToken: Int64 = 0

    /// The messages that the broker refused for too long, each with the reason, and what followed them.
    package private(set) var givenUp: [(posting: Posting, reason: String)] = []

    package init(fullSecondsMax: Double = 60) { self.fullSecondsMax = fullSecondsMax }

    /// The number of messages that are neither confirmed nor given up.
    package var count: Int { waitingCount + inFlight.count }
    /// The number of messages not yet passed to the broker, or refused by it.
    package var waitingCount: Int { waiting.count + resting.values.reduce(0) { $0 + $1.postings.count } }
    package var hasInFlight: Bool { !inFlight.isEmpty }
    /// Whether the broker refused messages that are sent again later.
    package var isResting: Bool { !resting.isEmpty }

    package func post(_ posting: Posting) { waiting.append(posting) }

    /// Continues over a new connection. Messages in flight are published again, first and in their order.
    package func attach(to connection: AMQP.Connection) throws(AMQPError) {
        publisher = try Publisher(on: connection)
        waiting = inFlight.sorted { $0.key < $1.key }.map(\.value.posting) + waiting
        inFlight = [:]
    }

    package func detach() { publisher = nil }

    /// Publishes as many messages as the window has room for.
    package func push() throws(AMQPError) {
        guard let publisher else { return }
        wakeResting()
        while var posting = waiting.first {
            if resting[posting.subject]?.postings.append(posting) != nil {
                waiting.removeFirst()
                continue
            }
            let token = lastToken + 1
            guard
                try publisher.publish(
                    posting.body, to: posting.exchange, key: posting.key, properties: posting.properties,
                    mandatory: true, token: token, deadline: 0)
            else { return }
            lastToken = token
            posting.firstSentAt = posting.firstSentAt ?? Wall.now
            inFlight[token] = Sent(posting: posting)
            waiting.removeFirst()
        }
        waiting = []
    }

    /// The confirmed messages; waits at most `seconds` for everything in flight.
    package func collect(within seconds: Double) throws(AMQPError) -> [Posting] {
        guard let publisher else { return [] }
        for (token, outcome) in try publisher.settle(within: seconds) {
            switch outcome {
            case .confirmed: inFlight[token]?.isConfirmed = true
            case .nacked: sendAgain(from: token) { $0.problem(whenFullFor: fullSecondsMax) }
            case .returned(let code, _): sendAgain(from: token) { $0.problem(whenReturned: code) }
            }
        }
        return takeConfirmed()
    }

    /// Removes the confirmed messages before which nothing about their subject is open.
    private func takeConfirmed() -> [Posting] {
        var firstOpen: [String: Int64] = [:]
        for (token, sent) in inFlight where !sent.isConfirmed {
            firstOpen[sent.posting.subject] = min(token, firstOpen[sent.posting.subject] ?? token)
        }
        let tokens = inFlight.filter { $0.value.isConfirmed && $0.key < firstOpen[$0.value.posting.subject] ?? .max }
        return tokens.keys.sorted().compactMap { inFlight.removeValue(forKey: $0)?.posting }
    }

    /// Sends a refused message again later, with all that was sent after it about its subject.
    /// - Parameter problem: counts the refusal; the reason to give the message up, if it is time.
    private func sendAgain(from token: Int64, _ problem: (inout Posting) -> String?) {
        guard var refused = inFlight.removeValue(forKey: token)?.posting else { return }
        let followers = inFlight.keys.filter { $0 > token && inFlight[$0]?.posting.subject == refused.subject }.sorted()
        let after = followers.compactMap { inFlight.removeValue(forKey: $0)?.posting }
        if let reason = problem(&refused) {
            givenUp.append((refused, reason))
            givenUp += after.map { ($0, "the broker did not take what comes before it") }
            return
        }
        let seconds = min(Self.restSeconds * Double(refused.refusals), Self.restSecondsMax)
        let earlier = resting[refused.subject]
        resting[refused.subject] = Rest(
            until: max(Wall.now + Int64(seconds * 1_000_000), earlier?.until ?? 0),
            postings: [refused] + after + (earlier?.postings ?? []))
    }

    private func wakeResting() {
        guard !resting.isEmpty else { return }
        let now = Wall.now
        for (subject, rest) in resting where rest.until <= now {
            resting[subject] = nil
            waiting = rest.postings + waiting
        }
    }
}

extension Posting {
    fileprivate mutating func problem(whenFullFor secondsMax: Double) -> String? {
        let since = fullSince ?? Wall.now
        (fullSince, refusals) = (since, refusals + 1)
        return Double(Wall.now - since) / 1_000_000 < secondsMax
            ? nil : "the broker does not take it: the queue of \(from) is full"
    }

    fileprivate mutating func problem(whenReturned code: UInt16) -> String? {
        refusals += 1
        return refusals < Outgoing.returnsMax ? nil : "no queue takes it (\(code))"
    }
}
