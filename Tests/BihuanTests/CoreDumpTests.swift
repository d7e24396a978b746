import Foundation
import TestOffice
import Testing

@testable import bihuan

/// The memory of a worker or command holds passwords, keys and reports.
@Suite("Memory that nobody else reads")
struct CoreDumpTests {
    /// Where the kernel writes a core file; a test sees it only in the folder of the process.
    private static let pattern =
        ((try? String(contentsOfFile: "/proc/sys/kernel/core_pattern", encoding: .utf8)) ?? "|").trimmed

    @Test(
        "a worker that is killed leaves no core file, though the limit and the folder would let it",
        .enabled(if: !pattern.hasPrefix("|") && !pattern.hasPrefix("/"), "core files go elsewhere on this machine"),
        arguments: [SIGABRT, SIGQUIT, SIGSEGV])
    func leavesNoCoreFile(signal: Int32) throws {
        let home = try Home()
        let folder = home.path("cores")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder) }

        let process = try worker(of: home, in: folder)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
        #expect(try files() == [])
        // Any other program leaves one here.
        let script = "ulimit -c unlimited; cd '\(folder)'; kill -\(signal) $$"
        let other = try Program.run("/usr/bin/env", ["--default-signal", "sh", "-c", script])
        #expect(other.status == signal)
        #expect(try files().count == 1)
    }

    @Test(
        "another process of the same user can read neither its memory nor its environment",
        .enabled(if: geteuid() == 0, "only root can become another user"))
    func hidesItsMemory() throws {
        let home = try Home()
        let nobody: UInt32 = 65_534
        try #require(Program.run("/bin/sh", ["-c", "chown -R \(nobody) '\(home.path(""))'"]).status == 0)
        let drop = ["setpriv", "--reuid=\(nobody)", "--regid=\(nobody)", "--clear-groups"]
        let process = try worker(of: home, in: "/", as: drop)
        defer { process.terminate() }
        let own = try other(drop + ["sleep", "60"])
        defer { own.terminate() }
        func reads(_ what: String, of process: Process) throws -> Bool {
            let place = "/proc/\(process.processIdentifier)/\(what)"
            return try Program.run("/usr/bin/env", drop + ["head", "-c", "1", place]).status == 0
        }
        try eventually("another program can be read") { try reads("environ", of: own) }
        #expect(try !reads("environ", of: process) && !reads("maps", of: process))
    }

    /// A worker whose servers are away, so that it waits with its passwords and keys in memory.
    private func worker(of home: Home, in folder: String, as prefix: [String] = []) throws -> Process {
        let log = home.path("worker.log")
        let process = try other(
            prefix + [
                "sh", "-c", "ulimit -c unlimited; cd '\(folder)'; exec \"$@\" 2>'\(log)'", "sh", Program.bihuan,
                "intake", "--config", home.path("bihuan.yaml"), "--set", "monitor.port=0",
            ])
        try eventually("the worker waits") {
            (try? String(contentsOfFile: log, encoding: .utf8))?.contains("lane interrupted") == true
        }
        return process
    }

    private func other(_ words: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }
}
