import AMQP
import AuditStore
import BrokerTopology
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("The program is removed while it runs", .serialized)
struct RemovedProgramTests {
    @Test("the workers that run go on; one that ends comes back when the program is there again; nothing is lost")
    func worksWithoutItsFile() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-removed-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appending(path: "bihuan")
        try FileManager.default.copyItem(atPath: Program.bihuan, toPath: program.path)
        var options = LocalOffice.Options(directory: folder.appending(path: "office"))
        options.executable = program.path
        options.report = { _ in }
        let office = try await LocalOffice.start(options)
        defer { office.stop() }
        let data = ["--data", office.directory.path]
        func submit(_ id: String) throws -> Program.Result {
            let file = folder.appending(path: "reports.jsonl")
            try Data("{\"id\":\"\(id)\",\"title\":\"反映\",\"text\":\"某镇干部贪污公款，\(UUID().uuidString)。\"}\n".utf8)
                .write(to: file)
            return try Program.run(Program.bihuan, ["submit", "--file", file.path, "--timeout", "5"] + data)
        }

        try FileManager.default.removeItem(at: program)
        let first = try submit("r-1")
        #expect(first.status == 0, "\(first.output)\(first.errors)")
        let running = office.workers.running.count
        office.workers.signal(SIGKILL, to: .intake)
        try await eventually("it ended") { office.workers.running.count == running - 1 }
        let second = try submit("r-2")
        #expect(second.status != 0, "it waits in its queue: \(second.output)\(second.errors)")

        try FileManager.default.copyItem(atPath: Program.bihuan, toPath: program.path)
        try await eventually("it is back", within: 60) { office.workers.running.count == running }
        let again = try submit("r-3")
        #expect(again.status == 0, "\(again.output)\(again.errors)")
        try await eventually("all are registered") {
            let connection = try PostgreSQL.Connection(office.configuration.databaseSettings("test"))
            defer { connection.close() }
            return try connection.run(CountReports()).rows.reduce(0) { $0 + $1.count } == 3
        }
    }
}
