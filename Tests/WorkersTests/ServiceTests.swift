import Basics
import BrokerTopology
import Contract
import Foundation
import Logging
import Observability
import Synchronization
import TestOffice
import Testing

@testable import Workers

@Suite("A worker as a service", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ServiceTests {
    @Test("it is ready when its lanes listen, says so, feeds the watchdog, and stops in order")
    func isReady() throws {
        let office = try OfficeUnderTest()
        let program = try WorkerProgram(.intake, of: office)
        try program.manager.wait("READY=1") { $0 == "READY=1" }
        try program.manager.wait("WATCHDOG=1") { $0 == "WATCHDOG=1" }
        #expect(program.manager.lines.contains("STATUS=2 of 2 lanes listen"), "\(program.manager.lines)")
        program.signal(SIGTERM)
        try program.manager.wait("STOPPING=1") { $0 == "STOPPING=1" }
        #expect(try program.status() == 0)
        #expect(!program.errors.contains(TestServers.password + "@"))
        try office.close()
    }

    @Test(
        "a wrong password ends it for good, with the reason",
        arguments: [
            ("broker", "the broker refuses the user or the password"),
            ("database", "the database refuses the user or the password"),
        ])
    func endsForAWrongPassword(_ server: String, _ reason: String) throws {
        let office = try OfficeUnderTest()
        var settings = WorkerProgram.Settings()
        if server == "broker" { settings.brokerPassword = "wr0ng-one" } else { settings.databasePassword = "wr0ng-one" }
        let program = try WorkerProgram(.intake, of: office, settings)
        #expect(try program.status() == 78)
        #expect(program.errors.contains(reason) && !program.errors.contains("wr0ng-one"), "\(program.errors)")
        try program.manager.wait("the reason") { $0.contains(reason) }
        #expect(!program.manager.lines.contains("READY=1"))
        try office.close()
    }

    @Test("a server that is away does not end it: it waits, says for what, and feeds the watchdog")
    func waitsForAServer() throws {
        let office = try OfficeUnderTest()
        var settings = WorkerProgram.Settings()
        settings.databasePort = 1
        let program = try WorkerProgram(.routing, of: office, settings)
        try program.manager.wait("what it waits for") { $0.contains("waiting for the database") }
        for _ in 1...3 { try program.manager.wait("WATCHDOG=1") { $0 == "WATCHDOG=1" } }
        #expect(program.isRunning && !program.manager.lines.contains("READY=1"))
        program.signal(SIGTERM)
        #expect(try program.status() == 0)
        try office.close()
    }

    @Test("the watchdog is not fed while a lane is stuck, and is fed again afterwards")
    func starvesTheWatchdog() async throws {
        let office = try OfficeUnderTest()
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-watchdog-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let socket = try NotifySocket(folder.appending(path: "s").path)
        let manager = try #require(
            ServiceManager(environment: ["NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "2000000"]))
        let (isStuck, goesOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        var settings = try office.settings(for: .intake)
        settings.lanes = 1
        settings.interrupt = { point in
            guard point == .beforeCommit else { return }
            isStuck.signal()
            goesOn.wait()
        }
        let service = WorkerService(
            .intake, settings: settings, logger: .init(label: "test") { _ in office.log }, manager: manager)
        let running = Task { try await service.run() }
        try socket.wait("WATCHDOG=1") { $0 == "WATCHDOG=1" }
        let web = try office.source()
        try web.submit(.new())
        #expect(isStuck.wait(timeout: .now() + 20) == .success)
        // Half the watchdog's time is not over yet; then it is silent for longer than the whole.
        socket.listen(for: 1.6)
        #expect(socket.isSilent(about: "WATCHDOG=1", for: 2.5))
        goesOn.signal()
        try socket.wait("WATCHDOG=1") { $0 == "WATCHDOG=1" }
        running.cancel()
        goesOn.signal()
        try await running.value
        web.close()
        try office.close()
    }

    @Test("a hang-up makes it read its log level again, and say what needs a restart")
    func readsItsLevelAgain() throws {
        let office = try OfficeUnderTest()
        let program = try WorkerProgram(.deadlines, of: office)
        try program.manager.wait("READY=1") { $0 == "READY=1" }
        let text = try String(contentsOf: program.configurationFile, encoding: .utf8)
        try Data(text.replacing("lanes: 2", with: "lanes: 3").appending("log: {level: debug}\n").utf8)
            .write(to: program.configurationFile)
        program.signal(SIGHUP)
        try program.errors(contain: "the configuration was read again")
        #expect(program.errors.contains("keys=lane.lanes level=debug"), "\(program.errors)")
        try Data("lane: [".utf8).write(to: program.configurationFile)
        program.signal(SIGHUP)
        try program.errors(contain: "the configuration cannot be read again")
        #expect(program.isRunning)
        program.signal(SIGTERM)
        #expect(try program.status() == 0)
        try office.close()
    }

    @Test("log lines are JSON objects if that is set")
    func logsJSON() throws {
        let office = try OfficeUnderTest()
        var settings = WorkerProgram.Settings()
        settings.lines = "log: {format: json}"
        let program = try WorkerProgram(.feedback, of: office, settings)
        try program.manager.wait("READY=1") { $0 == "READY=1" }
        program.signal(SIGTERM)
        #expect(try program.status() == 0)
        let lines = program.errors.split(separator: "\n")
        let events = try lines.map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String], "\(line)")
        }
        let ready = try #require(events.first { $0["event"] == "lane ready" })
        #expect(
            ready["worker"] == "feedback" && ready["level"] == "info" && ready["time"] != nil && ready["lane"] != nil)
        try office.close()
    }
}
