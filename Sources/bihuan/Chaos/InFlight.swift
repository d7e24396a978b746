import AMQP
import CaseStore
import Contract
import PostgreSQL

/// Tells whether messages are in flight at a worker that works: it consumes, and some are in its queues or in its part of the outbox.
///
/// It looks at the servers directly, and makes its connections anew when they were among what was disturbed.
struct InFlight {
    private let configuration: OfficeConfiguration
    private let workers: WorkerProcesses
    /// One process dies once: it may still look alive for a moment.
    private var dead: Set<Int32> = []
    private var database: PostgreSQL.Connection?
    private var broker: (connection: AMQP.Connection, channel: ChannelNumber)?

    init(_ office: LocalOffice) { (configuration, workers) = (office.configuration, office.workers) }

    /// The worker's process. What cannot be asked now counts as nothing: then one waits, and asks again.
    mutating func processInFlight(at worker: Worker) -> Int32? {
        guard let processID = workers.running.first(where: { $0.worker == worker })?.processID, !dead.contains(processID),
            let queues = queues(of: worker), queues.isConsumed, queues.hasMessages || outboxHolds(of: worker)
        else { return nil }
        return processID
    }

    mutating func struck(_ processID: Int32) { dead.insert(processID) }

    mutating func close() {
        database?.close()
        broker?.connection.close()
        (database, broker) = (nil, nil)
    }

    private mutating func outboxHolds(of worker: Worker) -> Bool {
        do {
            let connection = try database ?? PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan chaos"))
            database = connection
            return (try connection.run(CountOutbox(worker: worker.rawValue)).rows.first ?? 0) > 0
        } catch {
            database = nil
            return false
        }
    }

    /// `nil` where the broker does not answer.
    private mutating func queues(of worker: Worker) -> (isConsumed: Bool, hasMessages: Bool)? {
        do {
            if broker == nil {
                let connection = try AMQP.Connection(try configuration.operatorBrokerSettings())
                broker = (connection, try connection.openChannel())
            }
            guard let broker else { return nil }
            let states = try worker.queues.map {
                try broker.connection.declareQueue(QueueName(rawValue: $0), passive: true, on: broker.channel)
            }
            return (states.allSatisfy { $0.consumerCount > 0 }, states.contains { $0.messageCount > 0 })
        } catch {
            broker = nil
            return nil
        }
    }
}

extension Worker {
    fileprivate var queues: [String] {
        switch self {
        case .intake: [Topology.Queue.intake]
        case .routing: [Topology.Queue.routing, Topology.Queue.routingExpress]
        case .deadlines: [Topology.Queue.command(.deadlines)]
        case .feedback: [Topology.Queue.feedback]
        }
    }
}
