import AMQP
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// What docs/operating.md says about replacing passwords and certificates, done while reports are submitted, signed for
/// and concluded all the time. At the end the witness finds every report, each once.
@Suite("Rotation under load", .serialized)
struct RotationTests {
    @Test("every password is replaced, in the right order and in the wrong one, and nothing is lost or doubled")
    func replacesPasswords() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try PasswordOffice(servers)
        let (load, workers) = (office.load, office.workers)
        try load.goesOn("the start")

        // Those of workers: written, given to the servers, and the worker started again; for others SIGHUP is enough.
        for name in ["users-office-intake", "users-office-routing", "roles-feedback", "roles-deadlines"] {
            try office.renew(name)
        }
        try office.setup()
        try workers.restart(.intake)
        for worker in [Worker.routing, .feedback, .deadlines] { try workers.reload(worker) }
        for user in ["office.intake", "office.routing"] { try office.cut(user) }
        for role in ["bihuan_feedback", "bihuan_deadlines"] { try office.endSessions(of: role) }
        try load.goesOn("new passwords of workers")
        // Those of parties: their own systems get them.
        for name in ["users-source-web", "users-unit-c01"] { try office.renew(name) }
        // Those of commands.
        for name in ["users-operator", "roles-operator", "roles-owner"] { try office.renew(name) }
        try office.setup()
        try load.restartParties()
        for user in ["source.web", "unit.c01"] { try office.cut(user) }
        try load.goesOn("new passwords of parties")
        let status = try office.home.run("status")
        #expect(status.status == 0, "\(status.output)\(status.errors)")
        let checkpoint = try office.home.run("ledger", "checkpoint")
        #expect(checkpoint.status == 0, "\(checkpoint.output)\(checkpoint.errors)")

        try inTheWrongOrder(office)
        #expect(workers.failed == [])
        for worker in Worker.allCases { #expect(workers.isRunning(worker), "\(workers.log(of: worker))") }
        try load.allCameThroughOnce(servers.servers, virtualHost: "rotated")
    }

    /// The servers have the new password before the worker does: one that works waits, one that starts ends with 78,
    /// both say why, and both go on when they have it.
    private func inTheWrongOrder(_ office: PasswordOffice) throws {
        let (load, workers) = (office.load, office.workers)
        _ = try office.servers.servers.rabbitmqctl(["change_password", "office.feedback", "newer"])
        try office.sql("ALTER ROLE bihuan_intake PASSWORD 'newer'")
        try office.cut("office.feedback")
        try office.endSessions(of: "bihuan_intake")
        for (worker, reason) in [(Worker.feedback, "authenticationFailed"), (.intake, "28P01")] {
            try eventually("\(worker.rawValue) says why: \(workers.log(of: worker).suffix(2_000))") {
                workers.log(of: worker).contains(reason)
            }
            #expect(workers.isRunning(worker))
        }
        let second = WatchedWorkers(settings: office.home.path("bihuan.yaml"), logsIn: "second")
        for (worker, reason) in [(Worker.feedback, "office.feedback"), (.intake, "bihuan_intake")] {
            try second.start(worker, waits: false)
            #expect(try second.waitForEnd(of: worker) == 78, "\(second.log(of: worker))")
            #expect(second.log(of: worker).contains("Error: "), "\(reason): \(second.log(of: worker))")
        }
        try office.home.write("newer\n", to: "secrets/users-office-feedback", mode: 0o600)
        try office.home.write("newer\n", to: "secrets/roles-intake", mode: 0o600)
        for worker in [Worker.feedback, .intake] { try workers.reload(worker) }
        try load.goesOn("the wrong order")
        for worker in [Worker.feedback, .intake] { try second.start(worker) }
        for worker in [Worker.feedback, .intake] { second.stop(worker) }
        #expect(second.failed == [])
    }

    @Test("the certificates of workers and servers, the list of revoked ones and the authority are replaced likewise")
    func replacesCertificates() throws {
        let servers = try CertifiedServers()
        defer { servers.close() }
        let made = try servers.setup()
        try #require(made.status == 0, "\(made.output)\(made.errors)")
        let workers = WatchedWorkers(settings: servers.settings)
        try workers.startAll()
        let load = try servers.load()
        try load.goesOn("the start")

        // A worker's own: the next connection shows the new one.
        let old = try servers.authority.serial(of: "bihuan_intake")
        for (user, role) in [("office.intake", "bihuan_intake"), ("office.feedback", "bihuan_feedback")] {
            try servers.authority.sign(user, as: user)
            try servers.authority.sign(role, as: role)
        }
        try servers.cut()
        try load.goesOn("new certificates of workers")
        #expect(try servers.peers().contains(servers.authority.serial(of: "bihuan_intake")))
        #expect(try !servers.peers().contains(old))

        // The servers' own.
        try servers.renewServers(by: servers.authority)
        try servers.cut()
        try load.goesOn("new certificates of the servers")

        // The list, with one more that is revoked.
        try servers.authority.revoke("person.leader")
        try servers.takeFiles()
        let refused = try servers.run(
            "recall", "00000000-0000-7000-8000-000000000000", "--reason", "错", "--as", "leader")
        #expect(refused.status == 1 && refused.errors.contains("certificate revoked"), "\(refused.errors)")
        try servers.cut()
        try load.goesOn("a new list")

        // The authority: everybody trusts both, then everybody gets a new certificate, then the old one goes.
        let next = try TestAuthority("next", in: servers.authority.folder)
        servers.authorities = [servers.authority, next]
        try servers.takeFiles()
        try servers.cut()
        try load.goesOn("two authorities")
        try next.sign(all: CertifiedServers.users + CertifiedServers.roles)
        try servers.cut()
        try load.goesOn("clients of the next authority")
        try servers.renewServers(by: next)
        try servers.cut()
        try load.goesOn("servers of the next authority")
        servers.authorities = [next]
        try servers.takeFiles()
        try servers.cut()
        try load.goesOn("the next authority alone")
        try servers.authority.sign("latecomer", as: "office.intake")
        #expect(throws: AMQPError.self) {
            try AMQP.Connection(AMQP.ConnectionSettings(url: servers.brokerURL("latecomer")))
        }

