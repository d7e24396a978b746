import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: PrivateServer.isAvailable, PrivateServer.whyDisabled), .timeLimit(.minutes(1)))
struct LostServerTests {
    @Test("an immediate shutdown in mid-statement is a lost connection at once, and new connections are refused")
    func losesConnectionOnImmediateShutdown() throws {
        try PrivateServer.with { server in
            let watcher = try server.connect()
            let busy = try napping(server, watcher)
            server.stop(SIGQUIT)
            let failure = try busy.value(withinSeconds: 10)
            #expect(failure.isConnectionLost && failure.isTransient)
            #expect(try error { try watcher.ping() }.isConnectionLost)
            #expect(!watcher.isOpen)
            #expect(try error { _ = try server.connect() }.code == .connectFailed)
            // The server returns with another session: the old connection stays lost.
            try server.start()
            #expect(try error { try watcher.ping() }.isConnectionLost)
            let next = try server.connect()
            try next.ping()
            next.close()
        }
    }

    @Test("a server process that freezes in mid-statement is given up after the statement time-out")
    func givesUpFrozenServer() throws {
        try PrivateServer.with { server in
            let watcher = try server.connect()
            defer { watcher.close() }
            nonisolated(unsafe) var processID: Int32 = 0
            let busy = try napping(server, watcher, statementTimeout: 300) { processID = $0 }
            try #require(kill(processID, SIGSTOP) == 0)
            defer { kill(processID, SIGCONT) }
            let begin = ContinuousClock.now
            let failure = try busy.value(withinSeconds: 15)
            #expect(failure.isConnectionLost && begin.duration(to: .now) < .seconds(6))
        }
    }

    /// A statement that is running, on a thread of its own, and in the end its error.
    private func napping(
        _ server: PrivateServer, _ watcher: Connection, statementTimeout: Int = 15_000,
        _ known: (Int32) -> Void = { _ in }
    ) throws -> Background<PostgreSQLError> {
        let url = server.url()
        let connected = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var processID: Int32 = 0
        let busy = Background { () -> PostgreSQLError in
            var settings = ConnectionSettings(url: url)
            settings.statementTimeoutMilliseconds = statementTimeout
            let connection = try Connection(settings)
            processID = connection.backendProcessID
            connected.signal()
            let failure = try error { try connection.run(Nap()) }
            #expect(!connection.isOpen)
            #expect(try error { try connection.ping() }.isConnectionLost)
            return failure
        }
        try wait(for: connected)
        known(processID)
        try eventually { try watcher.run(IsNapping(processID: processID)).rows == [true] }
        return busy
    }
}
