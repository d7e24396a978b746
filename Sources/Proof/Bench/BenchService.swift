import BrokerTopology
import Casework
import Contract
import Foundation

/// The figures of one worker process as a service.
package struct ServiceFigures: Sendable, Encodable {
    /// From the start of the process until its queue has a consumer.
    var readyMilliseconds = 0.0
    /// From SIGTERM, sent while its queue is full, to its end. For deadlines, whose work comes from the database,
    /// SIGTERM is sent while nothing is due.
    var drainedMilliseconds = 0.0
    /// Processor milliseconds per second without any message.
    var idleCPUMilliseconds = 0.0

    enum CodingKeys: String, CodingKey {
        case readyMilliseconds = "ready_ms", drainedMilliseconds = "drained_ms", idleCPUMilliseconds =
            "idle_cpu_ms_per_second"
    }
}

extension Bench {
    private static let readyRounds = 5

    /// Measures for each worker the time until it is ready, the processor time while it is idle, and the time to
    /// end in the middle of work.
    package func worker(_ result: inout BenchResult) throws {
        for worker in Worker.allCases {
            var figures = ServiceFigures()
            figures.readyMilliseconds = try ready(worker)
            figures.idleCPUMilliseconds = try idle(worker)
            figures.drainedMilliseconds = try drained(worker)
            result.service[worker.rawValue] = figures
            note("worker: \(worker.rawValue) measured")
        }
    }

    private func ready(_ worker: Worker) throws -> Double {
        let times = try (0..<Bench.readyRounds).map { _ in
            let began = Monotonic.now
            let process = try start([worker])
            defer { process.stop() }
            try waitForConsumers(of: [Topology.Queue.command(worker)])
            return Monotonic.seconds(from: began, to: Monotonic.now) * 1_000
        }
        return Spread(times).median
    }

    private func idle(_ worker: Worker) throws -> Double {
        let process = try start([worker])
        defer { process.stop() }
        try waitForConsumers(of: [Topology.Queue.command(worker)])
        Monotonic.sleep(seconds: settings.idleSeconds / 5)
        let before = process.cpuTimes
        Monotonic.sleep(seconds: settings.idleSeconds)
        return (process.cpuTimes.since(before).seconds[worker.rawValue] ?? 0) * 1_000 / settings.idleSeconds
    }

    /// Ends the worker after a tenth of its waiting messages; then another one handles the rest.
    private func drained(_ worker: Worker) throws -> Double {
        let count = min(settings.count, BenchSettings.warmUpCountMax)
        let log = ArrivalLog()
        let counted: [MessageType]
        let queues: [[String]]
        switch worker {
        case .intake:
            try preload(corpus.take(count))
            (counted, queues) = (Bench.answers, [sourceQueues, workQueues])
        case .routing:
            try register(corpus.takeHandedOff(count))
            (counted, queues) = ([.handoffDispatched], [inboxes])
        case .feedback:
            try handOver(corpus.takeHandedOff(count))
            (counted, queues) = ([.conclusionAccepted], [unitNotices])
        case .deadlines: return try ended(worker)
        }
        var running = Running(
            log: log, listeners: try queues.map { Drain(try office.operatorBroker("drain"), queues: $0, into: log) })
        defer { running.end() }
        running.processes = try start([worker])
        try wait(for: max(1, count / 10), of: count, counted, running)
        let began = Monotonic.now
        running.processes?.stop()
        let milliseconds = Monotonic.seconds(from: began, to: Monotonic.now) * 1_000
        running.processes = try start([worker])
        try wait(for: count, of: count, counted, running)
        try finish(running)
        return milliseconds
    }

    private func ended(_ worker: Worker) throws -> Double {
        let process = try start([worker])
        defer { process.stop() }
        try waitForConsumers(of: [Topology.Queue.command(worker)])
        let began = Monotonic.now
        process.stop()
        return Monotonic.seconds(from: began, to: Monotonic.now) * 1_000
    }
}
