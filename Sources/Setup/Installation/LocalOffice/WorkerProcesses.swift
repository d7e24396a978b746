package import Basics
package import Contract
package import Foundation

/// The worker processes of an office on this machine. One thread watches each process and restarts it when it ends.
///
/// A worker that had started is restarted at once. After five failed starts in a row the delay grows, so that a
/// configuration mistake does not keep the machine busy.
package final class WorkerProcesses: @unchecked Sendable {
    package struct Settings: Sendable {
        /// The program and its arguments after the worker's name.
        package var executable: String
        package var arguments: [String]
        /// The port on which each process answers monitors: one for each worker and number of its process.
        package var monitorPorts: [Worker: [Int]] = [:]
        var countPerWorker: Int
        /// The log file of each worker; output is appended.
        package var log: @Sendable (Worker) -> URL
        /// Called with each event of a worker, one line each, from any thread.
        package var report: @Sendable (String) -> Void
    }

    private struct Slot {
        let worker: Worker
        let monitorPort: Int?
        var processID: pid_t?
        var isWatched = false
    }

    /// A worker that ends by itself within this time has failed to start.
    private static let startSeconds = 2.0
    private static let failuresBeforeBackoff = 5
    private static let backoffSecondsMax = 30.0

    private let settings: Settings
    /// Protects the properties below; signalled when a watch ends and when all must stop.
    private let condition = NSCondition()
    private var slots: [Slot]
    private var isStopping = false
    private var restarts = 0
    private let lifeline: Lifeline

    package init(_ settings: Settings) throws(UserError) {
        self.settings = settings
        slots = Worker.allCases.flatMap { worker in
            (0..<settings.countPerWorker).map { index in
                let ports = settings.monitorPorts[worker] ?? []
                return Slot(worker: worker, monitorPort: index < ports.count ? ports[index] : nil)
            }
        }
        lifeline = try Lifeline()
    }

    package func start() {
        for index in slots.indices {
            let worker = condition.withLock {
                slots[index].isWatched = true
                return slots[index].worker
            }
            let thread = Thread { [self] in watch(index) }
            thread.name = "watch-\(worker.rawValue)"
            thread.start()
        }
    }

    /// The number of restarts of workers.
    package var restartCount: Int { condition.withLock { restarts } }

    package var running: [(worker: Worker, processID: pid_t)] {
        condition.withLock { slots.compactMap { slot in slot.processID.map { (slot.worker, $0) } } }
    }

    /// Kills a random running worker (SIGKILL), as a crash would; returns `nil` if none runs.
    @discardableResult
    package func killRandom() -> Worker? {
        condition.withLock {
            guard let victim = slots.filter({ $0.processID != nil }).randomElement(), let processID = victim.processID
            else { return nil }
            kill(processID, SIGKILL)
            return victim.worker
        }
    }

    /// Sends a signal to a running process of this worker; false if none runs.
    @discardableResult
    package func signal(_ number: Int32, to worker: Worker) -> Bool {
        condition.withLock {
            guard let processID = slots.first(where: { $0.worker == worker && $0.processID != nil })?.processID else {
                return false
            }
            return kill(processID, number) == 0
        }
    }

    /// Sends a signal to this process; false if it no longer runs as a worker.
    @discardableResult
    package func signal(_ number: Int32, toProcess processID: pid_t) -> Bool {
        condition.withLock { slots.contains { $0.processID == processID } && kill(processID, number) == 0 }
    }

    /// Asks all workers to finish their current messages, waits, and kills the rest after `patienceSeconds`.
    package func stop(patienceSeconds: Double = 12) {
        condition.lock()
        defer { condition.unlock() }
        isStopping = true
        signalAll(SIGTERM)
        condition.broadcast()
        let deadline = Date(timeIntervalSinceNow: patienceSeconds)
        while slots.contains(where: \.isWatched), condition.wait(until: deadline) {}
        signalAll(SIGKILL)
        while slots.contains(where: \.isWatched) { condition.wait() }
        lifeline.cut()
    }

    // MARK: Watching

    private func watch(_ index: Int) {
        var failures = 0
        while let started = begin(index) {
            switch started {
            case .success(let processID):
                let startedAt = ContinuousClock.now
                let ending = end(of: processID, index)
                let failedToStart =
                    !ending.wasKilled && ContinuousClock.now - startedAt < .seconds(WorkerProcesses.startSeconds)
                failures = failedToStart ? failures + 1 : 0
                reportEnd(index, processID, ending)
            case .failure(let error):
                failures += 1
                settings.report(error.description)
            }
            if !pause(after: failures, index) { break }
        }
        condition.withLock {
            slots[index].isWatched = false
            condition.broadcast()
        }
    }

    /// Starts a process; `nil` if all must stop.
    private func begin(_ index: Int) -> Result<pid_t, UserError>? {
        condition.withLock {
            if isStopping { return nil }
            let worker = slots[index].worker
            let monitor = slots[index].monitorPort.map { ["--set", "monitor.port=\($0)"] } ?? []
            let started = Result { () throws(UserError) in
                try spawn(
                    settings.executable, [worker.rawValue] + settings.arguments + monitor, input: lifeline.end,
                    log: settings.log(worker).path)
            }
            slots[index].processID = try? started.get()
            return started
        }
    }

    /// Waits for the end. The process is reaped only under the lock, so that no signal goes to an id that another
    /// process reuses.
    private func end(of processID: pid_t, _ index: Int) -> Ending {
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        return condition.withLock {
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
            slots[index].processID = nil
            return Ending(status: status)
        }
    }

    private func reportEnd(_ index: Int, _ processID: pid_t, _ ending: Ending) {
        let (isStopping, worker) = condition.withLock {
            if !self.isStopping { restarts += 1 }
            return (self.isStopping, slots[index].worker)
        }
        if !isStopping {
            settings.report(
                """
                worker \(worker.rawValue) (pid \(processID)) \(ending); it is started again, its log is \
                \(settings.log(worker).path)
                """
            )
        }
    }

    /// Waits after the fifth failed start, and longer after each further one; false if all must stop.
    private func pause(after failures: Int, _ index: Int) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        if failures >= WorkerProcesses.failuresBeforeBackoff {
            let doublings = Double(min(failures - WorkerProcesses.failuresBeforeBackoff, 10))
            let seconds = min(pow(2, doublings), WorkerProcesses.backoffSecondsMax)
            let deadline = Date(timeIntervalSinceNow: seconds)
            while !isStopping, condition.wait(until: deadline) {}
        }
        return !isStopping
    }

    private func signalAll(_ number: Int32) {
        for slot in slots { if let processID = slot.processID { kill(processID, number) } }
    }
}

/// How a process ended.
private struct Ending: CustomStringConvertible {
    let status: Int32
    private var signal: Int32 { status & 0x7F }

    /// Killed from outside, for example by an operator or a test; this is not a failure of the worker.
    var wasKilled: Bool { signal == SIGKILL || signal == SIGTERM || signal == SIGINT }

    var description: String {
        signal == 0 ? "ended with status \(status >> 8 & 0xFF)" : "was ended by signal \(signal)"
    }
}
