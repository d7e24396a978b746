import AMQP
import Basics
import CaseStore

/// When a confirm is overdue and nothing sent later was confirmed either: does the broker confirm nothing, or does one
/// queue hold all of it up? A message that no queue takes is confirmed at once by a broker that works.
struct BrokerQuestion {
    /// It was asked over the connection on which the confirm is owed.
    var isAsked = false
    /// Since when the broker has confirmed what was sent later than something that is owed. Its disc may only be slow.
    var answeredSince: ContinuousClock.Instant?
    /// When it may be asked over a connection of its own.
    var nextOverAnother = ContinuousClock.now

    /// No queue is called so.
    static let key = "office.nobody"
    /// How long a confirm is owed before another connection is made only to ask.
    static let patienceSeconds = 4.0
    /// How long a queue may confirm later than others.
    static let latenessSeconds = 1.0
    static let intervalSeconds = 10.0
}

extension OutboxPublisher {
    /// Looks after confirms that do not come. Does nothing while the broker says that it takes no messages, or owes
    /// none for long.
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
        // The broker reads nothing more from a connection once a queue that hangs has got some from it. Where it takes
        // no further connection either, it is the broker.
        guard let other = try? Link(settings) else { return }
        if (try? other.confirms(oldest.row.exchange)) == true { return try parkSilentQueues(over: other) }
        other.connection.close()
    }

    /// The answer is a confirm newer than what is owed.
    private mutating func ask(_ exchange: String) throws -> Bool {
        try publish([], to: exchange, key: BrokerQuestion.key, properties: Properties(), mandatory: false, within: 0)
    }
}

extension OutboxPublisher.Link {
    /// Whether the broker confirms a message that no queue takes within a second.
    fileprivate func confirms(_ exchange: String) throws -> Bool {
        guard
            try publisher.publish(
                [], to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: BrokerQuestion.key),
                properties: Properties(), token: 0, deadline: 0)
        else { return false }
        return try publisher.settle(within: 1).contains { $0.outcome == .confirmed }
    }
}
