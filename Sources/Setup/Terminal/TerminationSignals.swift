import Dispatch
import Foundation
import Synchronization

/// Waits for SIGINT, SIGTERM or SIGHUP. Once created, these signals and SIGPIPE no longer end the process, so that
/// no started server is left behind.
package final class TerminationSignals: @unchecked Sendable {
    private let raised = Atomic<Bool>(false)
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    /// Written only in `init`.
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameter withOutput: whether a failed write to standard output, or a reader that has gone, also counts
    ///   as a signal.
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

    /// Whether a signal has come. Other threads may ask this during long work.
    package var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Acts as a signal does.
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
        // A reader that closes the pipe, as `head` does, is also noticed while nothing is written.
        Thread.detachNewThread {
            var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            while poll(&output, 1, -1) < 0, errno == EINTR {}
            if output.revents & Int16(POLLERR | POLLHUP) != 0 { Output.fail(EPIPE) }
        }
    }
}
