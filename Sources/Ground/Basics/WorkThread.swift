import Dispatch
import Foundation

/// A thread with a stack large enough for a broker connection.
package final class WorkThread: Sendable {
    private let done = DispatchSemaphore(value: 0)

    package init(named name: String, _ work: @escaping @Sendable () -> Void) {
        let done = done
        let thread = Thread {
            work()
            done.signal()
        }
        // A hostile message can nest its headers deeply, and the broker's library decodes them by recursion.
        thread.stackSize = 8 << 20
        thread.name = name
        thread.start()
    }

    /// Waits until the thread has ended.
    package func join() {
        done.wait()
        done.signal()
    }

    /// - Returns: whether the thread ended within the time.
    package func join(within seconds: Double) -> Bool {
        guard done.wait(timeout: .now() + seconds) == .success else { return false }
        done.signal()
        return true
    }
}

/// Runs blocking work on its own thread, so that it does not block one of the few threads of Swift concurrency.
package func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        _ = WorkThread(named: "work") { continuation.resume(with: Swift.Result { try work() }) }
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
