import Foundation
import PostgreSQL
import Testing

/// A database of a test's own, on the server that `TEST_BIHUAN_DATABASE_URL` names (as a superuser).
struct TestDatabase {
    static let serverURL = ProcessInfo.processInfo.environment["TEST_BIHUAN_DATABASE_URL"]
    static let isAvailable = serverURL != nil
    /// Memory is read from `/proc`.
    static let isLinux = FileManager.default.fileExists(atPath: "/proc/self/status")
    static let whyDisabled: Comment = "TEST_BIHUAN_DATABASE_URL names no PostgreSQL server"

    let name: String
    let url: String

    /// Makes the database, runs `body`, drops it. The server refuses to drop it while a connection is left over, so the
    /// drop is also the check that nothing leaked.
    static func with(_ body: (TestDatabase) throws -> Void) throws {
        let server = try #require(serverURL)
        let name = "pgroom_" + UUID().uuidString.lowercased().replacing("-", with: "")
        var components = try #require(URLComponents(string: server))
        components.path = "/" + name
        var settings = ConnectionSettings(url: server)
        settings.statementTimeoutMilliseconds = 30_000
        let maintenance = try Connection(settings)
        defer { maintenance.close() }
        try maintenance.execute("CREATE DATABASE \(name) TEMPLATE template0")
        do {
            try body(TestDatabase(name: name, url: try #require(components.string)))
        } catch {
            try maintenance.execute("DROP DATABASE \(name) WITH (FORCE)")
            throw error
        }
        do {
            try maintenance.execute("DROP DATABASE \(name)")
        } catch {
            Issue.record("a connection leaked: \(error.debugDescription)")
            try maintenance.execute("DROP DATABASE \(name) WITH (FORCE)")
        }
        #expect(try maintenance.run(CountDatabases(name: name)).rows == [0])
    }

    /// The same with one connection to it.
    static func connected(_ body: (Connection) throws -> Void) throws {
        try with { database in
            let connection = try database.connect()
            defer { connection.close() }
            try body(connection)
        }
    }

    /// A connection for a test that only reads: such tests cannot meet, and need no database of their own.
    static func reading(_ body: (Connection) throws -> Void) throws {
        var settings = ConnectionSettings(url: try #require(serverURL))
        settings.readOnly = true
        let connection = try Connection(settings)
        defer { connection.close() }
        try body(connection)
    }

    func connect(_ change: (inout ConnectionSettings) -> Void = { _ in }) throws -> Connection {
        var settings = ConnectionSettings(url: url)
        settings.idleInTransactionTimeoutMilliseconds = 30_000
        change(&settings)
        return try Connection(settings)
    }
}

private struct CountDatabases: Statement {
    static let sql = "SELECT count(*) FROM pg_database WHERE datname = $1"
    let name: String
    var parameters: [Parameter] { [.text(name)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// Work on a thread of its own, whose end can be waited for, but not for ever.
final class Background<T: Sendable>: Sendable {
    private let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) private var result: Result<T, any Error>?

    init(_ body: @escaping @Sendable () throws -> T) {
        Thread.detachNewThread {
            self.result = Result { try body() }
            self.done.signal()
        }
    }

    func value(withinSeconds seconds: Double = 20) throws -> T {
        guard done.wait(timeout: .now() + seconds) == .success else { throw TimedOut() }
        return try #require(result).get()
    }
}

struct TimedOut: Error {}

/// Waits for a signal that another thread gives.
func wait(for semaphore: DispatchSemaphore, withinSeconds seconds: Double = 20) throws {
    guard semaphore.wait(timeout: .now() + seconds) == .success else { throw TimedOut() }
}

/// Asks again until `condition` holds; each asking is a round trip to the server.
func eventually(withinSeconds seconds: Double = 20, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut() }
    }
}

/// The error that `body` throws, to be looked at.
func error(_ body: () throws -> Void) throws -> PostgreSQLError {
    do {
        try body()
    } catch let error as PostgreSQLError {
        return error
    }
    throw NothingThrown()
}

struct NothingThrown: Error {}

/// Ends another session's server process, and waits until it has gone.
struct EndSession: Statement {
    static let sql = "SELECT pg_terminate_backend($1, 10000)"
    let processID: Int32
    var parameters: [Parameter] { [.int4(processID)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

/// Whether another session is in `pg_sleep`.
struct IsNapping: Statement {
    static let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')"
    let processID: Int32
    var parameters: [Parameter] { [.int4(processID)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

/// Sleeps for twenty seconds, as far as it is let.
struct Nap: Statement {
    static let sql = "SELECT pg_sleep(20)::text"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

final class ReceivedNotices {
    var notices: [ServerNotice] = []
}
