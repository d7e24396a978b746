import Dispatch
import Foundation
import Synchronization

/// SIGINT, SIGTERM and SIGHUP as something to wait for, from the moment it is made. The signals no longer end the process.
final class TerminationSignals: Sendable {
    private let raised = Atomic<Bool>(false)
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        sources = Mutex([])
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in self?.raise() }
            source.resume()
            sources.withLock { $0.append(source) }
        }
    }

    /// Whether one has come; also asked from other threads, while something long goes on.
    var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Does what a signal does.
    func raise() {
        raised.store(true, ordering: .releasing)
        continuation.yield()
    }

    func wait() async {
        if isRaised { return }
        for await _ in events { return }
    }
}
