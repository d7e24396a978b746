import Basics
import AMQP
import CaseStore

/// One row on its way to a parked queue, over its own connection: while a queue hangs, the broker lets the whole
/// channel wait.
struct QueueTrial {
    let link: OutboxPublisher.Link
    let row: OutboxRow
    let since = ContinuousClock.now

    /// `nil` if the broker took no connection or no message.
    init?(_ row: OutboxRow, _ settings: AMQP.ConnectionSettings, from sender: String) {
        do {
            let link = try OutboxPublisher.Link(settings)
            guard try link.publish(row, Sending().properties(row, from: sender)) else { return nil }
            (self.link, self.row) = (link, row)
        } catch {
            return nil
        }
    }

    /// The outcome; `nil` while the broker has not settled the row.
    var outcome: Publisher.Outcome? { get throws { try link.publisher.settle(within: 0).first?.outcome } }
    var isOverdue: Bool { (ContinuousClock.now - since).inSeconds > LaneSettings.confirmTimeoutSeconds }
}

extension OutboxPublisher {
    /// Sends one row to a parked queue.
    mutating func tryParked(with row: OutboxRow) {
        parked.trying(row.routingKey)
        trials[row.routingKey] = QueueTrial(row, settings, from: sender)
        if trials[row.routingKey] == nil { parked.park(row.routingKey, .silent, at: .now) }
    }

    /// Reads the outcomes of the trials.
    mutating func settleTrials() {
        for (key, trial) in trials {
            let outcome = try? trial.outcome
            guard outcome != nil || trial.isOverdue || !trial.link.connection.isOpen else { continue }
            trials[key] = nil
            trial.link.connection.abandon()
            switch outcome {
            case .nacked: parked.park(key, .refusing, at: .now)
            // A broken connection proves nothing about the queue, but the row was not taken.
            case nil: parked.park(key, .silent, at: .now)
            case .some(let outcome):
                note(trial.row, outcome)
                parked.free(key)
            }
        }
    }

    mutating func abandonTrials() {
        for trial in trials.values { trial.link.connection.abandon() }
        trials = [:]
        parked.forgetTrials()
    }
}

extension OutboxPublisher.Link {
    fileprivate func publish(_ row: OutboxRow, _ properties: Properties) throws -> Bool {
        try publisher.publish(
            row.body, to: ExchangeName(rawValue: row.exchange), key: RoutingKey(rawValue: row.routingKey),
            properties: properties, mandatory: true, token: 0, deadline: 0)
    }
}
