import TestOffice
import Foundation
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("Worker processes", .timeLimit(.minutes(1)))
struct WorkerProcessesTests {
    @Test("a program that cannot start is tried five times at once, then ever more rarely")
    func backsOffWhenProgramCannotStart() async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "bihuan-workers-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let (ends, told) = AsyncStream<ContinuousClock.Instant>.makeStream()
        let workers = try WorkerProcesses(
            .init(
                executable: "/bin/false", arguments: [], countPerWorker: 1, log: { _ in log },
                report: { _ in told.yield(.now) }))
        workers.start()
        // Four workers, five failures each, and then one more of each.
        var times: [ContinuousClock.Instant] = []
        for await at in ends {
            times.append(at)
            if times.count == 24 { break }
        }
        workers.stop()
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
        var killed = 0
        try await eventually("forty were started again") {
            if killed == workers.restartCount, workers.running.count == 4, workers.killRandom() != nil { killed += 1 }
            return workers.restartCount >= 40
        }
        workers.stop()
        #expect(workers.running.isEmpty)
    }
}
