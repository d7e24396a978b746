import CPostgreSQL
import Foundation

/// Waiting for the socket, the simple protocol, and what happens when the connection is gone.
extension Connection {
    func openHandle() throws(PostgreSQLError) -> OpaquePointer {
        guard let handle else { throw PostgreSQLError(.connectionLost, "the connection is closed") }
        guard PQstatus(handle) == CONNECTION_OK else { throw lose("the connection broke") }
        return handle
    }

    /// Gives the connection up. Its socket is closed at once, so that the server, if it lives, rolls back.
    /// A fatal error of the server, if it sent one before it hung up, tells why.
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

    /// Waits until the socket can be read, or, if `writing`, written. True if it can be read.
    ///
    /// `statement_timeout` bounds the server's silence, but not that of a frozen machine: so the wait ends after that time
    /// for each of the `statements` under way, and a little more.
    func waitForSocket(writing: Bool, statements: Int) throws(PostgreSQLError) -> Bool {
        let limit = patienceMilliseconds.map { min($0 * statements, 1_000_000_000) }
        let deadline = limit.map { ContinuousClock.now + .milliseconds($0) }
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLIN | (writing ? POLLOUT : 0)), revents: 0)
        while true {
            let remaining = deadline.map { (ContinuousClock.now.duration(to: $0) / .milliseconds(1)).rounded(.up) }
            let ready = poll(&descriptor, 1, remaining.map { Int32(max($0, 0)) } ?? -1)
            if ready > 0 { return descriptor.revents & ~Int16(POLLOUT) != 0 }
            if ready == 0 { throw lose("the server did not answer in time") }
            // A signal interrupts; anything else means that the descriptor is of no use.
            if errno != EINTR { throw lose("waiting for the socket failed") }
        }
    }

    /// Reads what has arrived.
    func consumeInput(because error: PostgreSQLError?) throws(PostgreSQLError) {
        let handle = try openHandle()
        if PQconsumeInput(handle) == 1 { return }
        // The server's last word may be among what was read together with the end.
        let last = error == nil ? PQgetResult(handle).map { ServerResult($0).error(operation: nil) } : nil
        throw lose("the connection broke", because: error ?? last)
    }

    /// Sends SQL by the simple protocol and takes all answers; throws the first failure.
    func exchangeSimple(_ sql: String) throws(PostgreSQLError) {
        let handle = try openHandle()
        guard PQsendQuery(handle, sql) == 1 else { throw lose("sending failed") }
        var firstError: PostgreSQLError?
        while true {
            let unsent = PQflush(handle)
            if unsent < 0 { throw lose("sending failed", because: firstError) }
            if unsent == 1 || PQisBusy(handle) == 1 {
                if try waitForSocket(writing: unsent == 1, statements: 1) { try consumeInput(because: firstError) }
                continue
            }
            guard let result = PQgetResult(handle).map({ ServerResult($0) }) else { break }
            switch result.status {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                throw lose("COPY is not supported")
            default:
                if !result.isSuccess, firstError == nil { firstError = result.error(operation: nil) }
            }
        }
        if let firstError { throw firstError }
    }
}
