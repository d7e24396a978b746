import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("Configuration")
struct ConfigurationTests {
    private static let publicKey = "fHd0ReiCdnWTPAzqjGTiV+hnwRCLIBVyGSkAMmdhXhM="
    private static let right = """
        amqp: {url: "amqp://127.0.0.1:5673/bihuan"}
        database: {url: "postgresql://w:p@127.0.0.1/b"}
        users: {office-intake: "secret", unit-d1: "12345"}
        vault: {publicKey: "\(publicKey)"}
        keys: {directory: secrets}
        sealedMail: {publicKey: "\(publicKey)"}
        """

    @Test("a key that the file leaves out has its default, and paths are relative to the file")
    func fillsInDefaults() async throws {
        let configuration = try await read(Self.right)
        #expect(configuration.broker.url == "amqp://127.0.0.1:5673/bihuan")
        #expect(
            try await read(Self.right.replacing(/amqp:.*\n/, with: "")).broker.url == "amqp://127.0.0.1:5672/bihuan")
        #expect(configuration.users == ["office-intake": "secret", "unit-d1": "12345"])
        #expect(configuration.keysDirectory.path.hasSuffix("/secrets"))
        #expect(
            configuration.digestKeyFile.deletingLastPathComponent().path
                == configuration.keysDirectory.deletingLastPathComponent().path)
        #expect(configuration.lane.batchSizeMax == 200 && configuration.lane.lanes == 2)
        #expect(configuration.clock == .real)
    }

    @Test("the environment wins over the file, and a flag over both")
    func prefersFlagThenEnvironmentThenFile() async throws {
        let environment = [
            "BIHUAN_AMQP_URL": "amqp://a", "BIHUAN_LANE_LANES": "7", "BIHUAN_USERS_OFFICE_INTAKE": "other", "HOME": "/",
        ]
        let configuration = try await read(Self.right, flags: ["amqp.url": "amqp://b"], environment: environment)
        #expect(configuration.broker.host == "b")
        #expect(configuration.lane.lanes == 7)
        #expect(configuration.users["office-intake"] == "other")
    }

    @Test("all problems are reported at once, each with the key that was meant")
    func reportsAllProblemsAtOnce() async throws {
        let yaml = """
            amqp: {ulr: "amqp://h", url: "amqp://h:many"}
            lane: {lanes: [1, 2], batchSizeMax: 0}
            clock: {rate: 60}
            sealedMail: {publicKey: "short"}
            log: {level: warn}
            """
        let error = await #expect(throws: UserError.self) {
            try await read(
                yaml, flags: ["lane.lane": "1"], environment: ["BIHUAN_AMQP_ULR": "1"], parties: [.office(.routing)])
        }
        let text = try #require(error).description
        for problem in [
            "amqp.ulr (line 1): unknown key; did you mean \"amqp.url\"?", "amqp.url: must be as amqp://HOST:PORT/VHOST",
            "lane.lanes (line 2): must be a single value", "lane.batchSizeMax: must be a whole number from 1 to 5000",
            "clock: a clock that differs from the wall's needs wallOrigin, businessOrigin and rate",
            "sealedMail.publicKey: must be the 32 bytes of an X25519 public key in base64",
            "log.level: must be one of", "database.url: is missing", "users.office-routing: is missing",
            "--set lane.lane: unknown key; did you mean \"lane.lanes\"?",
            "BIHUAN_AMQP_ULR: unknown variable; did you mean \"BIHUAN_AMQP_URL\"?",
        ] {
            #expect(text.contains(problem), "\(problem)\n— is not in —\n\(text)")
        }
    }

    @Test("one URL holds the broker's hosts, TLS and time-outs, but no user; its files are relative to the file")
    func readsBrokerFromOneURL() async throws {
        let url =
            "amqps://one.example,[::1]:5673/v?cacertfile=tls/ca.pem&certfile=/etc/me.pem&keyfile=me.key&heartbeat=5"
        let configuration = try await read(Self.right, flags: ["amqp.url": url])
        let folder = configuration.digestKeyFile.deletingLastPathComponent().path
        let intake = try configuration.brokerSettings(for: .office(.intake))
        #expect(intake.endpoints.map(\.description) == ["one.example:5671", "[::1]:5673"])
        #expect(intake.tls?.authorityFile == folder + "/tls/ca.pem" && intake.tls?.certificateFile == "/etc/me.pem")
        #expect(intake.virtualHost == "v" && intake.heartbeatSeconds == 5)
        #expect(intake.user == "office.intake" && intake.password == "secret")
        for (wrong, words) in [
            ("amqp://u:p@h/v", "must name no user"),
            ("amqps://h/v?auth_mechanism=external", "a certificate for each user"),
        ] {
            let error = await #expect(throws: UserError.self) { try await read(Self.right, flags: ["amqp.url": wrong]) }
            #expect(error?.description.contains("amqp.url: must") == true && error?.description.contains(words) == true)
        }
    }

    @Test("half of a file is refused wherever it ends, and what it lacks is told")
    func refusesHalf() async throws {
        let bytes = Array(Self.right.utf8)
        for end in 0..<bytes.count {
            let half = String(decoding: bytes[..<end], as: UTF8.self)
            await #expect(throws: UserError.self, "read without its end: \(half.suffix(30))") { try await read(half) }
        }
        let error = await #expect(throws: UserError.self) {
            try await read(Self.right.split(separator: "\n").prefix(3).joined(separator: "\n"))
        }
        for key in ["vault.publicKey", "sealedMail.publicKey"] {
            #expect(error?.description.contains("\(key): is missing") == true, "\(error?.description ?? "")")
        }
    }

    @Test("a file that is not YAML is refused with the line")
    func namesLineThatIsNoYAML() async throws {
        let error = await #expect(throws: UserError.self) { try await read("amqp: {port: 1}\nusers: {a: b\nx: ]") }
        #expect(error?.description.contains("is no YAML with keys and values: look at line") == true)
        let twice = await #expect(throws: UserError.self) {
            try await read("amqp: {port: 1}\nclock: {rate: 1}\nclock: {rate: 2}")
        }
        #expect(twice?.description.contains("holds the key clock twice") == true, "\(twice?.description ?? "")")
    }

    @Test("the file that `up` writes is read back as the same settings")
    func readsBackWhatUpWrites() async throws {
        var configuration = try await read(Self.right)
        configuration.officeName = "省纪委 \"信访\"室: #1\nzwei"
        let authority = "\(configuration.digestKeyFile.deletingLastPathComponent().path)/c%26a.pem"
        configuration.broker = try AMQP.ConnectionSettings(
            url: "amqps://a,[::1]:5/a%2Fb%20%3F?cacertfile=\(authority)&verify=verify_none")
        configuration.database.ownerURL = "postgresql://o:p%22@127.0.0.1/b"
        configuration.clock = BusinessClock(
            wallOrigin: Instant(microsecondsSinceEpoch: 1_700_000_000_123_456),
            businessOrigin: Instant(microsecondsSinceEpoch: 0), rate: 8640)
        configuration.lane.earlyMessageHoldSeconds = 2.5
        let folder = configuration.digestKeyFile.deletingLastPathComponent()
        let again = try await read(configuration.yaml(folder: folder), in: folder)
        #expect(again.officeName == configuration.officeName)
        #expect(again.database.ownerURL == configuration.database.ownerURL)
        #expect(again.clock == configuration.clock)
        #expect(again.broker.url == configuration.broker.url && again.broker.virtualHost == "a/b ?")
        #expect(again.lane.earlyMessageHoldSeconds == 2.5)
        #expect(again.users == configuration.users)
        #expect(again.vaultKey.id == configuration.vaultKey.id)
        #expect(again.keysDirectory.path == configuration.keysDirectory.path)
        #expect(again.sealedMailKey.id == configuration.sealedMailKey.id)
    }

    @Test("with certificates instead of passwords each user and each role has files of its own")
    func namesFilesOfUsersAndRoles() async throws {
        let tls = "amqps://127.0.0.1/b?auth_mechanism=external&certfile=tls/{user}.pem&keyfile=tls/{user}.key"
        let database = "postgresql://127.0.0.1/b?sslmode=verify-full&sslcert=/tls/{role}.pem"
        let yaml = Self.right.replacing(/amqp:.*\n/, with: "amqp: {url: \"\(tls)\"}\n")
            .replacing(/database:.*\n/, with: "database: {url: \"\(database)\"}\n").replacing(/users:.*\n/, with: "")
        let configuration = try await read(yaml, parties: [.office(.intake)])
        let broker = try configuration.brokerSettings(for: .office(.intake))
        #expect(broker.user == "office.intake" && broker.authentication == .external)
        #expect(broker.tls?.certificateFile?.hasSuffix("/tls/office.intake.pem") == true)
        #expect(broker.tls?.keyFile?.hasSuffix("/tls/office.intake.key") == true)
        #expect(
            configuration.database.url(of: .routing)
                == "postgresql://bihuan_routing@127.0.0.1/b?sslmode=verify-full&sslcert=/tls/bihuan_routing.pem")
    }

    @Test("the documentation lists every key as it is")
    func documentsEveryKey() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/configuration.md")
            .standardizedFileURL
        var lines = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("|---") }) + 1
        let end = try #require(lines.firstIndex { $0.hasPrefix("| `users.NAME`") })
        lines.replaceSubrange(
            start..<end,
            with: ConfigurationKey.all.map { key in
                """
                | `\(key.name)` | \(key.kind.rawValue) | \(key.isRequired ? "yes" : "no") | \
                \(key.default.map { "`\($0)`" } ?? "") | \
                \(key.isSecret ? "yes" : "no") | \(key.meaning) |
                """
            })
        try Golden.check(lines.joined(separator: "\n"), at: page)
    }

    @discardableResult
    private func read(
        _ yaml: String, flags: [String: String] = [:], environment: [String: String] = [:], parties: [Party] = [],
        in folder: URL? = nil
    ) async throws -> OfficeConfiguration {
        let folder =
            folder
            ?? FileManager.default.temporaryDirectory.appending(path: "bihuan-configuration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "bihuan.yaml")
        try writePrivately(yaml, to: file)
        return try OfficeConfiguration.read(
            try await ConfigurationSource.open(file: file, flags: flags, environment: environment), parties: parties)
    }
}
