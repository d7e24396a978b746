import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct CancelTests {
    @Test("a running statement is stopped from another thread, and the connection goes on")
    func stopsRunningStatementFromAnotherThread() throws {
        try TestDatabase.with { database in
            let watcher = try database.connect()
            defer { watcher.close() }
            let ready = DispatchSemaphore(value: 0)
            nonisolated(unsafe) var shared: (canceller: Canceller, processID: Int32)?
            let busy = Background { () -> PostgreSQLError in
                let connection = try database.connect { $0.statementTimeoutMilliseconds = 15_000 }
                defer { connection.close() }
                shared = (try connection.canceller(), connection.backendProcessID)
                ready.signal()
                let failure = try error { try connection.run(Nap()) }
                try connection.ping()
                return failure
            }
            try wait(for: ready)
            let (canceller, processID) = try #require(shared)
            try eventually { try watcher.run(IsNapping(processID: processID)).rows == [true] }
            try canceller.cancel()
            let failure = try busy.value(withinSeconds: 10)
            #expect("\(failure)" == "PostgreSQL: server, SQLSTATE 57014, in Nap, the statement was cancelled")
            #expect(failure.isCancelled && !failure.isConnectionLost)
        }
    }

    @Test("a cancellation while nothing runs, or after the connection is gone, does no harm")
    func cancelsHarmlesslyWhenIdle() throws {
        try TestDatabase.reading { connection in
            let canceller = try connection.canceller()
            try canceller.cancel()
            try connection.ping()
            connection.close()
            try canceller.cancel()
            #expect(try error { _ = try connection.canceller() }.isConnectionLost)
        }
    }

    @Test(
        "a server that is frozen or gone does not block the canceller",
        .enabled(if: PrivateServer.isAvailable, PrivateServer.whyDisabled))
    func endsCancelOfFrozenServerInTime() throws {
        try PrivateServer.with { server in
            let connection = try server.connect()
            defer { connection.close() }
            let canceller = try connection.canceller()
            kill(server.postmaster, SIGSTOP)
            for _ in 1...3 {
                let begin = ContinuousClock.now
                let failure = try error { try canceller.cancel(withinSeconds: 0.3) }
                #expect(failure.code == .connectFailed && "\(failure)".contains("in time"))
                #expect(begin.duration(to: .now) < .seconds(3))
            }
            kill(server.postmaster, SIGCONT)
            try canceller.cancel()
            server.stop(SIGQUIT)
            let gone = try error { try canceller.cancel() }
            #expect(gone.code == .connectFailed && !"\(gone)".contains("in time"))
        }
    }
}
