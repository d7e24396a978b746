import CPostgreSQL
import Foundation

/// Waiting for the socket, the simple protocol, and the handling of a lost connection.
extension Connection {
    /// The handle for a new operation; throws while another is under way.
    func openHandle() throws(PostgreSQLError) -> OpaquePointer {
        if notices.isDelivering { throw PostgreSQLError(.invalidArgument, "a notice is being handed over") }
        if let occupation { throw PostgreSQLError(.invalidArgument, occupation) }
        return try liveHandle()
    }

    /// The handle within an operation.
    func liveHandle() throws(PostgreSQLError) -> OpaquePointer {
        guard let handle else { throw PostgreSQLError(.connectionLost, "the connection is closed") }
        guard PQstatus(handle) == CONNECTION_OK else { throw lose("the connection broke") }
        return handle
    }

    /// Gives up the connection. Its socket is closed at once, so that a living server rolls back. If the server sent
    /// a fatal error before it closed the connection, that error is the reason.
    func lose(_ reason: String, because cause: PostgreSQLError? = nil) -> PostgreSQLError {
        var error = PostgreSQLError(.connectionLost, reason)
        if let cause, cause.isFatal {
            error = cause
            error.code = .connectionLost
        } else if let handle {
            error.primaryMessage = PQerrorMessage(handle).map { String(cString: $0) }
        }
        close()
        return error
    }

    /// Waits until the socket can be read or, if `writing`, written. True if it can be read.
    ///
    /// `statement_timeout` limits a working server, but not a frozen machine. So the wait ends after that time and 3
    /// s more for each of the `statements` under way. It continues while the server reports that the session waits
    /// for a standby: a committed transaction must not be taken for lost.
    func waitForSocket(writing: Bool, statements: Int) throws(PostgreSQLError) -> Bool {
        let limit = patienceMilliseconds.map { min($0 * statements, 1_000_000_000) }
        var deadline = limit.map { ContinuousClock.now + .milliseconds($0) }
        while true {
            let slice = min(whileWaiting == nil ? Int.max : 1000, Self.millisecondsLeft(until: deadline) ?? Int.max)
            let events = try pollSocket(
                POLLIN | (writing ? POLLOUT : 0), withinMilliseconds: slice == .max ? nil : slice)
            if events != 0 { return events & ~POLLOUT != 0 }
            if let whileWaiting, !whileWaiting() { throw lose("given up while the server was waited for") }
            guard Self.millisecondsLeft(until: deadline) == 0 else { continue }
            guard isWaitingForStandby() else { throw lose("the server did not answer in time") }
            deadline = limit.map { ContinuousClock.now + .milliseconds($0) }
        }
    }

    private static func millisecondsLeft(until deadline: ContinuousClock.Instant?) -> Int? {
        deadline.map { max(0, Int((ContinuousClock.now.duration(to: $0) / .milliseconds(1)).rounded(.up))) }
    }

    /// Asks, over a new connection, whether this session waits for a standby.
    private func isWaitingForStandby() -> Bool {
        do throws(PostgreSQLError) {
            let other = try Connection(settings)
            defer { other.close() }
            return try other.run(AwaitsStandby(backend: backendProcessID)).rows.first ?? false
        } catch {
            return false
        }
    }

    /// The events on the socket, 0 if there were none within the limit; nil for no limit.
    func pollSocket(_ events: Int32, withinMilliseconds limit: Int?) throws(PostgreSQLError) -> Int32 {
        let deadline = limit.map { ContinuousClock.now + .milliseconds($0) }
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(events), revents: 0)
        while true {
            let remaining = deadline.map { (ContinuousClock.now.duration(to: $0) / .milliseconds(1)).rounded(.up) }
            let ready = poll(&descriptor, 1, remaining.map { Int32(max($0, 0)) } ?? -1)
            if ready > 0 { return Int32(descriptor.revents) }
            if ready == 0 { return 0 }
            // A signal interrupts; any other error means that the descriptor is unusable.
            if errno != EINTR { throw lose("waiting for the socket failed") }
        }
    }

    /// Reads what has arrived.
    func consumeInput(because error: PostgreSQLError?) throws(PostgreSQLError) {
        let handle = try liveHandle()
        if PQconsumeInput(handle) == 1 { return }
        // The server's last message may have been read together with the end of the stream.
        let last = error == nil ? PQgetResult(handle).map { ServerResult($0).error(operation: nil) } : nil
        throw lose("the connection broke", because: error ?? last)
    }

    /// The next answer outside pipelines; nil when none is left. Sends unsent data meanwhile.
    func nextResult(because error: PostgreSQLError? = nil) throws(PostgreSQLError) -> ServerResult? {
        let handle = try liveHandle()
        while true {
            let unsent = PQflush(handle)
            if unsent < 0 { throw lose("sending failed", because: error) }
            if unsent == 0, PQisBusy(handle) == 0 { return PQgetResult(handle).map { ServerResult($0) } }
            if try waitForSocket(writing: unsent == 1, statements: 1) { try consumeInput(because: error) }
        }
    }

    /// Reads the remaining answers and returns the first failure, or else the last success.
    func remainingResults() throws(PostgreSQLError) -> Result<ServerResult?, PostgreSQLError> {
        var outcome: Result<ServerResult?, PostgreSQLError> = .success(nil)
        var failure: PostgreSQLError?
        while let result = try nextResult(because: failure) {
            if failure != nil { continue }
            switch result.status {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // libpq would return this result for ever.
                throw lose("COPY goes through copyIn only")
            case _ where result.isSuccess, PGRES_SINGLE_TUPLE:
                outcome = .success(result)
            default:
                let error = result.error(operation: nil)
                failure = error
                outcome = .failure(error)
            }
        }
        return outcome
    }

    /// Sends SQL by the simple protocol and reads all answers; throws the first failure.
    func exchangeSimple(_ sql: String) throws(PostgreSQLError) {
        guard PQsendQuery(try openHandle(), sql) == 1 else { throw lose("sending failed") }
        _ = try remainingResults().get()
    }
}

/// True if a session has committed and waits for a synchronous standby.
private struct AwaitsStandby: Statement {
    static let sql = "SELECT wait_event IS NOT DISTINCT FROM 'SyncRep' FROM pg_stat_activity WHERE pid = $1"
    let backend: Int32
    var parameters: [Parameter] { [.int4(backend)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}
