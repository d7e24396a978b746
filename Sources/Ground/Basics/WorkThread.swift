import Dispatch
import Foundation
import Synchronization

/// A flag that is set once to stop work, read by several threads.
public final class StopSignal: Sendable {
    private let stopped = Atomic<Bool>(false)

    public init() {}

    public var isStopped: Bool { stopped.load(ordering: .acquiring) }

    public func stop() { stopped.store(true, ordering: .releasing) }
}

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
}

/// Wall time in microseconds since 1970, and a blocking pause of at most 60 seconds.
package enum Wall {
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    package static func pause(seconds: Double) {
        if seconds > 0 { usleep(UInt32(min(seconds, 60) * 1_000_000)) }
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
