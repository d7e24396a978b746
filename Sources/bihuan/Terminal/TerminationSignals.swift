import Dispatch
import Foundation
import Synchronization

/// SIGINT, SIGTERM and SIGHUP as something to wait for, from the moment it is made. The signals no longer end the process.
final class TerminationSignals: @unchecked Sendable {
    private let raised = Atomic<Bool>(false)
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    /// Written here only, in `init`.
    private var sources: [any DispatchSourceSignal] = []

    init() {
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in self?.raise() }
            source.resume()
            sources.append(source)
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
