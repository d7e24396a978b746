import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: PrivateServer.isAvailable, PrivateServer.whyDisabled), .timeLimit(.minutes(1)))
struct HostTests {
    @Test("dead, silent and read-only hosts are passed over, each in its time")
    func passesOverDeadSilentAndReadOnlyHosts() throws {
        try PrivateServer.with(settings: ["default_transaction_read_only=on"]) { readOnly in
            try PrivateServer.with { writable in
                let (descriptor, silent) = try listeningSocket()
                defer { close(descriptor) }
                let begin = ContinuousClock.now
                let all = [1, Int(silent), Int(readOnly.port), Int(writable.port)]
                func connect(_ kind: String, _ ports: [Int]) throws -> Connection {
                    let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
                    var settings = ConnectionSettings(
                        url: "postgresql://postgres:hush@\(hosts)/postgres?target_session_attrs=\(kind)")
                    settings.connectTimeoutSeconds = 2
                    return try Connection(settings)
                }
                let writer = try connect("read-write", all)
                defer { writer.close() }
                #expect(try writer.run(ServerPort()).rows == [Int(writable.port)])
                let reader = try connect("read-only", [Int(writable.port), Int(readOnly.port)])
                defer { reader.close() }
                #expect(try reader.run(ServerPort()).rows == [Int(readOnly.port)])
                #expect(begin.duration(to: .now) < .seconds(10))
                // No host accepts writes: each host's reason is reported, without its name.
                writable.stop()
                let failure = try error { _ = try connect("read-write", all) }
                #expect(
                    "\(failure)"
                        == """
                        PostgreSQL: connectFailed, refused; the server did not answer in time; the server is \
                        read-only
                        """
                )
                #expect(failure.isTransient)
            }
        }
    }

    @Test("the server's refusal is reported without host, user and password")
    func reportsRefusalWithoutHostUserOrPassword() throws {
        try PrivateServer.with(settings: ["max_connections=5", "superuser_reserved_connections=1"]) { server in
            func reason(_ url: String) throws -> String {
                let failure = try error { _ = try Connection(ConnectionSettings(url: url)) }
                #expect(failure.code == .connectFailed)
                let said = "\(failure) \(String(reflecting: failure)) \(failure.debugDetail ?? "")"
                #expect(!said.contains("hush") && !said.contains("wrong-secret"))
                #expect(!"\(failure)\(String(reflecting: failure))".contains("someone"))
                return failure.description
            }
            let address = "127.0.0.1:\(server.port)"
            #expect(
                try reason("postgresql://someone:wrong-secret@\(address)/postgres").contains(
                    "user or the password is wrong"))
            #expect(
                try reason("postgresql://postgres@\(address)/postgres?passfile=/nowhere").contains("wants a password"))
            #expect(try reason("postgresql://postgres:hush@\(address)/someone").contains("does not exist"))
            #expect(
                try reason("postgresql://postgres:hush@\(address)/postgres?sslmode=require").contains(
                    "does not speak TLS"))
            var held: [Connection] = []
            defer { for connection in held { connection.close() } }
            let full = try error { for _ in 0..<20 { held.append(try server.connect()) } }
            #expect("\(full)".contains("no connection left"))
            #expect(held.count >= 4)
        }
    }
}

private struct ServerPort: Statement {
    static let sql = "SELECT inet_server_port()"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
