import AMQP
import CaseStore
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// An office that `bihuan setup` made on private servers, with its workers, a report that was handed off, and what a
/// superuser and an administrator may do to it.
final class ExaminedOffice {
    /// What the policy needs, so that nothing is missing.
    private static let parties = """
        units:
          - {id: d1, name: 第一监督检查室, kind: department, region: p, levels: [city, province]}
          - {id: s1, name: 驻某厅纪检监察组, kind: stationed, region: p-s1, levels: [county, city]}
          - {id: c01, name: 某市纪委监委, kind: city, region: p-c01, levels: [village, township, county, city]}
          - {id: superior, name: 上级, kind: superior, levels: [central]}
          - {id: case-office, name: 案管室, kind: case_office}
        sources:
          - {id: web, name: 网络举报, kind: web}
        persons:
          - {id: leader, name: 贺正明, roles: [leader, supervisor, operator]}

        """

    let servers: SetupServers
    let office: NewOffice
    private var workers: [Worker: Process] = [:]

    init() throws {
        servers = try SetupServers(settings: ["max_prepared_transactions": "5"])
        office = try servers.office("first")
        do {
            try office.write(Self.parties, to: "office.yaml")
            let made = try office.setup()
            try #require(made.status == 0, "\(made.output)\(made.errors)")
            for worker in Worker.allCases { try start(worker) }
            try office.submit()
            try eventually("the report is handed off", within: 60) {
                try one(CountDispatched()) == 1
            }
        } catch {
            close()
            throw error
        }
    }

    func close() {
        for worker in workers.keys { stop(worker) }
        servers.close()
    }

    // MARK: Workers

    /// - Returns: reads what it has logged since.
    @discardableResult
    func start(_ worker: Worker, _ more: [String] = []) throws -> () -> String {
        let process = Process()
        process.executableURL = URL(filePath: Program.bihuan)
        process.arguments =
            [worker.rawValue, "--config", office.path("bihuan.yaml"), "--set", "monitor.port=0"] + more
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BIHUAN_") }
        process.standardInput = FileHandle.nullDevice
        let log = office.path("\(worker.rawValue).log")
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let handle = try #require(FileHandle(forWritingAtPath: log))
        let begin = try handle.seekToEnd()
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        workers[worker] = process
        return {
            String(decoding: FileManager.default.contents(atPath: log)?.dropFirst(Int(begin)) ?? Data(), as: UTF8.self)
        }
    }

    func stop(_ worker: Worker) {
        guard let process = workers.removeValue(forKey: worker) else { return }
        process.terminate()
        process.waitUntilExit()
    }

    // MARK: By hand

    /// As the database's superuser, in the office's database.
    func sql(_ text: String) throws {
        let superuser = try superuser()
        defer { superuser.close() }
        try superuser.execute(text)
    }

    /// The sessions of the office's database, but for this one.
    func sessions() throws -> Int { try one(CountSessions()) }

    private func one<S: Statement>(_ statement: S) throws -> S.Row {
        let superuser = try superuser()
        defer { superuser.close() }
        return try #require(try superuser.run(statement).rows.first)
    }

    private func superuser() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(
            ConnectionSettings(url: servers.servers.superuserURL.replacing(/postgres$/, with: "first")))
    }

    func administer(_ method: String, _ path: [String], _ body: String? = nil) throws {
        try ManagementAccess(
            try #require(URL(string: servers.managementURL)), user: "admin", password: "administrator",
            broker: .init(host: "", user: "", password: "")
        ).send(method, path, body.map { Data($0.utf8) })
    }

    func move(_ file: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: office.path(file), toPath: office.path(other))
    }

    // MARK: The doctor

    struct Said {
        struct Check: Decodable {
            struct Finding: Decodable {
                var severity: String
                var text: String
                var advice: String?
            }
            var check: String
            var status: String
            var findings: [Finding]
        }
        let status: Int32
        let output: String
        let errors: String
        let checks: [String: Check]

        func text(of check: String) -> String {
            guard let found = checks[check] else { return "nothing" }
            return "\(found.status): "
                + found.findings.map { "\($0.text) → \($0.advice ?? "")" }.joined(separator: "; ")
        }
        func isWell(_ check: String) -> Bool { ["ok", "untold"].contains(checks[check]?.status) }
    }

    func doctor(_ more: [String] = [], way: [String]? = nil) throws -> Said {
        let result = try Program.run(
            Program.bihuan,
            ["doctor", "--json", "--config", office.path("bihuan.yaml")] + (way ?? office.broker) + more)
        let checks = try result.output.split(separator: "\n").map {
            try JSONDecoder().decode(Said.Check.self, from: Data($0.utf8))
        }
        return Said(
            status: result.status, output: result.output, errors: result.errors,
            checks: Dictionary(uniqueKeysWithValues: checks.map { ($0.check, $0) }))
    }

    /// Every check is well, but for what the management interface does not tell.
    func isWell(after round: String = "setup") throws {
        var last: Said?
        try? eventually(within: 90) {
            let said = try doctor(["--worker", "intake"])
            last = said
            return said.status == 0
        }
        let said = try #require(last)
        // How full this machine's disk is depends on nothing here.
        let ill = said.checks.values.filter { $0.status != "ok" && $0.check != "configuration.disk" }
        #expect(ill.filter { $0.status != "untold" }.map { said.text(of: $0.check) } == [], "after \(round)")
        #expect(Set(ill.map(\.check)).isSubset(of: ["database.disk", "broker.limits"]), "after \(round)")
        #expect(said.checks.count == DoctorCheck.all.count)
        try showsNoSecret(said.output + said.errors)
    }

    func showsNoSecret(_ text: String) throws {
        for folder in ["secrets", "keys"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: office.path(folder)) {
                guard let secret = try? office.text("\(folder)/\(name)").trimmed, !secret.isEmpty else { continue }
                #expect(!text.contains(secret), "\(name) is shown")
            }
        }
    }
}

private struct CountDispatched: Statement {
    static let sql = "SELECT count(*) FROM handoff WHERE state = 'dispatched'"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct CountSessions: Statement {
    static let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'first' AND pid <> pg_backend_pid()"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// A port on which connections are made and nothing is ever answered.
final class SilentPort {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let socket = descriptor
        try #require(Loopback.withAddress(port: 0) { bind(socket, $0, $1) } == 0 && listen(socket, 64) == 0)
        port = Loopback.port(of: descriptor)
    }

    func close() { Glibc.close(descriptor) }
}
