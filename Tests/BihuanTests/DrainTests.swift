import Contract
import Foundation
import TestOffice
import Testing

@testable import Basics

@Suite("Draining a machine")
struct DrainTests {
    @Test("workers finish, their leases are free when the command ends, and one that stands still is told, not killed")
    func drainsWorkers() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("drained")
        #expect(try office.setup().status == 0)
        #expect(try office.run("drain").output == "no worker of this office runs on this machine\n")
        #expect(try office.run("drain", "routign").status == 64)
        let (first, second, other) = (
            try start(.routing, 1, office), try start(.routing, 2, office), try start(.feedback, 1, office)
        )
        defer { for process in [first, second, other] { process.terminate() } }

        // A process that stands still ends too late.
        kill(other.processIdentifier, SIGSTOP)
        let late = try office.run("drain", "feedback", "--timeout", "2")
        #expect(late.status == 1)
        #expect(late.errors.contains("feedback \(other.processIdentifier) has not ended within 2 s"))
        kill(other.processIdentifier, SIGCONT)

        let drained = try office.run("drain", "routing")
        #expect(drained.status == 0)
        for process in [first, second] {
            #expect(drained.output.contains("routing \(process.processIdentifier) has ended; its leases are free"))
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        #expect(drained.errors.contains("no other routing worker runs"))
        #expect(try office.run("drain").status == 0)
    }

    /// A worker process whose lanes have started.
    private func start(_ worker: Worker, _ number: Int, _ office: NewOffice) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: Program.bihuan)
        process.arguments = [worker.rawValue, "--config", office.path("bihuan.yaml"), "--set", "monitor.port=0"]
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BIHUAN_") }
        process.standardInput = FileHandle.nullDevice
        let log = "\(worker.rawValue)-\(number).log"
        try office.write("", to: log)
        let handle = try #require(FileHandle(forWritingAtPath: office.path(log)))
        (process.standardOutput, process.standardError) = (handle, handle)
        try process.run()
        try eventually("\(worker) starts", within: 30) { try office.text(log).contains("lane ready") }
        return process
    }
}
