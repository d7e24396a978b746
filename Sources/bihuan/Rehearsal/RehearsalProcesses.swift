import Foundation
import LocalServers
import Synchronization

/// A process of this binary beside the office's workers, ended with this one.
final class Sidecar: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()

    /// - Parameter network: where it runs, if not in this machine's own.
    init(_ arguments: [String], log: URL, in network: NetworkNamespace? = nil) throws {
        let own = LocalOffice.ownExecutable
        let words = network?.words(running: own, arguments) ?? [own] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        // A worker that is started meanwhile must not hold this end open.
        _ = fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        process.standardInput = input
        guard FileManager.default.createFile(atPath: log.path, contents: nil) else { throw UserError("\(log.path) cannot be written") }
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    /// Asks it to finish what it holds, and waits.
    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}

/// Ends a random worker with SIGKILL every second until the rehearsal is over.
final class Killer: Sendable {
    private let killed = Atomic<Int>(0)
    private let thread: Mutex<RehearsalThread?> = Mutex(nil)

    var count: Int { killed.load(ordering: .relaxed) }

    init(_ workers: WorkerProcesses, while progress: Progress) {
        thread.withLock {
            $0 = RehearsalThread(named: "killer") { [self] in
                while true {
                    for _ in 0..<20 where !progress.isEnded { usleep(50_000) }
                    if progress.isEnded { return }
                    if workers.killRandom() != nil { killed.add(1, ordering: .relaxed) }
                }
            }
        }
    }

    func join() { thread.withLock { $0?.join() } }
}

/// A thread that can be waited for.
final class RehearsalThread: @unchecked Sendable {
    private let ended = DispatchSemaphore(value: 0)

    init(named name: String, _ work: @escaping @Sendable () -> Void) {
        let ended = ended
        let thread = Thread {
            work()
            ended.signal()
        }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.start()
    }

    func join() {
        ended.wait()
        ended.signal()
    }
}
