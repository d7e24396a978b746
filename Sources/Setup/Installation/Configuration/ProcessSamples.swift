import Basics
import Contract
import Foundation
import Observability
import Terminal

extension MetricsRegistry {
    /// Shows what a worker process knows of itself at each scrape.
    func showProcess(_ worker: Worker, _ board: WorkerBoard, _ metrics: WorkerMetrics) {
        let startedAt = Double(Wall.now) / 1e6
        add { metrics.samples + board.samples(worker.rawValue) }
        add {
            [
                Sample(.buildInfo, [Version.text, worker.rawValue], 1), Sample(.startTime, startedAt),
                Sample(.cpuSeconds, CPUTime.ofProcess),
                Sample(.residentBytes, ProcessSamples.residentBytes), Sample(.openFiles, ProcessSamples.openFiles),
            ]
        }
    }
}

private enum ProcessSamples {
    static var residentBytes: Double {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages?.dropFirst().first.flatMap { Double($0) } ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    static var openFiles: Double {
        Double((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0)
    }
}
