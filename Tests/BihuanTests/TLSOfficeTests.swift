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

@Suite("An office whose broker is reached over TLS", .serialized)
struct TLSOfficeTests {
    @Test("workers and commands connect to the second host with client certificates; another authority's are refused")
    func answersReportsOverTLS() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-tls-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        let settings = certificates.folder.appending(path: "office.yaml")
        var options = LocalOffice.Options(directory: directory)
        options.executable = Program.bihuan
        options.report = { _ in }
        options.workerInstallation = { configuration in
            var seen = configuration
            let port = try certificates.openDoor(ofNodeIn: directory)
            seen.broker = try certificates.broker(port: port)
            try writePrivately(seen.yaml(folder: certificates.folder), to: settings)
            return ["--config", settings.path]
        }
        let office = try await LocalOffice.start(options)
        defer { office.stop() }

        let connections = try office.servers.rabbitmqctl([
            "--quiet", "list_connections", "user", "ssl", "--no-table-headers",
        ])
        let workers = connections.split(separator: "\n").filter { $0.hasPrefix("office.") }
        #expect(workers.count >= 4 && workers.allSatisfy { $0.hasSuffix("true") }, "\(connections)")
        let configuration = try await read(settings)
        try answersAReport(configuration, settings)
        let recall = try Program.run(
            Program.bihuan,
            [
                "recall", "00000000-0000-7000-8000-000000000000", "--reason", "错发", "--as", "operator", "--config",
                settings.path,
            ])
        #expect(recall.status == 1 && recall.errors.hasPrefix("refused: "), "the office heard it: \(recall.errors)")
        try refusesAnotherAuthority(configuration, certificates)
    }

    private func answersAReport(_ configuration: OfficeConfiguration, _ settings: URL) throws {
        let web = Party.source(SourceID(unchecked: "web"))
        let listener = try AMQP.Connection(try configuration.brokerSettings(for: web))
        defer { listener.close() }
        let channel = try listener.openChannel()
        try listener.consume("source.web.notice", on: channel)
        let file = settings.deletingLastPathComponent().appending(path: "report.jsonl")
        try Data("{\"id\":\"r-1\",\"title\":\"反映\",\"text\":\"某某贪污公款，请查处。\"}\n".utf8).write(to: file)
        let submitted = try Program.run(
            Program.bihuan, ["submit", "--no-receipts", "--config", settings.path, "--file", file.path])
        #expect(submitted.status == 0 && submitted.output.hasPrefix("1 submitted"), "\(submitted.errors)")
        guard case .delivery(let answer)? = try listener.nextEvent(within: 20) else {
            Issue.record("no answer to the report within 20 s")
            return
        }
        #expect(
            answer.properties.userID == "office.intake" && answer.properties.type == MessageType.reportAccepted.rawValue
        )
        let status = try Program.run(Program.bihuan, ["status", "--config", settings.path])
        #expect(status.status == 0 && status.output.contains("bihuan.routing"), "\(status.errors)")
    }

    /// A command ends, a worker goes on trying; both say why.
    private func refusesAnotherAuthority(_ configuration: OfficeConfiguration, _ certificates: Certificates) throws {
        var wrong = configuration
        wrong.broker.alternatives = []
        wrong.broker.port = try #require(configuration.broker.endpoints.last).port
        wrong.broker.tls?.authorityFile = certificates.folder.appending(path: "stranger.pem").path
        let settings = certificates.folder.appending(path: "wrong.yaml")
        try writePrivately(wrong.yaml(folder: certificates.folder), to: settings)
        // The broker shows its authority's certificate too.
        let reason = "self-signed certificate in certificate chain"
        let status = try Program.run(Program.bihuan, ["status", "--config", settings.path])
        #expect(status.status == 1 && status.errors.contains("no TLS with the broker: \(reason)"), "\(status.errors)")

        let worker = Process()
        let (input, errors) = (Pipe(), Pipe())
        worker.executableURL = URL(filePath: Program.bihuan)
        worker.arguments = ["intake", "--config", settings.path, "--until-input-ends"]
        worker.standardInput = input
        worker.standardError = errors
        try worker.run()
        var log = ""
        while !log.contains("lane interrupted"), case let bytes = errors.fileHandleForReading.availableData,
            !bytes.isEmpty
        {
            log += String(decoding: bytes, as: UTF8.self)
        }
        #expect(log.contains("tlsFailed (\(reason))"), "\(log)")
        #expect(worker.isRunning)
        try input.fileHandleForWriting.close()
        worker.waitUntilExit()
        #expect(worker.terminationStatus == 0)
        wrong.broker.tls?.authorityFile = "/nowhere.pem"
        try writePrivately(wrong.yaml(folder: certificates.folder), to: settings)
        let missing = try Program.run(Program.bihuan, ["status", "--config", settings.path])
        #expect(
            missing.status == 1 && missing.errors.contains("a file of amqp.url cannot be used for TLS"),
            "\(missing.errors)")
    }

    private func read(_ settings: URL) async throws -> OfficeConfiguration {
        try OfficeConfiguration.read(try await ConfigurationSource.open(file: settings, flags: [:], environment: [:]))
    }
}

/// An authority, an unrelated one, and the certificates that it signed for broker and office, in a folder that
/// the broker's user may read. Made by the command line of OpenSSL.
private struct Certificates {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-certificates-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let made = try Program.run("/bin/sh", ["-eu", "-c", "cd '\(folder.path)'\n" + Self.script])
        try #require(made.status == 0, "openssl made no certificates: \(made.errors)")
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    /// Lets the running private node listen for TLS too, for those alone who have a certificate of the authority.
    func openDoor(ofNodeIn directory: URL) throws -> Int {
        let port = try freePort()
        func file(_ name: String) -> String { "\"\(folder.appending(path: name).path)\"" }
        let options =
            "{cacertfile,\(file("authority.pem"))},{certfile,\(file("broker.pem"))},{keyfile,\(file("broker.key"))},"
            + "{verify,verify_peer},{fail_if_no_peer_cert,true}"
        let control = try #require(try RabbitMQControl.ofPrivateNode(in: directory))
        _ = try control.run([
            "eval",
            """
            {ok, _} = application:ensure_all_started(ssl), \
            rabbit_networking:start_ssl_listener({\"127.0.0.1\",\(port)},[\(options)],2).
            """,
        ])
        return port
    }

    /// At the first of the two hosts nobody listens.
    func broker(port: Int) throws -> AMQP.ConnectionSettings {
        let files = [
            "cacertfile=\(folder.path)/authority.pem", "certfile=\(folder.path)/office.pem",
            "keyfile=\(folder.path)/office.key",
        ]
        return try AMQP.ConnectionSettings(
            url: "amqps://127.0.0.1:\(try freePort()),localhost:\(port)/bihuan?" + files.joined(separator: "&"))
    }

    private static let script = """
        umask 022
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        for name in authority stranger; do
            openssl req -x509 $key -days 2 -subj "/CN=$name" -keyout $name.key -out $name.pem
        done
        echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' > names
        for name in broker office; do
            openssl req $key -subj "/CN=$name" -keyout $name.key -out $name.csr
            openssl x509 -req -in $name.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile \
            names -out $name.pem
        done
        chmod 644 *.key
            chmod 600 office.key
        """
}
