import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct LockTests {
    @Test("a session's advisory lock belongs to one connection, survives a rollback, and dies with the connection")
    func bindsSessionLockToConnection() throws {
        try TestDatabase.with { database in
            let (first, second) = (try database.connect(), try database.connect())
            defer { second.close() }
            #expect(try first.tryAdvisoryLock(42))
            #expect(try !second.tryAdvisoryLock(42))
            #expect(try second.tryAdvisoryLock(43))
            #expect(try first.tryAdvisoryLock(42))
            #expect(try first.advisoryUnlock(42))
            #expect(try !second.tryAdvisoryLock(42))
            #expect(try first.advisoryUnlock(42))
            #expect(try second.tryAdvisoryLock(42))
            #expect(try !first.advisoryUnlock(42))
            try first.begin()
            try first.advisoryLock(.min)
            try first.rollback()
            #expect(try !second.tryAdvisoryLock(.min))
            first.close()
            try eventually { try second.tryAdvisoryLock(.min) }
        }
    }

    @Test("a transaction's advisory lock ends with it, and needs one")
    func endsTransactionLockWithTransaction() throws {
        try TestDatabase.with { database in
            let (first, second) = (try database.connect(), try database.connect())
            defer {
                first.close()
                second.close()
            }
            #expect(try error { _ = try first.tryAdvisoryTransactionLock(1) }.code == .invalidArgument)
            #expect(try error { try first.advisoryTransactionLock(1) }.code == .invalidArgument)
            try first.transaction { connection in
                #expect(try connection.tryAdvisoryTransactionLock(1))
                try connection.advisoryTransactionLock(2)
                #expect(try !second.tryAdvisoryLock(1))
                #expect(try !second.tryAdvisoryLock(2))
            }
            #expect(try second.tryAdvisoryLock(1))
            #expect(try second.tryAdvisoryLock(2))
        }
    }

    @Test("a waiter gets an advisory lock when it is free, or a transient error in time")
    func waitsForLockOrTimesOut() throws {
        try TestDatabase.with { database in
            let holder = try database.connect()
            defer { holder.close() }
            try holder.advisoryLock(7)
            let impatient = try database.connect { $0.lockTimeoutMilliseconds = 50 }
            defer { impatient.close() }
            let failure = try error { try impatient.advisoryLock(7) }
            #expect(failure.sqlState == "55P03" && failure.isTransient)
            let waiter = Background { () -> Bool in
                let connection = try database.connect {
                    $0.lockTimeoutMilliseconds = 15_000; $0.statementTimeoutMilliseconds = 15_000
                }
                defer { connection.close() }
                try connection.advisoryLock(7)
                return try connection.advisoryUnlock(7)
            }
            try eventually { try holder.run(IsAwaited()).rows == [true] }
            try holder.advisoryUnlock(7)
            #expect(try waiter.value())
        }
    }
}

private struct IsAwaited: Statement {
    static let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted)"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}
