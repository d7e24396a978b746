import Basics
package import Foundation
import Installation
package import LocalServers
import Synchronization

/// A process beside the office's workers; it ends when this process ends.
package final class Sidecar: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()

    /// - Parameter network: the network namespace it runs in; nil for this machine's own.
    package init(_ program: String, _ arguments: [String], log: URL, in network: NetworkNamespace? = nil) throws {
        let words = network?.words(running: program, arguments) ?? [program] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        // A worker started meanwhile must not inherit this end and keep it open.
        _ = fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        process.standardInput = input
        guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
            throw UserError("\(log.path) cannot be written")
        }
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    /// Asks it to finish its current work, and waits.
    package func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}

/// Kills a random worker (SIGKILL) every second until the rehearsal is over.
final class Killer: Sendable {
    private let killed = Atomic<Int>(0)
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    var count: Int { killed.load(ordering: .relaxed) }

    init(_ workers: WorkerProcesses, while progress: Progress) {
        thread.withLock {
            $0 = WorkThread(named: "killer") { [self] in
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
