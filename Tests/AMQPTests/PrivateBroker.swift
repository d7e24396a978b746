import AMQP
import Foundation
import LocalServers
import Testing

/// Tests that freeze a broker, raise its alarms or speak TLS with it: one broker for all of them, and one test at a
/// time.
@Suite("with a broker of its own", .serialized, .privateBroker)
enum PrivateBrokerTests {}

final class PrivateBroker: @unchecked Sendable {
    @TaskLocal static var running: PrivateBroker?

    /// How a TLS port of the broker presents itself.
    enum Door: Int, CaseIterable {
        /// For localhost and 127.0.0.1.
        case right
        /// Its certificate is for another host.
        case elsewhere
        case expired
        /// Lets nobody in who has no certificate.
        case demanding
        /// Knows TLS 1.1 only.
        case outdated
    }

    let certificates: Certificates
    private let directory: URL
    private let servers: LocalServers
    private let ports: [Door: Int]

    static func here() throws -> PrivateBroker { try #require(running, "the suite did not start its broker") }

    static func start() throws -> PrivateBroker {
        let directory = URL(fileURLWithPath: "/tmp/amqp-tests-" + UUID().uuidString.lowercased(), isDirectory: true)
        var options = LocalServers.Options()
        options.rabbitmqPlugins = ["rabbitmq_auth_mechanism_ssl"]
        return try PrivateBroker(LocalServers.start(in: directory, definitions: nil, options: options), directory)
    }

    private init(_ servers: LocalServers, _ directory: URL) throws {
        self.servers = servers
        self.directory = directory
        do {
            certificates = try Certificates(in: directory.appending(path: "certificates").path)
            let listeners = try Door.allCases.map { ($0, try Listener()) }
            ports = Dictionary(uniqueKeysWithValues: listeners.map { ($0, $1.port) })
            listeners.forEach { $1.close() }
            try openDoors()
        } catch {
            servers.stop()
            throw error
        }
    }

    func stop() {
        servers.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    var port: Int { servers.rabbitmqPort }

    func port(_ door: Door) -> Int { ports[door] ?? 0 }

    func settings(_ name: String = #function) -> ConnectionSettings {
        ConnectionSettings(host: "127.0.0.1", port: port, user: "guest", password: "guest", connectionName: name)
    }

    func settings(_ door: Door, _ name: String = #function) -> ConnectionSettings {
        var settings = settings(name)
        settings.host = "localhost"
        settings.port = port(door)
        settings.tls = TLSSettings(authorityFile: certificates.authority)
        return settings
    }

    @discardableResult
    func control(_ words: String...) throws -> String { try servers.rabbitmqctl(words) }

    /// Stops every thread of the broker for the time of `body`: its sockets stay open, and nothing is read or answered.
    func whileFrozen<Result>(_ body: () throws -> Result) throws -> Result {
        let processID = try #require(servers.rabbitmqProcessID)
        kill(processID, SIGSTOP)
        defer { kill(processID, SIGCONT) }
        let begun = ContinuousClock.now
        while try !String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8).contains("State:\tT") {
            try #require(ContinuousClock.now - begun < .seconds(5), "the broker did not freeze")
        }
        return try body()
    }

    /// The configuration file knows one set of TLS options for all ports; asked directly, the broker takes one for
    /// each.
    private func openDoors() throws {
        let options = Door.allCases.map { door in
            let name = door == .elsewhere ? "elsewhere" : door == .expired ? "expired" : "right"
            var options =
                "{certfile,\"\(certificates.file(name + ".pem"))\"},{keyfile,\"\(certificates.file(name + ".key"))\"}"
            if door == .demanding {
                options +=
                    ",{cacertfile,\"\(certificates.authority)\"},{verify,verify_peer},{fail_if_no_peer_cert,true}"
            }
            if door == .outdated { options += ",{versions,['tlsv1.1']}" }
            return "rabbit_networking:start_ssl_listener({\"127.0.0.1\",\(port(door))},[\(options)],2)"
        }
        let external = [
            "application:set_env(rabbit,auth_mechanisms,['PLAIN','EXTERNAL'])",
            "application:set_env(rabbit,ssl_cert_login_from,common_name)",
            // The broker believes no certificate unless its own settings say that it checks them.
            "application:set_env(rabbit,ssl_options,[{verify,verify_peer}])",
        ]
        try control("eval", (external + options).joined(separator: ",") + ".")
    }
}

/// An authority, an unrelated one, and the certificates that they signed, made by the command line of OpenSSL.
struct Certificates {
    let folder: String

    init(in folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-eu", "-c", Self.script]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = FileHandle(forWritingAtPath: "/dev/null")
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl made no certificates")
    }

    func file(_ name: String) -> String { folder + "/" + name }
    var authority: String { file("authority.pem") }

    private static let script = """
        umask 022
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        for name in authority stranger; do
            openssl req -x509 $key -days 2 -subj "/CN=$name" -keyout $name.key -out $name.pem
        done
        sign() {
            openssl req $key -subj "/CN=$2" -keyout $1.key -out $1.csr
            echo "subjectAltName=$3" > $1.ext
            openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days $4 -extfile \
            $1.ext -out $1.pem
        }
        sign right broker DNS:localhost,IP:127.0.0.1 2
        sign elsewhere localhost DNS:elsewhere.example 2
        sign expired broker DNS:localhost,IP:127.0.0.1 -1
        sign guest guest DNS:client.example 2
        openssl ec -aes128 -passout pass:secret -in guest.key -out guest.locked.key
        chmod 644 *.key
        """
}

struct PrivateBrokerTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
    ) async throws {
        let broker = try PrivateBroker.start()
        defer { broker.stop() }
        try await PrivateBroker.$running.withValue(broker) { try await body() }
    }
}

extension Trait where Self == PrivateBrokerTrait {
    static var privateBroker: Self { Self() }
}