        for worker in Worker.allCases { #expect(workers.isRunning(worker), "\(workers.log(of: worker))") }
        #expect(workers.failed == [])
        try load.allCameThroughOnce(servers.servers, virtualHost: "bihuan")
    }
}

/// An office with passwords, its workers, and a load on it.
private final class PasswordOffice {
    let servers: SetupServers
    let home: NewOffice
    let workers: WatchedWorkers
    let load: OfficeLoad

    init(_ servers: SetupServers) throws {
        self.servers = servers
        let home = try servers.office("rotated")
        self.home = home
        let made = try home.setup()
        try #require(made.status == 0, "\(made.output)\(made.errors)")
        workers = WatchedWorkers(settings: home.path("bihuan.yaml"))
        try workers.startAll()
        load = try OfficeLoad(
            .init(
                folder: home.folder,
                broker: .init(
                    host: "127.0.0.1", port: servers.servers.rabbitmqPort, virtualHost: "rotated", user: "",
                    password: ""),
                database: servers.servers.superuserURL.replacing(/postgres$/, with: "rotated"),
                digestKey: home.folder.appending(path: "keys/digest.key"),
                password: { party in
                    let name = "secrets/users-" + party.description.replacing(".", with: "-")
                    return (try? home.text(name).trimmed) ?? ""
                }))
    }

    /// Writes a new password into a file of the folder of secrets, as the page says.
    func renew(_ name: String) throws {
        let file = home.path("secrets/\(name)")
        let before = try home.text("secrets/\(name)")
        let script = "umask 077; openssl rand -hex 24 > '\(file).new' && mv '\(file).new' '\(file)'"
        try #require(try Program.run("/bin/sh", ["-eu", "-c", script]).status == 0)
        #expect(try home.text("secrets/\(name)") != before)
    }

    func setup() throws {
        let result = try home.setup()
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    /// Closes the connections of a user of the broker, so that its next one needs the new password.
    func cut(_ user: String) throws {
        _ = try servers.servers.rabbitmqctl(["close_all_user_connections", user, "new password"])
    }

    func endSessions(of role: String) throws {
        try sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)'")
    }

    func sql(_ text: String) throws {
        let superuser = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: servers.servers.superuserURL))
        defer { superuser.close() }
        try superuser.execute(text)
    }
}

extension CertifiedServers {
    fileprivate func load() throws -> OfficeLoad {
        try OfficeLoad(
            .init(
                folder: office, broker: try AMQP.ConnectionSettings(url: brokerURL()),
                database: superuserURL, digestKey: office.appending(path: "keys/digest.key"),
                password: { _ in "" }))
    }

    fileprivate func renewServers(by authority: TestAuthority) throws {
        for (name, account) in [("broker", "rabbitmq"), ("database", "postgres")] {
            let before = try authority.serial(of: name)
            try authority.sign(name, as: name)
            try authority.give(name, to: account)
            #expect(try authority.serial(of: name) != before)
        }
        try takeFiles()
        #expect(try shownByBroker() == authority.serial(of: "broker"))
        #expect(try shownByDatabase() == authority.serial(of: "database"))
    }

    /// Closes every connection to both servers, so that the next ones show and see the new certificates.
    fileprivate func cut() throws {
        _ = try servers.rabbitmqctl(["close_all_connections", "new certificates"])
        let superuser = try superuser()
        defer { superuser.close() }
        try superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'bihuan%'")
    }

    /// The serial numbers of the certificates that sessions of the database show.
    fileprivate func peers() throws -> [String] {
        let superuser = try superuser()
        defer { superuser.close() }
        return try superuser.run(ReadSerials()).rows
    }

    fileprivate func shownByBroker() throws -> String { try shown("-connect localhost:\(amqpsPort)") }
    fileprivate func shownByDatabase() throws -> String {
        try shown("-starttls postgres -connect localhost:\(servers.postgresqlPort)")
    }

    /// The serial number of the certificate that a server shows now.
    private func shown(_ place: String) throws -> String {
        let script = "openssl s_client \(place) </dev/null 2>/dev/null | openssl x509 -noout -serial"
        return try Program.run("/bin/sh", ["-c", script]).output.trimmed
    }
}

extension TestAuthority {
    /// `serial=` and the number, as OpenSSL writes it.
    fileprivate func serial(of file: String) throws -> String {
        try Program.run("/usr/bin/openssl", ["x509", "-noout", "-serial", "-in", self.file("\(file).pem")]).output
            .trimmed
    }
}

private struct ReadSerials: Statement {
    static let sql =
        "SELECT 'serial=' || upper(to_hex(client_serial::bigint)) FROM pg_stat_ssl WHERE client_serial IS NOT NULL"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
