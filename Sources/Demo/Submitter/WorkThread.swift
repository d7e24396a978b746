import Dispatch
import Foundation
import Synchronization

/// Told once to stop, for all who look at it.
public final class StopSignal: Sendable {
    private let stopped = Atomic<Bool>(false)

    public init() {}

    public var isStopped: Bool { stopped.load(ordering: .acquiring) }

    public func stop() { stopped.store(true, ordering: .releasing) }
}

/// A thread with the stack that a broker connection needs.
final class WorkThread: Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(named name: String, _ work: @escaping @Sendable () -> Void) {
        let done = done
        let thread = Thread {
            work()
            done.signal()
        }
        // A hostile message can nest its headers deeply, and the broker's library follows them by recursion.
        thread.stackSize = 8 << 20
        thread.name = name
        thread.start()
    }

    /// Waits until the thread has ended.
    func join() {
        done.wait()
        done.signal()
    }
}

/// Wall time, and waiting for it.
enum Wall {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    static func pause(seconds: Double) {
        if seconds > 0 { usleep(UInt32(min(seconds, 60) * 1_000_000)) }
    }
}
