import Foundation
import PostgreSQL
import Testing

/// What needs no server.
@Suite(.timeLimit(.minutes(1)))
struct ConnectTests {
    @Test("a refused connection fails as such, and the password is nowhere in the error")
    func refused() throws {
        let failure = try error {
            _ = try Connection(ConnectionSettings(url: "postgresql://someone:hush@127.0.0.1:1/none"))
        }
        #expect(failure.code == .connectFailed && failure.isTransient)
        #expect("\(failure)" == "PostgreSQL: connectFailed")
        #expect(failure.debugDescription.contains("refused"))
        #expect(!failure.debugDescription.contains("hush"))
    }

    @Test("a host that accepts and then is silent is given up")
    func silentHost() throws {
        let (descriptor, port) = try listeningSocket()
        defer { close(descriptor) }
        var settings = ConnectionSettings(url: "postgresql://someone@127.0.0.1:\(port)/none?sslmode=disable")
        settings.connectTimeoutSeconds = 2
        let failure = try error { _ = try Connection(settings) }
        #expect(failure.code == .connectFailed)
        #expect(failure.debugDescription.contains("timeout"))
    }

    @Test("a URL that cannot be read is refused without being quoted")
    func badURL() throws {
        for url in ["postgresql://someone:hush%zz@host/", "password=hush =", "host=a\0b"] {
            let failure = try error { _ = try Connection(ConnectionSettings(url: url)) }
            #expect(failure.code == .invalidArgument)
            #expect(!failure.debugDescription.contains("hush"))
        }
    }

    @Test("no way of printing the settings shows the password")
    func settingsAreDiscreet() {
        let settings = ConnectionSettings(url: "postgresql://someone:hush@127.0.0.1:1/none")
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!"\(settings) \(String(reflecting: settings)) \(dumped)".contains("hush"))
    }

    @Test("a timestamp agrees with Date, and far dates become infinite")
    func timestamps() {
        #expect(Timestamp(Date(timeIntervalSince1970: -1.5)).microsecondsSinceEpoch == -1_500_000)
        #expect(Timestamp(microsecondsSinceEpoch: 1_500_000).date == Date(timeIntervalSince1970: 1.5))
        #expect(Timestamp(Date(timeIntervalSince1970: 1e300)) == .distantFuture)
        #expect(Timestamp(Date(timeIntervalSince1970: -1e300)) == .distantPast)
        #expect(Timestamp(microsecondsSinceEpoch: 1) < .distantFuture)
    }

    @Test("two migrations with one number, or one without, are refused by name")
    func migrationNames() throws {
        let twice = try error {
            _ = try MigrationRunner([Migration(name: "m0001_a", sql: ""), Migration(name: "m1_b", sql: "")])
        }
        #expect(twice.description.contains("m0001_a") && twice.description.contains("m1_b"))
        let none = try error { _ = try MigrationRunner([Migration(name: "foundation", sql: "")]) }
        #expect(none.description.contains("foundation"))
    }

    /// A socket on which connections are accepted by the kernel and never answered.
    private func listeningSocket() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) | listen(descriptor, 5) | getsockname(descriptor, pointer, &length)
            }
        }
        try #require(result == 0)
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}
