import CPostgreSQL
import Foundation

/// Cancels the running statement of a connection, from any thread.
///
/// A statement that is still running ends with an error that `isCancelled`. If it has already ended, the next
/// statement on the connection may be cancelled instead. The request uses its own connection, without encryption even
/// if the connection uses TLS, because libpq 15 does so.
public final class Canceller: Sendable {
    /// libpq's address and key; they never change.
    nonisolated(unsafe) private let handle: OpaquePointer
    private let lock = NSLock()
    nonisolated(unsafe) private var underWay: Attempt?

    fileprivate init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        PQfreeCancel(handle)
    }

    /// Asks the server to cancel the statement, and returns once the server has passed the request on.
    ///
    /// - Throws: `.connectFailed` if the server cannot be reached, or does not answer within `seconds`. In the latter
    ///   case the request keeps waiting for the server on its own thread; a second call waits for the same request.
    public func cancel(withinSeconds seconds: Double = 5) throws(PostgreSQLError) {
        let attempt = lock.withLock {
            if let underWay, !underWay.isOver { return underWay }
            let attempt = Attempt()
            underWay = attempt
            Thread.detachNewThread { attempt.run(self.handle, keeping: self) }
            return attempt
        }
        guard attempt.wait(seconds) else {
            throw PostgreSQLError(.connectFailed, "the server did not take the cancellation in time")
        }
        guard let message = attempt.failure else { return }
        var error = PostgreSQLError(.connectFailed, "the server did not take the cancellation")
        error.primaryMessage = message
        throw error
    }
}

extension Connection {
    /// A canceller for this connection's statements, for use from another thread while the connection lives.
    public func canceller() throws(PostgreSQLError) -> Canceller {
        guard let cancel = PQgetCancel(try liveHandle()) else {
            throw PostgreSQLError(.unexpectedResult, "out of memory")
        }
        return Canceller(cancel)
    }
}

/// One cancel request. libpq's call blocks while the server does not answer and cannot be interrupted, so it runs on
/// its own thread, and a caller can stop waiting for it.
private final class Attempt: Sendable {
    private let group = DispatchGroup()
    nonisolated(unsafe) private var message: String?

    init() { group.enter() }

    func run(_ handle: OpaquePointer, keeping owner: Canceller) {
        withExtendedLifetime(owner) {
            // A server that closes the socket early must not end the process.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            var text = [CChar](repeating: 0, count: 256)
            if PQcancel(handle, &text, 256) == 0 {
                message = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            group.leave()
        }
    }

    var isOver: Bool { wait(0) }
    /// libpq's message; nil after success. Read it only once the request is over.
    var failure: String? { message }

    func wait(_ seconds: Double) -> Bool { group.wait(timeout: .now() + seconds) == .success }
}
