import AMQP
import Foundation
import Testing

@Suite("several hosts", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct HostTests {
    /// Nothing listens there.
    private func closedPort() throws -> Int {
        let listener = try Listener()
        listener.close()
        return listener.port
    }

    @Test("the next host is tried after a closed port, a silent host and a host without an address")
    func triesNextHostAfterFailures() throws {
        let silent = try Listener()
        defer { silent.close() }
        var settings = try Broker.settings()
        let right = Endpoint(host: settings.host, port: settings.port)
        settings.alternatives = [
            Endpoint(host: "127.0.0.1", port: silent.port), Endpoint(host: "no-such-host.invalid", port: 5672), right,
        ]
        settings.host = "127.0.0.1"
        settings.port = try closedPort()
        settings.connectTimeoutSeconds = 1
        let connection = try Connection(settings)
        #expect(connection.endpoint == right)
        #expect(try connection.roundTrip([1]).body == [1])
    }

    @Test("with shuffled hosts, connections spread over all of them")
    func spreadsOverHosts() throws {
        var settings = try Broker.settings()
        settings.alternatives = [Endpoint(host: "localhost", port: settings.port)]
        for _ in 1...3 { #expect(try Connection(settings).endpoint == settings.endpoints[0]) }
        settings.shufflesHosts = true
        var left = Set(settings.endpoints)
        // The chance that 40 connections miss one of two hosts is one in a million millions.
        for _ in 1...40 where !left.isEmpty { left.remove(try Connection(settings).endpoint) }
        #expect(left.isEmpty)
    }

    @Test("when every host fails, the error names each host's failure, and none took more than its time")
    func namesFailureOfEachHost() throws {
        let silent = try Listener()
        defer { silent.close() }
        var settings = ConnectionSettings(host: "127.0.0.1", port: try closedPort(), user: "u", password: "secret")
        settings.alternatives = [Endpoint(host: "127.0.0.1", port: silent.port)]
        settings.connectTimeoutSeconds = 0.5
        let error = try failure(before: 2) { _ = try Connection(settings) }
        #expect(error.code == .connectFailed)
        let description = error.debugDescription
        #expect(description.contains("127.0.0.1:\(settings.port): AMQP: connectFailed"))
        #expect(description.contains("127.0.0.1:\(silent.port): AMQP: timedOut"))
        #expect(!description.contains("secret"))
    }

    @Test("a refused password is not tried on the next host")
    func doesNotTryRefusedPasswordElsewhere() throws {
        let silent = try Listener()
        defer { silent.close() }
        var settings = try Broker.settings()
        settings.alternatives = [Endpoint(host: "127.0.0.1", port: silent.port)]
        settings.password = "not the password"
        let error = try #require(throws: AMQPError.self) { try Connection(settings) }
        #expect(error.code == .authenticationFailed)
    }

    @Test("the look-up of a name ends with the connect time-out, whatever the name servers do")
    func endsNameLookUpInTime() throws {
        var settings = ConnectionSettings(host: "no-such-host.invalid", user: "u", password: "p")
        settings.connectTimeoutSeconds = 0.3
        let error = try failure(before: 1) { _ = try Connection(settings) }
        #expect(error.code == .connectFailed || error.code == .timedOut)
        #expect(error.isConnectionFatal)
    }

    @Test("every address of a name is tried")
    func triesEveryAddressOfAName() throws {
        var settings = try Broker.settings()
        // Often ::1 comes first, where the broker of the tests does not listen.
        settings.host = "localhost"
        #expect(try Connection(settings).roundTrip([2]).body == [2])
    }
}
