import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PartyClient
import PostgreSQL
import SimulatedUnits
import TestOffice
import Testing
@testable import Installation

@testable import bihuan

@Suite("An office without passwords", .serialized)
struct CertifiedOfficeTests {
    @Test("workers, commands, a source and a unit show certificates, and a report goes round; no password is anywhere")
    func worksWithoutPasswords() throws {
        let servers = try CertifiedServers()
        defer { servers.close() }
        let made = try servers.setup()
        try #require(made.status == 0, "\(made.output)\(made.errors)")
        let again = try servers.setup()
        #expect(again.status == 0 && !again.output.contains("\n+ "), "\(again.output)\(again.errors)")
        try hasNoPasswords(servers)
        let checked = try Program.run(
            Program.bihuan,
            ["config", "check", "--config", servers.settings] + Worker.allCases.flatMap { ["--worker", $0.rawValue] })
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")

        let workers = WatchedWorkers(settings: servers.settings)
        try workers.startAll()
        try goesRound(servers)
        let recall = try servers.run(
            "recall", "00000000-0000-7000-8000-000000000000", "--reason", "错发", "--as", "leader")
        #expect(recall.status == 1 && recall.errors.hasPrefix("refused: "), "the office heard it: \(recall.errors)")
        let status = try servers.run("status")
        #expect(status.status == 0, "\(status.output)\(status.errors)")
        let compared = try servers.run("topology", "diff")
        #expect(compared.status == 0, "\(compared.output)\(compared.errors)")
        try doctorIsContent(servers)
        for worker in Worker.allCases { #expect(workers.isRunning(worker), "\(workers.log(of: worker))") }
    }

    /// The office makes none, and neither server has one.
    private func hasNoPasswords(_ servers: CertifiedServers) throws {
        let secrets = servers.office.appending(path: "secrets").path
        let files = try FileManager.default.contentsOfDirectory(atPath: secrets)
        #expect(files.contains("users-office-intake") && files.contains("roles-owner"), "the units name them")
        for file in files {
            #expect(try String(contentsOfFile: "\(secrets)/\(file)", encoding: .utf8).trimmed.isEmpty, "\(file)")
        }
        let superuser = try servers.superuser()
        defer { superuser.close() }
        #expect(try superuser.run(RolesWithPasswords()).rows == ["postgres"], "it is the private server's own")
        let users = try servers.servers.rabbitmqctl(["-q", "export_definitions", "-", "--format", "json"])
        let hashes = users.matches(of: /"password_hash":"([^"]+)"/).map { String($0.1) }
        #expect(users.contains("\"office.intake\"") && hashes.count <= 1, "only guest, who is the broker's own")
    }

    private func goesRound(_ servers: CertifiedServers) throws {
        let journals = servers.office.appending(path: "journals")
        try FileManager.default.createDirectory(at: journals, withIntermediateDirectories: true)
        let units = SimulatedUnits(
            units: ["c01", "case-office"].map { UnitLogin(id: UnitID(unchecked: $0), password: "") },
            broker: try AMQP.ConnectionSettings(url: servers.brokerURL()), clock: .real, behaviour: .plain,
            journals: journals)
        let stop = StopSignal()
        let thread = WorkThread(named: "units") { try? units.run(until: stop) }
        defer {
            stop.stop()
            thread.join()
        }
        try servers.write(
            """
            {"id":"1","title":"反映某市某局问题","text":"该局副局长张三在工程招标中收受贿赂，数额巨大。",\
            "accused":[{"name":"张三","position":"副局长","level":"county","region":"p-c01"}]}

            """, to: "reports.jsonl")
        let sent = try servers.run("submit", "--source", "web", "--file", servers.office.path + "/reports.jsonl")
        #expect(sent.status == 0 && sent.output.contains("1 submitted"), "\(sent.output)\(sent.errors)")
        let superuser = try servers.superuser()
        defer { superuser.close() }
        try eventually("the report is closed", within: 30) {
            try superuser.run(ReportStates()).rows == ["closed"]
        }
    }

    private func doctorIsContent(_ servers: CertifiedServers) throws {
        var said = ""
        try? eventually(within: 30) {
            let result = try Program.run(
                Program.bihuan,
                ["doctor", "--config", servers.settings] + Worker.allCases.flatMap { ["--worker", $0.rawValue] })
            said = result.output + result.errors
            return result.status == 0
        }
        let ill = said.split(separator: "\n").filter { $0.hasPrefix("!") || $0.hasPrefix("?") }
            .map { $0.split(separator: " ")[1] }
        // What the server's disk holds, only a superuser sees; this machine's own depends on nothing here.
        #expect(ill.filter { !["database.disk", "configuration.disk"].contains($0) } == [], "\(said)")
        #expect(said.contains("configuration.certificates") && said.contains("database.logins"))
    }
}

private struct RolesWithPasswords: Statement {
    static let sql = "SELECT rolname::text FROM pg_authid WHERE rolpassword IS NOT NULL"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

struct ReportStates: Statement {
    static let sql = "SELECT state::text FROM report ORDER BY number"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
