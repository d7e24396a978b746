import Basics
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Installation

@testable import bihuan

/// Private servers that let in whoever shows a certificate of their authority that is not revoked, and nobody by a
/// password; and the folder of an office on them.
final class CertifiedServers {
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
    /// The users of the broker who show a certificate, and the roles of the database.
    static let users =
        Worker.allCases.map { "office.\($0.rawValue)" }
        + [
            "operator", "unit.d1", "unit.s1", "unit.c01", "unit.superior", "unit.case-office", "source.web",
            "person.leader",
        ]
    static let roles = ["intake", "routing", "deadlines", "feedback", "operator", "owner"].map { "bihuan_\($0)" }

    let directory: URL
    let authority: TestAuthority
    /// Those that servers and clients trust.
    var authorities: [TestAuthority]
    let servers: LocalServers
    let amqpsPort: Int
    var office: URL { directory.appending(path: "office") }
    var settings: String { office.appending(path: "bihuan.yaml").path }
    var list: String { authority.file("revoked.crl") }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-certified-\(UUID().uuidString.prefix(8))")
        authority = try TestAuthority("authority", in: directory.appending(path: "tls"))
        try authority.sign(all: Self.users + Self.roles + ["postgres", "broker", "database"])
        try authority.give("broker", to: "rabbitmq")
        try authority.give("database", to: "postgres")
        authorities = [authority]
        try authority.bundle(["authority.pem"], into: "trusted.pem")
        try authority.bundle(["authority.crl"], into: "revoked.crl")
        amqpsPort = try freePort()
        servers = try LocalServers.start(
            in: directory.appending(path: "servers"), definitions: nil,
            options: try Self.options(authority, amqpsPort: amqpsPort))
        do { try writeOffice() } catch {
            close()
            throw error
        }
    }

    func close() {
        servers.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    /// As docs/operating.md says; the private node's other port admits nobody, since EXTERNAL is all it knows.
    private static func options(_ authority: TestAuthority, amqpsPort: Int) throws -> LocalServers.Options {
        var options = LocalServers.Options()
        options.dataChecksums = true
        options.rabbitmqPlugins = ["rabbitmq_auth_mechanism_ssl"]
        options.rabbitmqSettings = [
            "listeners.ssl.1": "127.0.0.1:\(amqpsPort)", "auth_mechanisms.1": "EXTERNAL",
            "ssl_cert_login_from": "common_name",
        ]
        func file(_ name: String) -> String { "\"\(authority.file(name))\"" }
        options.rabbitmqAdvancedSettings = """
            [{rabbit, [{ssl_options, [
                {cacertfile, \(file("trusted.pem"))}, {certfile, \(file("broker.pem"))},
                {keyfile, \(file("broker.key"))}, {verify, verify_peer}, {fail_if_no_peer_cert, true},
                {crl_check, peer}, {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, \(file("lists"))}]}}}]}]}].
            """
        let access = authority.folder.appending(path: "pg_hba.conf")
        try Data(
            """
            hostssl all +bihuan_worker,bihuan_operator,bihuan_owner 127.0.0.1/32 cert clientcert=verify-full
            hostssl all postgres 127.0.0.1/32 cert clientcert=verify-full
            # The private server's own superuser, who watches.
            hostnossl all postgres 127.0.0.1/32 scram-sha-256

            """.utf8
        ).write(to: access)
        options.postgresqlSettings = [
            "ssl": "on", "ssl_cert_file": authority.file("database.pem"),
            "ssl_key_file": authority.file("database.key"),
            "ssl_ca_file": authority.file("trusted.pem"), "ssl_crl_file": authority.file("revoked.crl"),
            "hba_file": access.path,
        ]
        return options
    }

    private func writeOffice() throws {
        try FileManager.default.createDirectory(at: office, withIntermediateDirectories: true)
        let shipped = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../deploy/debian/bihuan.yaml")
        let text = try String(contentsOf: shipped, encoding: .utf8)
            .replacing("amqp://127.0.0.1/bihuan", with: "\"\(brokerURL())\"")
            .replacing("postgresql://127.0.0.1/bihuan", with: "\"\(databaseURL("{role}"))\"")
        try Data(text.utf8).write(to: URL(filePath: settings))
        try write(Self.parties, to: "office.yaml")
        // Beside the private node, so that rabbitmqctl finds it.
        for name in ["rabbitmq", "ports.json", "log"] {
            try FileManager.default.createSymbolicLink(
                at: office.appending(path: name),
                withDestinationURL: directory.appending(path: "servers/\(name)"))
        }
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: office.appending(path: name))
    }

    func brokerURL(_ user: String = "{user}", host: String = "localhost") -> String {
        func file(_ name: String) -> String { authority.file(name) }
        return "amqps://\(host):\(amqpsPort)/bihuan?auth_mechanism=external&cacertfile=\(file("trusted.pem"))"
            + "&crlfile=\(file("revoked.crl"))&certfile=\(file(user + ".pem"))&keyfile=\(file(user + ".key"))"
    }

    /// - Parameter files: the name of the files of the certificate and its key.
    func databaseURL(
        _ files: String, user: String = "", host: String = "localhost", database: String = "bihuan"
    ) -> String {
        func file(_ name: String) -> String { authority.file(name) }
        return "postgresql://\(user.isEmpty ? "" : user + "@")\(host):\(servers.postgresqlPort)/\(database)"
            + "?sslmode=verify-full&sslrootcert=\(file("trusted.pem"))&sslcrl=\(file("revoked.crl"))"
            + "&sslcert=\(file(files + ".pem"))&sslkey=\(file(files + ".key"))"
    }

    func run(_ words: String...) throws -> Program.Result {
        try Program.run(Program.bihuan, words + ["--config", settings])
    }

    func setup() throws -> Program.Result {
        try run(
            "setup", "--office", office.appending(path: "office.yaml").path, "--admin-database",
            databaseURL("postgres", user: "postgres", database: "postgres"))
    }

    /// Gives everybody the certificates and lists of the authorities as they are now, and makes both servers read
    /// their files again, as docs/operating.md says.
    func takeFiles() throws {
        try authority.bundle(authorities.map { "\($0.name).pem" }, into: "trusted.pem")
        try authority.bundle(authorities.map { "\($0.name).crl" }, into: "revoked.crl")
        try reloadDatabase()
        _ = try servers.rabbitmqctl(["eval", "ssl:clear_pem_cache()."])
    }

    private func reloadDatabase() throws {
        let log = directory.appending(path: "servers/log/postgresql.log")
        func count() throws -> Int {
            try String(contentsOf: log, encoding: .utf8).matches(of: /received SIGHUP/).count
        }
        let before = try count()
        kill(try #require(servers.postgresqlProcessID), SIGHUP)
        // The process that says so reads the files before it accepts the next connection.
        try eventually("the database reads its files again") { try count() > before }
    }

    /// A superuser's connection to the office's database.
    func superuser() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: superuserURL))
    }

    var superuserURL: String { servers.superuserURL.replacing(/postgres$/, with: "bihuan?sslmode=disable") }
}
