import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("bihuan setup")
struct SetupTests {
    @Test("from nothing to a working office: dry run, all, again, interrupted anywhere, two at once")
    func makesAnOffice() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("first")

        let dry = try office.setup("--dry-run")
        #expect(dry.status == 0, "\(dry.errors)")
        #expect(
            dry.output.contains("would make role bihuan_intake") && dry.output.contains("would make database first"))
        #expect(office.files == ["admin", "bihuan.yaml", "broker", "office.yaml"], "a dry run makes nothing")
        #expect(try !servers.databases().contains("first"))

        let first = try office.setup()
        #expect(first.status == 0, "\(first.output)\(first.errors)")
        #expect(first.output.contains("+ database first") && first.output.contains("+ role bihuan_owner"))
        for (path, mode) in [
            ("secrets", 0o700), ("secrets/users-office-intake", 0o600), ("secrets/roles-owner", 0o600),
            ("keys", 0o700), ("keys/digest.key", 0o600), ("keys/vault.key", 0o600), ("bihuan.yaml", 0o644),
        ] { #expect(FileStatus(office.path(path))?.mode == UInt32(mode), "\(path)") }
        #expect(try !office.text("bihuan.yaml").contains(office.text("secrets/roles-intake").trimmed))

        let again = try office.setup()
        #expect(again.status == 0 && !again.output.contains("\n+ "), "\(again.output)")
        let checked = try office.run("topology", "diff")
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        try office.works()

        for lines in stride(from: 1, to: 16, by: 2) {
            let interrupted = try servers.office("cut\(lines)")
            try interrupted.setup(killedAfter: lines)
            let repaired = try interrupted.setup()
            #expect(repaired.status == 0, "killed after \(lines) lines: \(repaired.output)\(repaired.errors)")
            #expect(try interrupted.run("status").status == 0)
        }

        let lock = try SecretsFolder(URL(filePath: office.path("secrets"))).lock()
        let second = try withExtendedLifetime(lock) { try office.setup() }
        #expect(second.status == 1 && second.errors.contains("another `bihuan setup` runs here"), "\(second.errors)")
    }

    @Test("every fault of the file, the settings and the servers is told at once, and nothing is changed")
    func tellsAllFaults() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("faulty")
        try office.write(
            """
            units:
              - {id: a, name: 甲, kind: departmnt, parent: b}
              - {id: b, name: 乙, kind: city, parent: a, levels: [countyy]}
              - {id: b, name: 丙, kind: city}
              - {id: "X Y", name: 丁, kind: city}
            sources:
              - {id: web, name: 网, kind: web, unit: nowhere}
            persons:
              - {id: li, nme: 李, roles: [cleric]}
            unitz: []
            """, to: "office.yaml")
        try office.write("postgresql://postgres:no@127.0.0.1:1/postgres", to: "admin", mode: 0o600)
        let result = try office.setup()
        #expect(result.status == 1)
        for fault in [
            "unknown word \"departmnt\"", "unknown word \"countyy\"", "unit b: stands in line", "\"X Y\"",
            "there is no unit nowhere", "unknown key nme", "units in a circle: a under b under a", "unknown list unitz",
            "the database does not answer", "a person needs an id and a name",
        ] { #expect(result.errors.contains(fault), "\(fault) in \(result.errors)") }
        #expect(office.files == ["admin", "bihuan.yaml", "broker", "office.yaml"])
    }

    @Test("units, sources and staff come from CSV too")
    func readsCSV() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "office-\(UUID().uuidString).csv")
        try Data(
            """
            what,id,name,kind,region,parent,levels,unit,roles,recusedFrom
            unit,p,省,department,p,,"city province",,,
            unit,c01,市,city,p-c01,p,county,,,
            source,web,网络举报,web,,,,,,
            person,li,李组长,,,,,p,"leader clerk",程望山

            """.utf8
        ).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let policy = try PolicyText.rulebook(ShippedPolicyFile.path).policy
        let parties = try OfficeFile.read(file.path, for: policy)
        #expect(parties.units.map(\.id.rawValue) == ["p", "c01"] && parties.units[0].levels == ["city", "province"])
        #expect(parties.sources.map(\.kind) == ["web"])
        #expect(parties.persons.first?.roles == ["leader", "clerk"])
        #expect(parties.persons.first?.recusedFrom == ["程望山"])
    }
}

private enum ShippedPolicyFile {
    static let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Sources/Setup/Installation/Resources/policy_cn_discipline.yaml"
    ).standardizedFileURL.path
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// Private servers that hold nothing of an office.
private final class SetupServers {
    let directory = FileManager.default.temporaryDirectory.appending(
        path: "bihuan-setup-\(UUID().uuidString.prefix(8))")
    let servers: LocalServers
    let managementURL: String

    init() throws {
        let port = try freePort()
        managementURL = "http://127.0.0.1:\(port)"
        var options = LocalServers.Options()
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
private struct NewOffice {
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
    private let broker: [String]

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
