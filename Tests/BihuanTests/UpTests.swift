import TestOffice
import Foundation
import LocalServers
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// One start for the whole story, since servers take seconds to start; the order of the steps is the test.
@Suite("An office that is up", .serialized, .timeLimit(.minutes(6)))
struct UpTests {
    @Test("killed servers and a dead queue are restarted and reported; an unread output leaves no process behind")
    func restartsServersAndLeavesNoProcess() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-up-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        let up = try RunningUp(directory)
        defer { up.kill() }
        try await up.says("Ctrl-C stops everything.")

        for (name, argument) in [
            ("RabbitMQ", "\(directory.path)/rabbitmq"), ("PostgreSQL", "\(directory.path)/postgresql/data"),
        ] {
            let victim = try #require(processes { $0.arguments.contains(argument) && $0.parent == up.processID }.first)
            #expect(kill(victim.id, SIGKILL) == 0)
            try await up.says("\(name) was ended by signal 9; it is started again, its log is \(directory.path)/log/")
            try await up.says("\(name) runs again")
        }
        try await up.statusBecomes(0)
        #expect(zombies(of: up.processID) == [])

        let control = try #require(try RabbitMQControl.ofPrivateNode(in: directory))
        // The watch is stopped meanwhile: it would be quicker than the test.
        #expect(kill(up.processID, SIGSTOP) == 0)
        _ = try control.run(["eval", "ra:stop_server(quorum_queues, {'bihuan_bihuan.routing', node()})."])
        let ill = try Program.run(Program.bihuan, ["status", "--data", directory.path])
        #expect(ill.status == 1 && ill.output.contains(/bihuan\.routing +- +down/), "\(ill.output)")
        #expect(ill.errors.contains("down: bihuan.routing: restart its broker"), "\(ill.errors)")
        #expect(kill(up.processID, SIGCONT) == 0)
        try await up.says("down on the broker: bihuan.routing; RabbitMQ is restarted")
        try await up.statusBecomes(0)

        #expect(try secretsInArguments(of: directory) == [])
        up.closeOutput()
        #expect(try await up.endStatus() == 1)
        #expect(processes { $0.words.contains(directory.path) } == [])
    }

    /// Passwords of bihuan.yaml that stand in the arguments of any process.
    private func secretsInArguments(of directory: URL) throws -> [String] {
        let yaml = try String(contentsOf: directory.appending(path: "bihuan.yaml"), encoding: .utf8)
        let passwords = yaml.matches(of: /"([0-9a-f]{32})"|:([0-9a-f]{32})@/).compactMap { $0.1 ?? $0.2 }.map(
            String.init)
        try #require(passwords.count > 10)
        let arguments = processes { _ in true }.map { $0.arguments.joined(separator: " ") }.joined(separator: "\n")
        return passwords.filter { arguments.contains($0) }
    }

    @Test("a queue that is down gets a second look, then one restart, then no more")
    func restartsDownQueueOnce() {
        var watch = QueueWatch()
        #expect(watch.take(["a"]) == nil)
        #expect(watch.take([]) == nil && watch.take(["a"]) == nil, "once is no illness")
        #expect(watch.take(["a", "b"]) == .restart(["a"]))
        #expect(watch.take(["a"]) == nil)
        #expect(watch.take(["a"]) == .giveUp(["a"]))
        var other = QueueWatch()
        #expect(other.take(["a"]) == nil && other.take(["a"]) == .restart(["a"]) && other.take([]) == nil)
        #expect(other.take(["a"]) == nil && other.take(["a"]) == .restart(["a"]), "it had come back")
    }

    @Test("a foreign directory, the root, a home and a path to nowhere are refused, and nothing is written there")
    func refusesUnsafeDirectories() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-foreign-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder.appending(path: "full"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let full = folder.appending(path: "full").path
        try Data().write(to: URL(filePath: full + "/thesis.tex"))
        for command in [["up"], ["demo"], ["chaos"], ["bench"]] {
            let result = try Program.run(Program.with(command.first), command + ["--data", full])
            #expect(
                result.status == 1
                    && result.errors.contains("\(full) is not empty, and was not filled by bihuan before"),
                "\(result.errors)")
        }
        let check = try Program.run(Program.bihuan, ["contract", "check", "--unit", "c01", "--directory", full])
        #expect(check.status == 1 && check.errors.contains("is not empty"), "\(check.errors)")
        let file = try Program.run(Program.bihuan, ["up", "--data", full + "/thesis.tex"])
        #expect(file.status == 1 && file.errors.contains("is no directory"), "\(file.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: full) == ["thesis.tex"])

        let lost = "/no-such-folder-\(UUID().uuidString.prefix(8))/office"
        for (path, words) in [
            ("/", "the root of the file system"), ("/etc", "/etc is not empty"), (lost, "nor does any folder above it"),
        ] {
            let result = try Program.run(Program.bihuan, ["up", "--data", path])
            #expect(result.status == 1 && result.errors.contains(words), "\(result.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: URL(filePath: lost).deletingLastPathComponent().path))
        #expect(
            !FileManager.default.fileExists(atPath: "/etc/.bihuan")
                && !FileManager.default.fileExists(atPath: "/.bihuan"))
        // As on a terminal, which `script` makes: the answer is no.
        let asked = try Program.run(
            "/bin/sh", ["-c", "echo n | script -qec \"'\(Program.bihuan)' up --data '\(full)'\" /dev/null"])
        #expect(asked.output.contains("[y/N]") && asked.output.contains("nothing was put there"), "\(asked.output)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: full) == ["thesis.tex"])
    }

    @Test("a new or empty directory is accepted, and recognised once it is full")
    func takesEmptyDirectory() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-own-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let inner = folder.appending(path: "a/b")
        try OwnDirectory.claim(inner) { _ in false }
        try Data().write(to: inner.appending(path: "something"))
        try OwnDirectory.claim(inner) { _ in false }
        #expect(throws: UserError.self) { try OwnDirectory.claim(folder) { _ in false } }
        try OwnDirectory.claim(folder) { doubt in doubt.contains("is not empty") }
        try OwnDirectory.claim(folder) { _ in false }
    }
}

