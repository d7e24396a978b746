import Foundation
import PostgreSQL
import Testing

@Suite(
    .enabled(
        if: PrivateServer.isAvailable && Certificates.isAvailable, "PostgreSQL's programs or `openssl` are missing"),
    .timeLimit(.minutes(1)))
struct TLSTests {
    @Test("TLS to the right server works; a wrong host, a foreign authority and an expired certificate are refused")
    func verifiesServerCertificate() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let server = try PrivateServer(user: "postgres", password: "hush")
        try withServer(server, certificates, "server") {
            let connection = try Connection(settings(server, "ledger.example", certificates.authority))
            defer { connection.close() }
            #expect(try connection.run(IsEncrypted()).rows == [true])
            let wrongHost = try refusal(settings(server, "other.example", certificates.authority))
            #expect(wrongHost == "PostgreSQL: connectFailed, the server's certificate is for another host")
            let foreign = try refusal(settings(server, "ledger.example", certificates.foreignAuthority))
            #expect(foreign == untrusted)
            let missing = try refusal(settings(server, "ledger.example", "/nowhere/ca.pem"))
            #expect(missing.contains("certificate or key file cannot be used"))
        }
        try withServer(server, certificates, "expired") {
            let expired = try refusal(settings(server, "ledger.example", certificates.authority))
            #expect(expired == untrusted)
        }
        try? FileManager.default.removeItem(atPath: server.directory)
    }

    @Test("a client certificate takes the place of a password, and only for its own user")
    func authenticatesByClientCertificate() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let server = try PrivateServer(user: "postgres", password: "hush")
        try withServer(server, certificates, "server") {
            let owner = try server.connect()
            try owner.execute("CREATE ROLE certified LOGIN; CREATE ROLE someone_else LOGIN")
            owner.close()
            let key = "sslcert=\(certificates.directory)/client.pem&sslkey=\(certificates.directory)/client.key"
            let connection = try Connection(
                settings(server, "ledger.example", certificates.authority, user: "certified", more: key))
            try connection.ping()
            connection.close()
            let without = try refusal(
                settings(server, "ledger.example", certificates.authority, user: "certified", more: "sslcert=/nowhere"))
            #expect(without == "PostgreSQL: connectFailed, SQLSTATE 28000, the server wants a client certificate")
            let other = try refusal(
                settings(server, "ledger.example", certificates.authority, user: "someone_else", more: key))
            #expect(other == "PostgreSQL: connectFailed, SQLSTATE 28000, the client certificate is for another user")
        }
        try? FileManager.default.removeItem(atPath: server.directory)
    }

    private let untrusted =
        """
        PostgreSQL: connectFailed, the server's certificate is expired, not yet valid, revoked, or signed by an \
        unknown authority
        """

    private func settings(
        _ server: PrivateServer, _ host: String, _ authority: String, user: String? = nil, more: String = ""
    ) -> ConnectionSettings {
        ConnectionSettings(
            url: server.url(
                host: host, user: user, more: "hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=\(authority)&\(more)")
        )
    }

    private func refusal(_ settings: ConnectionSettings) throws -> String {
        let failure = try error { _ = try Connection(settings) }
        #expect(failure.code == .connectFailed)
        #expect(!"\(failure) \(String(reflecting: failure)) \(failure.debugDetail ?? "")".contains("hush"))
        return failure.description
    }

    private func withServer(
        _ server: PrivateServer, _ certificates: Certificates, _ name: String, _ body: () throws -> Void
    ) throws {
        try server.write("server.pem", try certificates.text(name + ".pem"))
        try server.write("server.key", try certificates.text(name + ".key"))
        try server.write("ca.pem", try certificates.text("ca.pem"))
        try server.write(
            "hba.conf",
            """
            hostssl all certified,someone_else 127.0.0.1/32 cert
            host all all 127.0.0.1/32 scram-sha-256
            """ + "\n")
        let folder = server.directory
        try server.start(settings: [
            "ssl=on", "ssl_cert_file=\(folder)/server.pem", "ssl_key_file=\(folder)/server.key",
            "ssl_ca_file=\(folder)/ca.pem",
            "hba_file=\(folder)/hba.conf",
        ])
        defer { server.stop() }
        try body()
    }
}

private struct IsEncrypted: Statement {
    static let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

/// An authority, a foreign one, and certificates for `ledger.example` and the user `certified`, made by `openssl`.
struct Certificates {
    static let isAvailable = ["/usr/bin/openssl", "/bin/openssl"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let directory: String
    var authority: String { directory + "/ca.pem" }
    var foreignAuthority: String { directory + "/foreign.pem" }

    init() throws {
        var template = Array("/tmp/pgroom-tls-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        try write("server.ext", "subjectAltName=DNS:ledger.example\n")
        for name in ["ca", "foreign"] {
            try openssl(
                ["req", "-x509"] + newKey(name) + ["-days", "2", "-out", "\(name).pem", "-subj", "/CN=\(name)"])
        }
        for (name, subject, days) in [
            ("server", "ledger.example", "2"), ("expired", "ledger.example", "-1"), ("client", "certified", "2"),
        ] {
            try openssl(["req"] + newKey(name) + ["-out", "\(name).csr", "-subj", "/CN=\(subject)"])
            try openssl([
                "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                days,
                "-out", "\(name).pem", "-extfile", "server.ext",
            ])
        }
        chmod(directory + "/client.key", 0o600)
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: directory + "/" + name, encoding: .utf8) }
    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/" + name))
    }

    private func newKey(_ name: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(name).key"]
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments.joined(separator: " "))")
    }
}
