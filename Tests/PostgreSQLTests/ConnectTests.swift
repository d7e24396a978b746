import Foundation
import PostgreSQL
import Testing

/// Tests that need no server.
@Suite(.timeLimit(.minutes(1)))
struct ConnectTests {
    @Test("a refused connection fails as refused, and the password is nowhere in the error")
    func hidesPasswordInRefusal() throws {
        let failure = try error {
            _ = try Connection(ConnectionSettings(url: "postgresql://someone:hush@127.0.0.1:1/none"))
        }
        #expect(failure.code == .connectFailed && failure.isTransient)
        #expect("\(failure)" == "PostgreSQL: connectFailed, refused")
        #expect(failure.debugDetail?.contains("127.0.0.1") == true)
        #expect(!"\(String(reflecting: failure)) \(failure.debugDetail ?? "")".contains("hush"))
    }

    @Test("the client gives up a host that accepts and then is silent")
    func givesUpSilentHost() throws {
        let (descriptor, port) = try listeningSocket()
        defer { close(descriptor) }
        var settings = ConnectionSettings(url: "postgresql://someone@127.0.0.1:\(port)/none?sslmode=disable")
        settings.connectTimeoutSeconds = 2
        let failure = try error { _ = try Connection(settings) }
        #expect(failure.code == .connectFailed)
        #expect(failure.description.contains("did not answer in time"))
    }

    @Test("a URL that cannot be read is refused without being quoted")
    func refusesBadURLWithoutQuotingIt() throws {
        for url in ["postgresql://someone:hush%zz@host/", "password=hush =", "host=a\0b"] {
            let failure = try error { _ = try Connection(ConnectionSettings(url: url)) }
            #expect(failure.code == .invalidArgument)
            #expect(!"\(failure.debugDescription) \(failure.debugDetail ?? "")".contains("hush"))
        }
    }

    @Test("no way of printing the settings shows the password")
    func settingsNeverShowPassword() {
        let settings = ConnectionSettings(url: "postgresql://someone:hush@127.0.0.1:1/none")
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!"\(settings) \(String(reflecting: settings)) \(dumped)".contains("hush"))
    }

    @Test("a timestamp agrees with Date, and far dates become infinite")
    func convertsTimestamps() {
        #expect(Timestamp(Date(timeIntervalSince1970: -1.5)).microsecondsSinceEpoch == -1_500_000)
        #expect(Timestamp(microsecondsSinceEpoch: 1_500_000).date == Date(timeIntervalSince1970: 1.5))
        #expect(Timestamp(Date(timeIntervalSince1970: 1e300)) == .distantFuture)
        #expect(Timestamp(Date(timeIntervalSince1970: -1e300)) == .distantPast)
        #expect(Timestamp(microsecondsSinceEpoch: 1) < .distantFuture)
    }

    @Test("two migrations with one number, or one without, are refused by name")
    func refusesMigrationsWithoutUniqueNumber() throws {
        let twice = try error {
            _ = try MigrationRunner([Migration(name: "m0001_a", sql: ""), Migration(name: "m1_b", sql: "")])
        }
        #expect(twice.description.contains("m0001_a") && twice.description.contains("m1_b"))
        let none = try error { _ = try MigrationRunner([Migration(name: "foundation", sql: "")]) }
        #expect(none.description.contains("foundation"))
    }
}
