import AMQP
import Foundation
import PostgreSQL
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("Secrets")
struct SecretTests {
    @Test(
        "a secret file that others may read or write is refused at start, with its name, mode and remedy",
        arguments: [
            "bihuan.yaml", "digest.key", "checkpoint.key", "tls.key", "keys/attachments.key", "keys/dead-letters.key",
        ],
        ["644", "640", "604", "620"])
    func refusesSecretsOthersMayRead(_ name: String, _ mode: String) throws {
        let home = try Home()
        try home.setMode(mode, of: name)
        let result = try home.run("intake")
        #expect(result.status == 78 && result.output.isEmpty)
        let file = home.path(name)
        #expect(
            result.errors.contains(
                "\(file) holds secrets and others may read or write it (mode 0\(mode)): chmod 600 \(file)"),
            "\(result.errors)")
    }

    @Test(
        "the same holds for files that the command line names",
        arguments: [
            ["topology", "show", "--json", "--passwords", "FILE"], ["submit", "--file", "-", "--url-file", "FILE"],
            ["migrate", "--database-file", "FILE"], ["contract", "check", "--unit", "c01", "--amqp-file", "FILE"],
            ["contract", "check", "--unit", "c01", "--password-file", "FILE"],
            ["bench", "--amqp-file", "FILE", "--database-file", "FILE"],
        ])
    func refusesOpenFilesOnTheCommandLine(_ words: [String]) throws {
        let home = try Home()
        let file = home.path("secret")
        try Data("amqp://source.web:s@127.0.0.1:1/v\n".utf8).write(to: URL(filePath: file))
        try home.setMode("644", of: "secret")
        // The topology is read from a database first.
        if words[0] == "topology" {
            #expect(throws: UserError.self) { try PasswordFile(URL(filePath: file)) }
            return
        }
        let result = try Program.run(Program.with(words.first), words.map { $0 == "FILE" ? file : $0 })
        #expect(result.status == 1 && result.errors.contains("mode 0644): chmod 600 \(file)"), "\(result.errors)")
    }

    @Test("a worker without a key that it needs does not start, and names the file; it reads no other worker's key")
    func namesMissingKey() throws {
        let home = try Home()
        let key = home.path("keys/attachments.key")
        try FileManager.default.removeItem(atPath: key)
        let result = try home.run("intake")
        #expect(
            result.status == 78
                && result.errors.contains("the attachments key file cannot be read: \(key)"),
            "\(result.errors)")
        #expect(!result.errors.contains("deferred") && !result.errors.contains("handoffs"))
    }

    @Test("a secret file of another user is refused", .enabled(if: geteuid() == 0, "only root can give files away"))
    func refusesFilesOfOtherUsers() throws {
        let home = try Home()
        #expect(chown(home.path("digest.key"), 65_534, 65_534) == 0)
        let result = try home.run("intake")
        #expect(
            result.status == 78
                && result.errors.contains("digest.key holds secrets and belongs to another user (number 65534)"),
            "\(result.errors)")
    }

    @Test(
        "a password on the command line is refused, with the place where it belongs",
        arguments: [
            ["submit", "--file", "-", "--url", "amqp://source.web:S3cret@127.0.0.1/v"],
            ["migrate", "--database", "postgresql://o:S3cret@127.0.0.1/b"],
            ["migrate", "--database", "host=127.0.0.1 password=S3cret"],
            ["migrate", "--database", "postgresql://o@127.0.0.1/b?password=S3cret"],
            ["contract", "check", "--unit", "c01", "--amqp", "amqp://u:S3cret@127.0.0.1/v"],
            ["bench", "--amqp", "amqp://u:S3cret@127.0.0.1", "--database", "postgresql://h/b"],
            ["bench", "--amqp", "amqp://h", "--database", "postgresql://u:S3cret@h/b"],
            ["status", "--config", "/nowhere", "--set", "users.operator=S3cret"],
            ["intake", "--config", "/nowhere", "--set", "database.url=postgresql://w:S3cret@127.0.0.1/b"],
        ])
    func refusesPasswordsOnTheCommandLine(_ words: [String]) throws {
        let result = try Program.run(Program.with(words.first), words)
        #expect(result.status != 0 && result.errors.contains("list of processes"), "\(result.errors)")
        #expect(!result.errors.contains("S3cret") || words.contains("--set"), "it is not repeated")
        #expect(result.errors.contains("BIHUAN_"))
    }

    @Test("a URL without a password is allowed on the command line")
    func allowsURLWithoutPassword() {
        for url in [
            "postgresql://o@h:5432/b", "amqp://h:5672/v", "postgresql://h1:1,h2:2/b?passfile=/x", "host=h user=o",
            "amqp://[::1]:1/a@b",
        ] {
            #expect(!SecretOption.holdsPassword(url), "\(url)")
        }
        for url in [
            "amqp://u:p@h", "amqp://u:p@p@h", "postgresql://:p@/b", "user=a  password = b",
            "postgresql://h/b?a=b&password=c",
        ] {
            #expect(SecretOption.holdsPassword(url), "\(url)")
        }
    }

    @Test("traffic in clear text to another machine, or to an unverified server, causes a warning")
    func warnsOfClearTextTraffic() throws {
        func broker(_ url: String) throws -> Int {
            InTheClear.warnings(of: try AMQP.ConnectionSettings(url: url), named: "amqp.url").count
        }
        for url in ["amqp://127.0.0.1", "amqp://localhost:1,[::1]:2/v", "amqps://h?verify=verify_peer", "amqps://h"] {
            #expect(try broker(url) == 0)
        }
        for url in ["amqp://h", "amqp://127.0.0.1,h", "amqp://127.0.0.1.example", "amqps://h?verify=verify_none"] {
            #expect(try broker(url) == 1)
        }
        func database(_ url: String) -> Int { InTheClear.warnings(ofDatabase: url, named: "database.url").count }
        for url in [
            "postgresql://127.0.0.1/b", "postgresql:///b", "postgresql:///b?host=/run/postgresql",
            "postgresql://h/b?sslmode=require",
            "host=h sslmode=verify-full", "postgresql://localhost:1,[::1]:2/b", "postgresql://h/b?hostaddr=127.0.0.1",
        ] { #expect(database(url) == 0, "\(url)") }
        for url in [
            "postgresql://h/b", "postgresql://h/b?sslmode=prefer", "postgresql://h/b?sslmode=allow",
            "host=h sslmode=disable",
            "postgresql://127.0.0.1,h/b", "hostaddr=10.0.0.1",
        ] { #expect(database(url) == 1, "\(url)") }
        func management(_ url: String) throws -> Int {
            InTheClear.warnings(ofManagement: try #require(URL(string: url))).count
        }
        for url in ["https://h:15671", "http://127.0.0.1:15672", "http://[::1]:15672"] {
            #expect(try management(url) == 0)
        }
        #expect(try management("http://h:15672") == 1)
    }

    @Test("workers and commands print each warning at start in one line, whatever the host is called")
    func printsWarningsAtStart() throws {
        let home = try Home(broker: "amqp://broker.invalid/v", database: "postgresql://w:p@db.invalid/b")
        let status = try home.run("status")
        #expect(status.status == 1)
        let said = status.errors.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
        #expect(
            said.count == 2 && said[0].contains("broker.invalid without TLS")
                && said[1].contains("db.invalid without TLS"), "\(status.errors)")
        let worker = try home.run("intake", "--until-input-ends")
        #expect(
            worker.errors.split(separator: "\n").filter { $0.contains(" warning intake not protected what=") }.count
                == 2, "\(worker.errors)")
    }
}

