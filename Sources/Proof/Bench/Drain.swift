import AMQP
import Basics
import Foundation
import Rehearsal
import Synchronization

/// A reader of the office's messages that runs until it is stopped.
protocol Listener: Sendable {
    /// Throws the error that made it give up.
    func check() throws
    func stop() throws
}

/// Handles the messages that a drain reads. It is created on the drain's thread and used only there.
protocol DrainHandler {
    /// Handles messages; they are acknowledged when this returns.
    func handle(_ deliveries: [Delivery]) throws
    /// Called between two batches, about fifty times a second while nothing comes.
    func rest() throws
    func close()
}

/// Consumes queues on its own thread, in batches, as their owners would, so that the office's messages do not pile up.
final class Drain: Listener {
    private let stopping = Atomic<Bool>(false)
    private let isReady = Atomic<Bool>(false)
    private let failure = Failure()
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    /// - Parameters:
    ///   - broker: settings of a user that may read all these queues.
    ///   - handler: nil to record and acknowledge the messages only.
    init(
        _ broker: AMQP.ConnectionSettings, queues: [String], into log: ArrivalLog, batchMax: Int = 1_000,
        handler: (@Sendable () throws -> any DrainHandler)? = nil
    ) {
        thread.withLock {
            $0 = WorkThread(named: "drain") { [self] in
                do {
                    let handler = try handler?()
                    defer { handler?.close() }
                    try run(broker, queues, log, batchMax, handler)
                } catch {
                    failure.set(error)
                }
            }
        }
    }

    func check() throws { try failure.check() }

    /// Blocks until it consumes.
    func waitUntilReady() throws {
        while !isReady.load(ordering: .acquiring) {
            try check()
            Monotonic.sleep(seconds: 0.005)
        }
    }

    /// Throws the error that made it give up earlier.
    func stop() throws {
        stopping.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        try check()
    }

    private func run(
        _ broker: AMQP.ConnectionSettings, _ queues: [String], _ log: ArrivalLog, _ batchMax: Int,
        _ handler: (any DrainHandler)?
    ) throws {
        let connection = try AMQP.Connection(broker)
        defer { connection.close() }
        let channel = try connection.openChannel()
        try connection.setPrefetch(2 * batchMax, on: channel)
        for queue in queues { try connection.consume(QueueName(rawValue: queue), on: channel) }
        isReady.store(true, ordering: .releasing)
        while !stopping.load(ordering: .acquiring) {
            try handler?.rest()
            var arrived: [(delivery: Delivery, at: Int64)] = []
            while arrived.count < batchMax, let event = try connection.nextEvent(within: arrived.isEmpty ? 0.02 : 0) {
                switch event {
                case .delivery(let delivery): arrived.append((delivery, Monotonic.now))
                case .channelClosed(_, let error): throw error
                case .consumerCancelled: throw UserError("the broker took a queue away while it was being read")
                case .acknowledged, .rejected, .returned, .consumerStopped, .blocked, .unblocked: break
                }
            }
            guard let last = arrived.last?.delivery else { continue }
            log.note(arrived)
            try handler?.handle(arrived.map(\.delivery))
            try connection.acknowledge(upTo: last.deliveryTag, multiple: true, on: channel)
        }
    }
}

/// The first error on another thread.
final class Failure: Sendable {
    private let error: Mutex<(any Error)?> = Mutex(nil)

    func set(_ error: any Error) { self.error.withLock { $0 = $0 ?? error } }
    func check() throws { if let error = error.withLock({ $0 }) { throw error } }
}
