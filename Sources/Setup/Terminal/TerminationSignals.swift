import Dispatch
import Foundation
import Synchronization

/// SIGINT, SIGTERM and SIGHUP as something to wait for, from the moment it is made. The signals no longer end the
/// process, and SIGPIPE neither: a server that was started must not be left behind.
package final class TerminationSignals: @unchecked Sendable {
    private let raised = Atomic<Bool>(false)
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    /// Written here only, in `init`.
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameter withOutput: it also counts as a signal that standard output cannot be written, or that its reader
    ///   has gone.
    package init(withOutput: Bool = false) {
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in self?.raise() }
            source.resume()
            sources.append(source)
        }
        if withOutput { watchOutput() }
    }

    /// Whether one has come; also asked from other threads, while something long goes on.
    package var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Does what a signal does.
    package func raise() {
        raised.store(true, ordering: .releasing)
        continuation.yield()
    }

    package func wait() async {
        if isRaised { return }
        for await _ in events { return }
    }

    private func watchOutput() {
        Output.whenRefused { [weak self] in self?.raise() }
        // A reader that goes, as `head` does, is noticed also while nothing is written.
        Thread.detachNewThread {
            var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            while poll(&output, 1, -1) < 0, errno == EINTR {}
            if output.revents & Int16(POLLERR | POLLHUP) != 0 { Output.fail(EPIPE) }
        }
    }
}
