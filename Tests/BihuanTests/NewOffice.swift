import BrokerTopology
import CaseStore
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// Private servers that hold nothing of an office.
final class SetupServers {
    let directory = FileManager.default.temporaryDirectory.appending(
        path: "bihuan-setup-\(UUID().uuidString.prefix(8))")
    let servers: LocalServers
    let managementURL: String

    /// - Parameter settings: lines for `postgresql.conf`.
    init(settings: [String: String] = [:]) throws {
        let port = try freePort()
        managementURL = "http://127.0.0.1:\(port)"
        var options = LocalServers.Options()
        options.postgresqlSettings = settings
        options.dataChecksums = true
        options.rabbitmqPlugins = ["rabbitmq_management"]
        options.rabbitmqSettings = ["management.tcp.ip": "127.0.0.1", "management.tcp.port": "\(port)"]
        servers = try LocalServers.start(in: directory, definitions: nil, options: options)
        _ = try servers.rabbitmqctl(["add_user", "admin", "administrator"])
        _ = try servers.rabbitmqctl(["set_user_tags", "admin", "administrator"])
    }

    func close() {
        servers.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    func databases() throws -> [String] {
        let superuser = try PostgreSQL.Connection(ConnectionSettings(url: servers.superuserURL))
        defer { superuser.close() }
        return try superuser.run(ReadDatabaseNames()).rows
    }

    func office(_ name: String) throws -> NewOffice { try NewOffice(name, self) }
}

/// The folder of a new office, with a database and a virtual host of this name.
struct NewOffice {
    private static let office = """
        units:
          - {id: d1, name: 第一监督检查室, kind: department, region: p, levels: [city, province]}
          - {id: c01, name: 某市纪委监委, kind: city, region: p-c01, levels: [village, township, county, city]}
          - {id: superior, name: 上级, kind: superior, levels: [central]}
          - {id: case-office, name: 案管室, kind: case_office}
        sources:
          - {id: web, name: 网络举报, kind: web}
        persons:
          - {id: leader, name: 贺正明, roles: [leader, supervisor]}
        """

    let folder: URL
    /// The options that lead to the broker's control.
    let broker: [String]

    init(_ name: String, _ servers: SetupServers) throws {
        folder = servers.directory.appending(path: "office-\(name)")
        broker = [
            "--management", servers.managementURL, "--management-user", "admin", "--management-password-file",
            folder.appending(path: "broker").path,
        ]
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let shipped = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../deploy/debian/bihuan.yaml")
        let settings = try String(contentsOf: shipped, encoding: .utf8)
            .replacing(
                "amqp://127.0.0.1/bihuan", with: "amqp://127.0.0.1:\(servers.servers.rabbitmqPort)/\(name)"
            )
            .replacing(
                "postgresql://127.0.0.1/bihuan",
                with: "postgresql://127.0.0.1:\(servers.servers.postgresqlPort)/\(name)")
        try write(settings, to: "bihuan.yaml")
        try write(Self.office, to: "office.yaml")
        try write(servers.servers.superuserURL, to: "admin", mode: 0o600)
        try write("administrator", to: "broker", mode: 0o600)
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? [] }

    func write(_ text: String, to name: String, mode: UInt32 = 0o644) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
        chmod(path(name), mode)
    }

    private var setupArguments: [String] {
        [
            "setup", "--config", path("bihuan.yaml"), "--office", path("office.yaml"), "--admin-database-file",
            path("admin"),
        ] + broker
    }

    func setup(_ more: String...) throws -> Program.Result { try Program.run(Program.bihuan, setupArguments + more) }

    func run(_ words: String...) throws -> Program.Result {
        let way = words.first == "topology" ? broker : []
        return try Program.run(Program.bihuan, words + ["--config", path("bihuan.yaml")] + way)
    }

    /// Starts it and does not wait.
    func beginSetup() throws -> Program.Running { try Program.begin(Program.bihuan, setupArguments) }

    /// Runs it and kills it as soon as it has printed so many lines.
    func setup(killedAfter lines: Int) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: Program.bihuan)
        process.arguments = setupArguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var seen = 0
        while seen < lines, let byte = try output.fileHandleForReading.read(upToCount: 1), let first = byte.first {
            if first == UInt8(ascii: "\n") { seen += 1 }
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The folder lies beside the private node as the directory of an office with private servers does, so that
    /// rabbitmqctl finds the node.
    /// - Returns: the options that lead there.
    func besideTheNode(_ servers: SetupServers) throws -> [String] {
        for name in ["rabbitmq", "ports.json", "log"] {
            try FileManager.default.createSymbolicLink(
                atPath: path(name), withDestinationPath: servers.directory.appending(path: name).path)
        }
        return []
    }

    /// Its workers start, and register and route a report.
    func works() throws {
        let workers = try WorkerProcesses(
            .init(
                executable: Program.bihuan,
                arguments: [
                    "--config", path("bihuan.yaml"), "--until-input-ends", "--set", "monitor.port=0",
                ],
                countPerWorker: 1, log: { worker in folder.appending(path: "\(worker.rawValue).log") },
                report: { _ in }))
        workers.start()
        defer { workers.stop() }
        try submit()
    }

    /// Sends one report.
    func submit() throws {
        try write(
            """
            {"id":"1","title":"反映某市某局问题","text":"该局副局长张三在工程招标中收受贿赂，数额巨大。",\
            "accused":[{"name":"张三","position":"副局长","level":"county","region":"p-c01"}]}

            """, to: "reports.jsonl")
        let sent = try Program.run(
            Program.bihuan,
            ["submit", "--config", path("bihuan.yaml"), "--source", "web", "--file", path("reports.jsonl")])
        #expect(sent.status == 0, "\(sent.output)\(sent.errors)")
    }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
