import Foundation

/// Runs blocking work on a thread of its own, so that none of the few threads of Swift's concurrency waits.
///
/// The stack has the 8 MiB that an AMQP connection needs (see `AMQP.Connection`).
func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try work() }) }
        thread.stackSize = 8 << 20
        thread.start()
    }
}
