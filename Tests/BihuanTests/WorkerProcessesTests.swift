import Foundation
import Synchronization
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("Worker processes")
struct WorkerProcessesTests {
    @Test("a program that cannot start is tried five times at once, then ever more rarely")
    func backsOffWhenProgramCannotStart() async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "bihuan-workers-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let ends = Mutex<[ContinuousClock.Instant]>([])
        let workers = try WorkerProcesses(
            .init(
                executable: "/bin/false", arguments: [], countPerWorker: 1, log: { _ in log },
                report: { _ in ends.withLock { $0.append(.now) } }))
        workers.start()
        // Four workers, five failures each, and then one more of each.
        let deadline = ContinuousClock.now + .seconds(20)
        while ends.withLock({ $0.count }) < 24, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(10))
        }
        workers.stop()
        let times = ends.withLock { $0 }
        try #require(times.count >= 24, "only \(times.count) within 20 s")
        #expect(times[23] - times[19] > .milliseconds(900))
        #expect(workers.running.isEmpty)
    }

    @Test("a worker that was killed is started again at once, however often")
    func restartsKilledWorkerAtOnce() async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "bihuan-workers-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        // `cat` says that there is no file of the worker's name, then reads its input, which ends when we do.
        let workers = try WorkerProcesses(
            .init(executable: "/bin/cat", arguments: ["-"], countPerWorker: 1, log: { _ in log }, report: { _ in }))
        workers.start()
        let deadline = ContinuousClock.now + .seconds(20)
        var killed = 0
        while workers.restartCount < 40, ContinuousClock.now < deadline {
            if killed == workers.restartCount, workers.running.count == 4, workers.killRandom() != nil { killed += 1 }
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(workers.restartCount >= 40)
        workers.stop()
        #expect(workers.running.isEmpty)
    }
}
