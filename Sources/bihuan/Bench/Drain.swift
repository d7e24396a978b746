import AMQP
import Foundation
import Synchronization

/// Somebody beside the office who reads what it sends, until told to stop.
protocol Listener: Sendable {
    /// Throws what made it give up.
    func check() throws
    func stop() throws
}

/// Reads queues away on a thread of its own, in batches, as their owners would, so that what the office sends does not pile up.
final class Drain: Listener {
    private static let batchMax = 1_000

    private let stopping = Atomic<Bool>(false)
    private let failure = Failure()
    private let thread: Mutex<RehearsalThread?> = Mutex(nil)

    /// - Parameter broker: of a user that may read all these queues.
    init(_ broker: AMQP.ConnectionSettings, queues: [String], into log: ArrivalLog) {
        thread.withLock {
            $0 = RehearsalThread(named: "drain") { [self] in
                do {
                    try run(broker, queues, log)
                } catch {
                    failure.set(error)
                }
            }
        }
    }

    func check() throws { try failure.check() }

    /// Throws what made it give up before.
    func stop() throws {
        stopping.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        try check()
    }

    private func run(_ broker: AMQP.ConnectionSettings, _ queues: [String], _ log: ArrivalLog) throws {
        let connection = try AMQP.Connection(broker)
        defer { connection.close() }
        let channel = try connection.openChannel()
        try connection.setPrefetch(2 * Drain.batchMax, on: channel)
        for queue in queues { try connection.consume(QueueName(rawValue: queue), on: channel) }
        while !stopping.load(ordering: .acquiring) {
            var arrived: [(Delivery, Int64)] = []
            while arrived.count < Drain.batchMax, let event = try connection.nextEvent(within: arrived.isEmpty ? 0.05 : 0) {
                switch event {
                case .delivery(let delivery): arrived.append((delivery, Monotonic.now))
                case .channelClosed(_, let error): throw error
                case .consumerCancelled: throw UserError("the broker took a queue away while it was being read")
                case .acknowledged, .rejected, .returned, .blocked, .unblocked: break
                }
            }
            guard let last = arrived.last?.0 else { continue }
            log.note(arrived)
            try connection.acknowledge(upTo: last.deliveryTag, multiple: true, on: channel)
        }
    }
}

/// The first thing that went wrong on another thread.
final class Failure: Sendable {
    private let error: Mutex<(any Error)?> = Mutex(nil)

    func set(_ error: any Error) { self.error.withLock { $0 = $0 ?? error } }
    func check() throws { if let error = error.withLock({ $0 }) { throw error } }
}
