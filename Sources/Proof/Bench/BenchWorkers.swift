import Basics
import Contract
import Foundation
import Installation

/// Worker processes as in an installation, for one round.
package final class BenchWorkers {
    struct Settings: Sendable {
        var executable: String
        var lanes: Int?
        var batch: Int?

        fileprivate var overrides: [String] {
            [("lane.lanes", lanes), ("lane.batchSizeMax", batch)].flatMap { key, value in
                value.map { ["--set", "\(key)=\($0)"] } ?? []
            }
        }
    }

    private let lifeline: Lifeline
    private var processes: [(worker: Worker, id: pid_t)] = []
    private let logs: URL

    init(_ workers: [Worker], in directory: URL, _ settings: Settings) throws {
        lifeline = try Lifeline()
        logs = directory.appending(path: "log")
        for worker in workers {
            let arguments =
                [worker.rawValue, "--data", directory.path, "--until-input-ends", "--set", "monitor.port=0"]
                + settings.overrides
            do {
                processes.append(
                    (worker, try spawn(settings.executable, arguments, input: lifeline.end, log: log(of: worker).path)))
            } catch {
                stop()
                throw error
            }
        }
    }

    deinit { stop() }

    var cpuTimes: CPUTimes {
        CPUTimes(
            seconds: processes.reduce(into: [:]) {
                $0[$1.worker.rawValue, default: 0] += ProcessUsage.cpuSeconds(of: $1.id)?.own ?? 0
            })
    }

    /// The largest anonymous memory of each worker's processes, in MiB.
    var anonymousMiB: [String: Double] {
        processes.reduce(into: [:]) { sizes, process in
            sizes[process.worker.rawValue] = max(
                sizes[process.worker.rawValue] ?? 0, ProcessUsage.anonymousMiB(of: process.id) ?? 0)
        }
    }

    /// Throws if a worker has ended, since its work would not be done.
    func check() throws {
        for process in processes where kill(process.id, 0) != 0 || hasEnded(process.id) {
            throw UserError("the worker \(process.worker.rawValue) ended: read \(log(of: process.worker).path)")
        }
    }

    /// Asks the workers to finish their current messages, and waits.
    func stop() {
        for process in processes { kill(process.id, SIGTERM) }
        let deadline = ContinuousClock.now + .seconds(15)
        for process in processes {
            var status: Int32 = 0
            while waitpid(process.id, &status, WNOHANG) == 0 {
                if ContinuousClock.now > deadline { kill(process.id, SIGKILL) }
                usleep(5_000)
            }
        }
        processes = []
    }

    private func log(of worker: Worker) -> URL { logs.appending(path: "\(worker.rawValue).log") }

    /// Asks without reaping the process, so that its id is not reused.
    private func hasEnded(_ id: pid_t) -> Bool {
        var information = siginfo_t()
        guard waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT | WNOHANG) == 0 else { return true }
        return information.si_signo == SIGCHLD
    }
}
