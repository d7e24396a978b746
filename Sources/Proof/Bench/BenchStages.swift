import Basics
import BrokerTopology
import Casework
import Contract
import Corpus
import Foundation
import Installation
import Rehearsal

extension Bench {
    private var unitIDs: [UnitID] { sample.units.map(\.id) }
    var inboxes: [String] { unitIDs.flatMap { [Topology.Queue.inbox($0), Topology.Queue.express($0)] } }
    var unitNotices: [String] { unitIDs.map { Topology.Queue.notice($0) } }

    /// Measures from registered reports, which are queued for the worker, to handoffs in the units' queues.
    package func routing(_ result: inout BenchResult) throws {
        try rounds(of: &result) { count in
            try register(corpus.takeHandedOff(count))
            return try measure([.routing], until: count, of: [.handoffDispatched], at: [inboxes])
        }
        try paced(&result, perSecond: settings.rate ?? BenchSettings.latencyRate, \.routing)
    }

    /// Measures from the units' acts, which are queued for the worker, to closed loops.
    package func feedback(_ result: inout BenchResult) throws {
        try rounds(of: &result) { count in
            try handOver(corpus.takeHandedOff(count))
            return try measure([.feedback], until: count, of: [.conclusionAccepted], at: [unitNotices])
        }
        try paced(&result, perSecond: settings.rate ?? BenchSettings.latencyRate, \.feedback)
    }

    /// Measures from the first submission to the last closed loop, with all workers at once.
    func loop(_ result: inout BenchResult) throws {
        try rounds(of: &result) { try loopRound($0) }
        try paced(&result, perSecond: settings.rate ?? (result.perSecond?.median ?? 0) / 2, \.loop)
    }

    /// Measures from the submission to the handoff in the unit's queue, at a rate below the office's capacity.
    func latency(_ result: inout BenchResult) throws {
        try paced(&result, perSecond: settings.rate ?? BenchSettings.latencyRate, \.delivery)
    }

    // MARK: Preparation of a stage, not measured

    /// Runs intake on the reports and leaves its messages in the routing queue.
    func register(_ letters: [Feeder.Letter]) throws {
        try preload(letters)
        let log = ArrivalLog()
        var running = Running(
            log: log, listeners: [Drain(try office.operatorBroker("drain"), queues: sourceQueues, into: log)])
        defer { running.end() }
        running.processes = try start([.intake])
        try wait(for: letters.count, of: letters.count, Bench.answers, running)
        try finish(running)
    }

    /// Runs the reports up to their units, and leaves the units' acts in the feedback queue.
    func handOver(_ letters: [Feeder.Letter]) throws {
        try preload(letters)
        let log = ArrivalLog()
        let units = try BenchUnits(office, unitIDs, into: log)
        var running = Running(
            log: log, listeners: [Drain(try office.operatorBroker("drain"), queues: sourceQueues, into: log), units])
        defer { running.end() }
        running.processes = try start([.intake, .routing])
        try wait(for: letters.count, of: letters.count, [.handoffDispatched], running)
        let acts = 3 * letters.count
        try wait(for: acts, of: acts, running) { units.actsConfirmed }
        try finish(running)
    }

    // MARK: The whole loop

    private func loopRound(_ count: Int) throws -> RoundResult {
        let letters = corpus.takeHandedOff(count)
        let meter = try WriteMeter(try office.superuser())
        defer { meter.close() }
        let log = ArrivalLog()
        var running = try everything(log)
        defer { running.end() }
        let times = cpuTimes(running)
        let began = Monotonic.now
        running.listeners.append(FeederThread(office.configuration, letters))
        try wait(for: count, of: count, [.conclusionAccepted], running)
        let used = cpuTimes(running).since(times)
        let sizes = running.processes?.anonymousMiB ?? [:]
        try finish(running)

        let closed = log.times(of: [.conclusionAccepted])
        var round = RoundResult(
            perSecond: Double(closed.count) / Monotonic.seconds(from: began, to: closed[closed.count - 1]),
            count: closed.count)
        round.cpuMicroseconds = used.seconds.mapValues { $0 * 1e6 / Double(closed.count) }
        round.anonymousMiB = sizes
        round.costs = try meter.costs(reports: closed.count)
        round.arrived = log.counts
        return round
    }

    /// Starts all workers, a drain for the sources' answers, and units that answer at once.
    /// - Parameter silent: units that read nothing and answer nothing.
    func everything(_ log: ArrivalLog, silent: [UnitID] = []) throws -> Running {
        let units = try BenchUnits(office, unitIDs.filter { !silent.contains($0) }, into: log)
        var running = Running(
            log: log, listeners: [units, Drain(try office.operatorBroker("drain"), queues: sourceQueues, into: log)])
        do {
            running.processes = try start(Worker.allCases)
            try waitForConsumers(of: submitQueues + [Topology.Queue.routing] + unitIDs.map { Topology.Queue.acts($0) })
            try units.waitUntilReady()
        } catch {
            running.end()
            throw error
        }
        return running
    }
}

/// Sends reports as fast as the broker accepts them, on its own thread.
private final class FeederThread: Listener {
    private let failure: Failure
    private let thread: WorkThread

    init(_ configuration: OfficeConfiguration, _ letters: [Feeder.Letter]) {
        let failure = Failure()
        self.failure = failure
        thread = WorkThread(named: "sources") {
            let feeder = Feeder(configuration)
            defer { feeder.close() }
            do {
                for letter in letters { try feeder.send(letter) }
                try feeder.finish()
            } catch {
                failure.set(error)
            }
        }
    }

    func check() throws { try failure.check() }

    func stop() throws {
        thread.join()
        try check()
    }
}
