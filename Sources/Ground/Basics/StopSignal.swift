import Synchronization

/// Told once to stop, for all who look at it or wait for it.
public final class StopSignal: Sendable {
    private let stopped = Atomic<Bool>(false)
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

    public init() {}

    /// Also asked from threads, while something long goes on.
    public var isStopped: Bool { stopped.load(ordering: .acquiring) }

    public func stop() {
        stopped.store(true, ordering: .releasing)
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for continuation in all { continuation.resume() }
    }

    /// Returns once it was told, however long that takes: cancelling the task does not end the wait.
    public func wait() async {
        await withCheckedContinuation { continuation in
            let isLate = waiting.withLock { waiting in
                guard !isStopped else { return true }
                waiting.append(continuation)
                return false
            }
            if isLate { continuation.resume() }
        }
    }
}
