import AMQP
import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Contract
import Foundation
import Installation
import LocalServers
import Rehearsal
import Submitting
import Synchronization

/// Disturbs an office with two threads: one kills workers, the other does everything else.
final class Disturber: Sendable {
    /// The disturbances done and the failures.
    struct Tally: Sendable {
        var killed = 0
        /// Kills of another worker than planned, because the planned one held no work.
        var killedAnother = 0
        var killedByWorker: [Worker: Int] = [:]
        var done: [Disturbance.Kind: Int] = [:]
        var failures: [String] = []
    }

    private let office: LocalOffice
    private let otherHost: OtherHost?
    private let broker: BadNetwork
    private let database: BadNetwork
    private let load: ChaosLoad
    private let seed: UInt64
    private let state = Mutex(Tally())
    private let stopped = Atomic<Bool>(false)
    private let threads: Mutex<[WorkThread]> = Mutex([])
    private let ended = Atomic<Int>(0)
    /// The process of a long stop; 0 for none.
    private let resting = Atomic<Int32>(0)

    /// How long a kill waits until its worker holds work; after that it waits until any worker does, as long as
    /// the run lasts.
    private static let patienceSeconds = 0.8

    init(
        _ office: LocalOffice, _ otherHost: OtherHost?, broker: BadNetwork, database: BadNetwork, load: ChaosLoad,
        seed: UInt64
    ) {
        (self.office, self.otherHost, self.load, self.seed) = (office, otherHost, load, seed)
        (self.broker, self.database) = (broker, database)
    }

    var tally: Tally { state.withLock { $0 } }
    /// Whether everything planned was tried.
    var isFinished: Bool { ended.load(ordering: .acquiring) == 2 }

    func begin(_ plan: DisturbancePlan) {
        let start = ContinuousClock.now
        threads.withLock {
            $0 = [
                WorkThread(named: "killer") { [self] in kill(plan.kills, since: start) },
                WorkThread(named: "disturber") { [self] in disturb(plan.others, since: start) },
            ]
        }
    }

    /// Begins nothing more, waits for the current disturbance, and clears both networks.
    func stop() {
        stopped.store(true, ordering: .releasing)
        threads.withLock { threads in for thread in threads { thread.join() } }
        broker.set(.clear)
        database.set(.clear)
        for (_, processID) in office.workers.running { office.workers.signal(SIGCONT, toProcess: processID) }
    }

    // MARK: Kills

    private func kill(_ kills: [Disturbance], since start: ContinuousClock.Instant) {
        var inFlight = InFlight(office)
        for planned in kills {
            guard wait(until: start + .seconds(planned.at)), let worker = planned.worker else { break }
            let struck = strike(worker, &inFlight, for: Self.patienceSeconds) ?? strikeAny(after: worker, &inFlight)
            guard let struck else { break }
            state.withLock {
                $0.killed += 1
                $0.killedByWorker[struck, default: 0] += 1
                if struck != worker { $0.killedAnother += 1 }
            }
        }
        inFlight.close()
        ended.add(1, ordering: .acquiringAndReleasing)
    }

    /// Kills this worker as soon as it holds work; `nil` if it holds none within `seconds`.
    private func strike(_ worker: Worker, _ inFlight: inout InFlight, for seconds: Double) -> Worker? {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, !stopped.load(ordering: .acquiring) {
            // A worker in a long stop must stay stopped.
            if let processID = inFlight.processInFlight(at: worker), processID != resting.load(ordering: .acquiring),
                office.workers.signal(SIGKILL, toProcess: processID)
            {
                inFlight.struck(processID)
                return worker
            }
            usleep(5_000)
        }
        return nil
    }

    /// Kills the first worker that holds work, beginning with the one after the planned.
    private func strikeAny(after planned: Worker, _ inFlight: inout InFlight) -> Worker? {
        let all = Worker.allCases
        let first = (all.firstIndex(of: planned) ?? 0) + 1
        while !stopped.load(ordering: .acquiring) {
            for index in all.indices {
                if let struck = strike(all[(first + index) % all.count], &inFlight, for: 0.02) { return struck }
            }
        }
        return nil
    }

    // MARK: Everything else

    private func disturb(_ others: [Disturbance], since start: ContinuousClock.Instant) {
        for (index, disturbance) in others.enumerated() {
            guard wait(until: start + .seconds(disturbance.at)) else { break }
            do {
                try perform(disturbance, index)
                // A disturbance that the end of the run cut short does not count.
                if stopped.load(ordering: .acquiring) { break }
                state.withLock { $0.done[disturbance.kind, default: 0] += 1 }
            } catch {
                state.withLock { $0.failures.append("\(disturbance.kind.rawValue): \(error)") }
            }
        }
        ended.add(1, ordering: .acquiringAndReleasing)
    }

