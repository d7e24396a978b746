import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(2)))
struct FailureTests {
    @Test("a violated constraint is named, and no row value is in the description")
    func namesViolatedConstraint() throws {
        try TestDatabase.connected { connection in
            try connection.execute("CREATE TABLE person (name text CONSTRAINT person_once UNIQUE)")
            try connection.run(InsertPerson(name: "Secret Name"))
            let failure = try error { try connection.run(InsertPerson(name: "Secret Name")) }
            #expect(failure.code == .server && failure.sqlState == "23505")
            #expect(failure.constraintName == "person_once" && failure.tableName == "person")
            #expect(!failure.isTransient && !failure.isConnectionLost)
            #expect("\(failure)" == "PostgreSQL: server, SQLSTATE 23505, constraint person_once, in InsertPerson")
            #expect(failure.debugDetail?.contains("Secret Name") == true)
            try connection.ping()
        }
    }

    @Test("a statement that takes too long is stopped, and the error is transient")
    func reportsStatementTimeoutAsTransient() throws {
        try TestDatabase.with { database in
            let connection = try database.connect { $0.statementTimeoutMilliseconds = 50 }
            defer { connection.close() }
            let failure = try error { try connection.execute("SELECT pg_sleep(20)") }
            #expect(failure.sqlState == "57014" && failure.isTransient && !failure.isConnectionLost)
            try connection.ping()
            let count = try connection.withoutStatementTimeout { connection in
                try connection.withoutStatementTimeout { try $0.execute("SELECT pg_sleep(0.1)") }
                try connection.execute("SELECT pg_sleep(0.1)")
                return 1
            }
            #expect(count == 1)
            #expect(try error { try connection.execute("SELECT pg_sleep(20)") }.sqlState == "57014")
        }
    }

    @Test("a lock that does not come in time is a transient error")
    func reportsLockTimeoutAsTransient() throws {
        try TestDatabase.with { database in
            let holder = try database.connect()
            defer { holder.close() }
            try holder.execute("CREATE TABLE person (name text)")
            try holder.begin()
            try holder.execute("LOCK TABLE person")
            let connection = try database.connect { $0.lockTimeoutMilliseconds = 50 }
            defer { connection.close() }
            let failure = try error { try connection.run(InsertPerson(name: "a")) }
            #expect(failure.sqlState == "55P03" && failure.isTransient)
            try holder.rollback()
            try connection.run(InsertPerson(name: "a"))
        }
    }

    @Test("one of two deadlocked transactions is stopped, and the error is transient")
    func reportsDeadlockAsTransient() throws {
        try TestDatabase.with { database in
            let setUp = try database.connect()
            try setUp.execute("CREATE TABLE item (id int8 PRIMARY KEY); INSERT INTO item VALUES (1), (2)")
            setUp.close()
            let locked = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
            let sides = [1, 2].map { (id: Int64) in
                Background { () -> String? in
                    let connection = try database.connect()
                    defer { connection.close() }
                    try connection.begin()
                    try connection.run(LockItem(id: id))
                    locked[Int(id) - 1].signal()
                    try wait(for: locked[2 - Int(id)])
                    do throws(PostgreSQLError) {
                        try connection.run(LockItem(id: 3 - id))
                        try connection.commit()
                        return nil
                    } catch {
                        #expect(error.isTransient)
                        try connection.rollback()
                        return error.sqlState
                    }
                }
            }
            let states = try sides.map { try $0.value() }
            #expect(states.compactMap { $0 } == ["40P01"])
        }
    }

    @Test("a connection whose server process was ended is lost, and stays lost")
    func reportsTerminatedSessionAsLost() throws {
        try TestDatabase.with { database in
            let killer = try database.connect()
            defer { killer.close() }
            let connection = try database.connect()
            #expect(connection.isOpen && connection.fileDescriptor >= 0 && connection.backendProcessID > 0)
            try connection.begin()
            #expect(try killer.run(EndSession(processID: connection.backendProcessID)).rows == [true])
            let failure = try error { try connection.ping() }
            #expect(failure.code == .connectionLost && failure.isTransient && failure.isConnectionLost)
            #expect(!connection.isOpen && !connection.isInTransaction && connection.fileDescriptor == -1)
            #expect(try error { try connection.ping() }.isConnectionLost)
            #expect(try error { try connection.execute("SELECT 1") }.isConnectionLost)
            try connection.rollback()
            connection.close()
            let next = try database.connect()
            defer { next.close() }
            try next.ping()
        }
    }