/// `bihuan up` as a process: what it says on standard error and output, in one list.
private final class RunningUp {
    private let process = Process()
    private let output = Pipe()
    private let directory: URL
    private let log: URL
    var processID: pid_t { process.processIdentifier }

    init(_ directory: URL) throws {
        self.directory = directory
        log = FileManager.default.temporaryDirectory.appending(path: "bihuan-up-\(UUID().uuidString).log")
        try Data().write(to: log)
        process.executableURL = URL(filePath: Program.bihuan)
        process.arguments = ["up", "--data", directory.path]
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BIHUAN_") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        try output.fileHandleForWriting.close()
    }

    /// What it says on standard output comes once, at the start.
    private lazy var announced = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)

    func says(_ text: String) async throws {
        if text.hasPrefix("Ctrl-C") {
            #expect(announced.contains(text), "\(said)")
            return
        }
        try await eventually("it says: \(text). It said: \(said)", within: 60) { said.contains(text) }
    }

    func statusBecomes(_ status: Int32) async throws {
        try await eventually("the status is \(status). It said: \(said)", within: 60) {
            try Program.run(Program.bihuan, ["status", "--data", directory.path]).status == status
        }
    }

    func closeOutput() { try? output.fileHandleForReading.close() }

    func endStatus() async throws -> Int32 {
        try await eventually("it ends. It said: \(said)", within: 60) { !process.isRunning }
        return process.terminationStatus
    }

    func kill() {
        _ = Foundation.kill(processID, SIGCONT)
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: log)
    }

    private var said: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }
}

private struct ProcessEntry: Equatable {
    let id: pid_t
    let parent: pid_t
    let state: String
    let arguments: [String]
    /// Arguments and environment.
    let words: String
}

private func processes(where matches: (ProcessEntry) -> Bool) -> [ProcessEntry] {
    func read(_ file: String) -> String {
        guard let handle = FileHandle(forReadingAtPath: file) else { return "" }
        defer { try? handle.close() }
        return String(decoding: ((try? handle.readToEnd()) ?? nil) ?? Data(), as: UTF8.self)
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.compactMap { id in
        // "pid (name) state parent …"
        let fields = read("/proc/\(id)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 1, let parent = pid_t(fields[1]) else { return nil }
        let arguments = read("/proc/\(id)/cmdline")
        return ProcessEntry(
            id: id, parent: parent, state: String(fields[0]),
            arguments: arguments.split(separator: "\0").map(String.init), words: arguments + read("/proc/\(id)/environ")
        )
    }.filter(matches)
}

private func zombies(of parent: pid_t) -> [ProcessEntry] { processes { $0.parent == parent && $0.state == "Z" } }