    private func perform(_ disturbance: Disturbance, _ index: Int) throws {
        switch disturbance.kind {
        case .kill: break
        case .pause:
            guard let worker = disturbance.worker else { return }
            try whenPossible { office.workers.signal(SIGSTOP, to: worker) }
            last(disturbance.seconds)
            office.workers.signal(SIGCONT, to: worker)
        case .restartBroker: try office.servers.restartRabbitMQ()
        case .killBroker:
            office.servers.killRabbitMQ()
            try office.servers.startRabbitMQ()
        case .closeConnections:
            _ = try office.servers.rabbitmqctl([
                "-q", "close_all_connections", "-p", office.configuration.broker.virtualHost, "disturbed",
            ])
        case .restartDatabaseFast: try office.servers.restartPostgreSQL(mode: .fast)
        case .restartDatabaseImmediate: try office.servers.restartPostgreSQL(mode: .immediate)
        case .cutBroker: make(.cut, of: broker, for: disturbance.seconds)
        case .cutDatabase: make(.cut, of: database, for: disturbance.seconds)
        case .silenceBroker: make(.silent, of: broker, for: disturbance.seconds)
        case .silenceDatabase: make(.silent, of: database, for: disturbance.seconds)
        case .slowBroker: make(.slow(delaySeconds: 0.03, bytesPerSecond: 300_000), of: broker, for: disturbance.seconds)
        case .slowDatabase:
            make(.slow(delaySeconds: 0.02, bytesPerSecond: 300_000), of: database, for: disturbance.seconds)
        case .sendAgain: try whenPossible { try load.sendAgain(disturbance.count, seed: seed &+ UInt64(index)) }
        case .memoryAlarm: try alarm(disturbance.seconds)
        case .revokeRight: try trouble().make(.revokedRight) { last(disturbance.seconds) }
        case .diskFull: try trouble().make(.fullDisk) { last(disturbance.seconds) }
        case .cancelStatements:
            let end = ContinuousClock.now + .seconds(disturbance.seconds)
            try trouble().cancelStatements {
                wait(until: .now + .milliseconds(20)) && ContinuousClock.now < end
            }
        case .silentQueue: try silence(disturbance)
        case .longPause: try rest(disturbance)
        case .hostCutOff: try otherHost?.cutOff { last(disturbance.seconds) }
        }
    }

    private func trouble() throws -> DatabaseTrouble { try DatabaseTrouble(superuser: office.servers.superuserURL) }

    /// Suspends the queue's process: it takes messages and confirms none.
    private func silence(_ disturbance: Disturbance) throws {
        guard let unit = disturbance.unit else { return }
        let process = "'\(office.configuration.broker.virtualHost)_\(Topology.Queue.inbox(unit))'"
        _ = try office.servers.rabbitmqctl(["-q", "eval", "sys:suspend(\(process))."])
        last(disturbance.seconds)
        _ = try office.servers.rabbitmqctl(["-q", "eval", "sys:resume(\(process))."])
    }

    /// Stops a worker's process for so long that its leases and its connections to the broker end.
    private func rest(_ disturbance: Disturbance) throws {
        guard let worker = disturbance.worker else { return }
        var processID: Int32 = 0
        try whenPossible {
            processID = office.workers.running.last { $0.worker == worker }?.processID ?? 0
            resting.store(processID, ordering: .releasing)
            return processID != 0 && office.workers.signal(SIGSTOP, toProcess: processID)
        }
        last(disturbance.seconds)
        office.workers.signal(SIGCONT, toProcess: processID)
        resting.store(0, ordering: .releasing)
    }

    /// Makes the node act as if it had no memory left, so that it blocks every publisher.
    private func alarm(_ seconds: Double) throws {
        _ = try office.servers.rabbitmqctl(["-q", "set_vm_memory_high_watermark", "0.000001"])
        last(seconds)
        _ = try office.servers.rabbitmqctl(["-q", "set_vm_memory_high_watermark", "0.4"])
    }

    private func make(_ weather: BadNetwork.Weather, of network: BadNetwork, for seconds: Double) {
        network.set(weather)
        last(seconds)
        network.set(.clear)
    }

    // MARK: Time

    /// Repeats the attempt until it succeeds: a worker that was just killed cannot be stopped, and reports not yet
    /// sent cannot be sent again.
    private func whenPossible(_ attempt: () throws -> Bool) throws {
        while try !attempt() {
            guard wait(until: .now + .milliseconds(10)) else { return }
        }
    }

    /// Waits; false if the run must end.
    private func wait(until instant: ContinuousClock.Instant) -> Bool {
        while ContinuousClock.now < instant, !stopped.load(ordering: .acquiring) { usleep(2_000) }
        return !stopped.load(ordering: .acquiring)
    }

    private func last(_ seconds: Double) { _ = wait(until: .now + .seconds(seconds)) }
}