    @Test("a server process that is ended in mid-statement gives the reason")
    func givesReasonOfTermination() throws {
        try TestDatabase.with { database in
            let killer = try database.connect()
            defer { killer.close() }
            let connected = DispatchSemaphore(value: 0)
            nonisolated(unsafe) var processID: Int32 = 0
            let busy = Background { () -> PostgreSQLError in
                let connection = try database.connect { $0.statementTimeoutMilliseconds = 20_000 }
                processID = connection.backendProcessID
                connected.signal()
                return try error { _ = try connection.pipeline(Begin(), Nap(), Commit()) }
            }
            try wait(for: connected)
            try eventually { try killer.run(IsNapping(processID: processID)).rows == [true] }
            try killer.run(EndSession(processID: processID))
            let failure = try busy.value()
            #expect(failure.isConnectionLost && failure.sqlState == "57P01")
        }
    }

    @Test("the server ends an idle transaction, and the connection is lost")
    func losesConnectionOfIdleTransaction() throws {
        try TestDatabase.with { database in
            let watcher = try database.connect()
            defer { watcher.close() }
            let connection = try database.connect { $0.idleInTransactionTimeoutMilliseconds = 50 }
            let processID = connection.backendProcessID
            try connection.begin()
            try eventually { try watcher.run(IsAlive(processID: processID)).rows == [false] }
            let failure = try error { try connection.ping() }
            #expect(failure.isConnectionLost && failure.isTransient && failure.sqlState == "25P03")
        }
    }

    @Test("COPY by any other way than `copyIn` is refused, or ends the connection, instead of hanging")
    func refusesCopyOutsideCopyIn() throws {
        struct CopyOut: Command { static let sql = "COPY (SELECT 1) TO STDOUT" }
        struct HiddenCopyOut: Statement {
            static let sql = "/* hidden */ COPY item TO STDOUT"
            func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
        }
        struct HiddenCopy: Command { static let sql = "/* hidden */ COPY item FROM STDIN" }
        try TestDatabase.with { database in
            for sql in ["COPY (SELECT 1) TO STDOUT", "CREATE TABLE item (id int8); COPY item FROM STDIN"] {
                let connection = try database.connect()
                #expect(try error { try connection.execute(sql) }.isConnectionLost)
            }
            let connection = try database.connect()
            #expect(try error { try connection.run(CopyOut()) }.code == .invalidArgument)
            try connection.execute("CREATE TABLE item (id int8)")
            #expect(try error { try connection.run(HiddenCopy()) }.isConnectionLost)
            let other = try database.connect()
            #expect(try error { try other.forEachRow(of: HiddenCopyOut()) { _ in .next } }.isConnectionLost)
        }
    }

    @Test("the settings reach the server, and those in the URL win")
    func sendsSettingsAndPrefersURLs() throws {
        try TestDatabase.with { database in
            let plain = try database.connect {
                $0.applicationName = "lane 1"
                $0.readOnly = true
                $0.lockTimeoutMilliseconds = 0
            }
            defer { plain.close() }
            #expect(
                try plain.run(ShowSettings()).rows == [["5s", "0", "30s", "lane 1", "on", "UTF8"]])
            #expect(try error { try plain.execute("CREATE TABLE item (id int8)") }.sqlState == "25006")

            var settings = ConnectionSettings(
                url: database.url + "?application_name=url&options=-c%20statement_timeout%3D7000")
            settings.applicationName = "lane 1"
            let other = try Connection(settings)
            defer { other.close() }
            #expect(try other.run(ShowSettings()).rows == [["7s", "4s", "2s", "url", "off", "UTF8"]])
        }
    }
}

private struct InsertPerson: Command {
    static let sql = "INSERT INTO person (name) VALUES ($1)"
    let name: String
    var parameters: [Parameter] { [.text(name)] }
}

private struct LockItem: Statement {
    static let sql = "SELECT id FROM item WHERE id = $1 FOR UPDATE"
    let id: Int64
    var parameters: [Parameter] { [.int8(id)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct IsAlive: Statement {
    static let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
    let processID: Int32
    var parameters: [Parameter] { [.int4(processID)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct ShowSettings: Statement {
    static let sql = """
        SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
            current_setting('idle_in_transaction_session_timeout'), current_setting('application_name'),
            current_setting('default_transaction_read_only'), current_setting('client_encoding')
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [String] {
        [try row.text(), try row.text(), try row.text(), try row.text(), try row.text(), try row.text()]
    }
}