/// An installation that no server belongs to.
final class Home {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-secrets-\(UUID().uuidString)")

    init(
        broker: String = "amqps://127.0.0.1:1/v?certfile=tls.pem&keyfile=tls.key",
        database: String = "postgresql://w:p@127.0.0.1:1/b"
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let yaml = """
            amqp: {url: "\(broker)"}
            database: {url: "\(database)"}
            users: {office-intake: secret, operator: secret}
            vault: {publicKey: "fHd0ReiCdnWTPAzqjGTiV+hnwRCLIBVyGSkAMmdhXhM="}
            sealedMail: {publicKey: "fHd0ReiCdnWTPAzqjGTiV+hnwRCLIBVyGSkAMmdhXhM="}
            """
        try writePrivately(yaml, to: folder.appending(path: "bihuan.yaml"))
        try FileManager.default.createDirectory(
            at: folder.appending(path: "keys"), withIntermediateDirectories: true)
        for key in ["digest.key", "checkpoint.key", "keys/attachments.key", "keys/dead-letters.key"] {
            try writePrivately(String(repeating: "ab", count: 32), to: folder.appending(path: key))
        }
        try writePrivately("", to: folder.appending(path: "tls.key"))
        try writePrivately(
            String(decoding: PackageResources.policy_cn_discipline_yaml, as: UTF8.self),
            to: folder.appending(path: "policy.yaml"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func setMode(_ mode: String, of name: String) throws {
        try #require(chmod(path(name), try #require(mode_t(mode, radix: 8))) == 0)
    }

    /// A worker that starts runs until its input ends, which it does at once.
    func run(_ words: String...) throws -> Program.Result {
        try Program.run(Program.bihuan, words + ["--config", path("bihuan.yaml")])
    }
}
