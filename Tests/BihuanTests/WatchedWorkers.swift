import Contract
import Foundation
import TestOffice
import Testing

@testable import bihuan

/// The four workers of an office as processes, as a service manager runs them; it does not start one again that ended
/// by itself, so that a test sees it.
final class WatchedWorkers {
    private let settings: String
    private let folder: URL
    private var processes: [Worker: Process] = [:]
    /// Workers that ended by themselves, with their status.
    private(set) var failed: [String] = []

    /// - Parameters:
    ///   - settings: bihuan.yaml.
    ///   - name: the folder of the logs, beside it.
    init(settings: String, logsIn name: String = "logs") {
        self.settings = settings
        folder = URL(filePath: settings).deletingLastPathComponent().appending(path: name)
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { for worker in Worker.allCases { stop(worker) } }

    func log(of worker: Worker) -> String {
        (try? String(contentsOf: folder.appending(path: "\(worker.rawValue).log"), encoding: .utf8)) ?? ""
    }

    func processID(of worker: Worker) -> Int32? { processes[worker]?.processIdentifier }
    func isRunning(_ worker: Worker) -> Bool { processes[worker]?.isRunning == true }

    /// Starts it and waits until its lanes listen.
    func start(_ worker: Worker, waits: Bool = true) throws {
        let before = log(of: worker).matches(of: /lane ready/).count
        let process = Process()
        process.executableURL = URL(filePath: Program.bihuan)
        process.arguments = [worker.rawValue, "--config", settings, "--set", "monitor.port=0"]
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BIHUAN_") }
        process.standardInput = FileHandle.nullDevice
        let log = folder.appending(path: "\(worker.rawValue).log").path
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let handle = try #require(FileHandle(forWritingAtPath: log))
        try handle.seekToEnd()
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        processes[worker] = process
        guard waits else { return }
        try eventually("\(worker.rawValue) listens: \(self.log(of: worker))", within: 30) {
            self.log(of: worker).matches(of: /lane ready/).count >= before + 2
        }
    }

    func startAll() throws {
        for worker in Worker.allCases { try start(worker, waits: false) }
        for worker in Worker.allCases {
            try eventually("\(worker.rawValue) listens: \(log(of: worker))", within: 60) {
                log(of: worker).matches(of: /lane ready/).count >= 2
            }
        }
    }

    /// Asks it to finish its batch, as `systemctl stop` does; notes if it had ended before.
    func stop(_ worker: Worker) {
        guard let process = processes.removeValue(forKey: worker) else { return }
        if !process.isRunning { failed.append("\(worker.rawValue) ended with \(process.terminationStatus)") }
        process.terminate()
        process.waitUntilExit()
    }

    func restart(_ worker: Worker) throws {
        stop(worker)
        try start(worker)
    }

    /// SIGHUP, as `systemctl reload` sends it, and waits until the worker has read its settings again.
    func reload(_ worker: Worker) throws {
        let done = /the configuration was read again/
        let before = log(of: worker).matches(of: done).count
        let processID = try #require(processes[worker]?.processIdentifier)
        kill(processID, SIGHUP)
        try eventually("\(worker.rawValue) reads its settings again", within: 10) {
            log(of: worker).matches(of: done).count > before
        }
    }

    func waitForEnd(of worker: Worker) throws -> Int32 {
        let process = try #require(processes[worker])
        processes[worker] = nil
        try eventually("\(worker.rawValue) ends: \(log(of: worker))", within: 30) { !process.isRunning }
        return process.terminationStatus
    }
}
