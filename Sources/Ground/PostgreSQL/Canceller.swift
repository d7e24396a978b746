import CPostgreSQL
import Foundation

/// Stops the statement that a connection is running, from any thread.
///
/// The statement ends with an error that `isCancelled`, if it was still running; whatever runs next on that connection
/// may be hit instead if it was not. The request travels on a connection of its own, and, as libpq 15 does it, in the
/// clear even where the connection speaks TLS.
public final class Canceller: Sendable {
    /// libpq keeps address and key in it and changes nothing.
    nonisolated(unsafe) private let handle: OpaquePointer
    private let lock = NSLock()
    nonisolated(unsafe) private var underWay: Attempt?

    fileprivate init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        PQfreeCancel(handle)
    }

    /// Asks the server to stop the statement, and returns once the server has passed the request on.
    ///
    /// - Throws: `.connectFailed` if the server cannot be reached, or does not answer within `seconds`. In the latter
    ///   case the request still waits for the server, on a thread of its own; a second call then waits for the same
    ///   request.
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
    /// What stops this connection's statements from another thread. It may be kept for as long as the connection lives.
    public func canceller() throws(PostgreSQLError) -> Canceller {
        guard let cancel = PQgetCancel(try liveHandle()) else {
            throw PostgreSQLError(.unexpectedResult, "out of memory")
        }
        return Canceller(cancel)
    }
}

/// One request. libpq's call blocks for as long as the server is silent and cannot be interrupted, so it has a thread
/// to itself, which one can cease to wait for.
private final class Attempt: Sendable {
    private let group = DispatchGroup()
    nonisolated(unsafe) private var message: String?

    init() { group.enter() }

    func run(_ handle: OpaquePointer, keeping owner: Canceller) {
        withExtendedLifetime(owner) {
            // A server that hangs up early must not end the process.
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
    /// libpq's words; nil when it went well. To be read once it is over.
    var failure: String? { message }

    func wait(_ seconds: Double) -> Bool { group.wait(timeout: .now() + seconds) == .success }
}
