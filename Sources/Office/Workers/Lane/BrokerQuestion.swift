import AMQP
import Basics
import CaseStore

/// A test whether the broker confirms nothing, or one queue holds up all confirms. It is made if a confirm is
/// overdue and no later message was confirmed either. A working broker confirms a message that reaches no queue at
/// once.
struct BrokerQuestion {
    /// Whether a test message was sent over the connection on which the confirm is owed.
    var isAsked = false
    /// The time since which the broker has confirmed later messages although an earlier confirm is owed. Its disk
    /// may only be slow.
    var answeredSince: ContinuousClock.Instant?
    /// The earliest time of the next test over a separate connection.
    var nextOverAnother = ContinuousClock.now

    /// A routing key that leads to no queue.
    static let key = "office.nobody"
    /// How long a confirm is owed before a separate connection is made for the test.
    static let patienceSeconds = 4.0
    /// How much later than other queues a queue may confirm.
    static let latenessSeconds = 1.0
    static let intervalSeconds = 10.0
}

extension OutboxPublisher {
    /// Handles overdue confirms. Does nothing while the broker blocks the connection, or if no confirm is overdue.
    mutating func lookAfterConfirms() throws {
        guard let link, !link.publisher.isBlocked, let oldest = oldestOverdue else {
            return (question.isAsked, question.answeredSince) = (false, nil)
        }
        let now = ContinuousClock.now
        if isHeldUpByQueues {
            let since = question.answeredSince ?? now
            question.answeredSince = since
            if (now - since).inSeconds > BrokerQuestion.latenessSeconds { try parkSilentQueues() }
            return
        }
        question.answeredSince = nil
        if !question.isAsked { question.isAsked = try ask(oldest.row.exchange) }
        guard (now - oldest.at).inSeconds > BrokerQuestion.patienceSeconds, now >= question.nextOverAnother else {
            return
        }
        question.nextOverAnother = now + .seconds(BrokerQuestion.intervalSeconds)
        // The broker reads nothing more from a connection that has sent to a hanging queue. If it takes no other
        // connection either, the broker itself is the cause.
        guard let other = try? Link(settings) else { return }
        if (try? other.confirms(oldest.row.exchange)) == true { return try parkSilentQueues(over: other) }
        other.connection.close()
    }

    /// Sends a test message. If it is confirmed, there is a confirm that is newer than the owed one.
    private mutating func ask(_ exchange: String) throws -> Bool {
        try publish([], to: exchange, key: BrokerQuestion.key, properties: Properties(), mandatory: false, within: 0)
    }
}

extension OutboxPublisher.Link {
    /// Whether the broker confirms, within a second, a message that reaches no queue.
    fileprivate func confirms(_ exchange: String) throws -> Bool {
        guard
            try publisher.publish(
                [], to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: BrokerQuestion.key),
                properties: Properties(), token: 0, deadline: 0)
        else { return false }
        return try publisher.settle(within: 1).contains { $0.outcome == .confirmed }
    }
}
