package import AMQP

/// Asks queues for their state, one after the other, on one connection.
///
/// RabbitMQ answers a passive declaration of a quorum queue without a process or without a majority as if the
/// queue were empty and had no consumer. So such a queue is also asked for a message. For a dead queue the broker
/// then closes the connection with 541 or never answers. A message received this way is given back at once.
package final class QueueSurvey {
    package enum State: Equatable {
        case up(messages: Int, consumers: Int)
        case missing
        /// The queue exists but cannot be used.
        case down
    }

    package static let advice =
        """
        restart its broker (`bihuan up` does by itself); in a cluster see `rabbitmq-queues quorum_status` and \
        start the missing nodes
        """

    private let settings: AMQP.ConnectionSettings
    /// Queues that look empty and may be down: the user may not read them.
    package private(set) var unchecked: [String] = []
    private var line: (connection: AMQP.Connection, channel: ChannelNumber)?

    /// - Parameter broker: settings of a user who may read the queues; for a user who may not, dead queues look
    ///   empty, and are named in `unchecked`.
    package init(_ broker: AMQP.ConnectionSettings) throws(AMQPError) {
        settings = broker
        _ = try open()
    }

    package func forgetUnchecked() { unchecked = [] }

    package func close() {
        line?.connection.close()
        line = nil
    }

    package func state(of queue: String) throws(AMQPError) -> State {
        let name = QueueName(rawValue: queue)
        let status: QueueStatus
        do throws(AMQPError) {
            let (connection, channel) = try open()
            status = try connection.declareQueue(name, passive: true, on: channel)
        } catch {
            try leaveChannel(after: error)
            guard error.replyCode == 404 else { throw error }
            return .missing
        }
        if status.messageCount == 0, status.consumerCount == 0, try !answers(name) { return .down }
        return .up(messages: status.messageCount, consumers: status.consumerCount)
    }

    private func answers(_ queue: QueueName) throws(AMQPError) -> Bool {
        do throws(AMQPError) {
            let (connection, channel) = try open()
            if let delivery = try connection.get(queue, on: channel) {
                try connection.reject(deliveryTag: delivery.deliveryTag, multiple: false, requeue: true, on: channel)
            }
            return true
        } catch {
            if error.code == .timedOut || error.replyCode == 541 {
                close()
                return false
            }
            try leaveChannel(after: error)
            // A queue with a single active consumer refuses this request (405), and is alive.
            if error.replyCode == 403 { unchecked.append(queue.rawValue) }
            return true
        }
    }

    private func leaveChannel(after error: AMQPError) throws(AMQPError) {
        guard !error.isConnectionFatal, let connection = line?.connection else {
            close()
            throw error
        }
        line = (connection, try connection.openChannel())
    }

    private func open() throws(AMQPError) -> (AMQP.Connection, ChannelNumber) {
        if let line { return line }
        let connection = try AMQP.Connection(settings)
        let opened = (connection, try connection.openChannel())
        line = opened
        return opened
    }
}
