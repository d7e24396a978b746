package import Basics
import Foundation
import UnixSignals

/// What asks a command to stop, as one signal that its threads look at and its tasks wait for.
package enum CallToStop {
    /// From when this returns, SIGINT, SIGTERM and SIGHUP no longer end the process but raise the signal, and SIGPIPE
    /// does nothing: a server that was started must not be left behind.
    ///
    /// A `ServiceGroup` could take the signals too, but only while it runs: one that comes while settings are read or
    /// the database is looked for would be lost on it.
    /// - Parameters:
    ///   - withOutput: raised also when standard output cannot be written, or its reader has gone. No library watches
    ///     that.
    ///   - untilInputEnds: raised also when standard input ends, as when the process that started this one does.
    ///   - onHangUp: what SIGHUP means instead: a service reads its settings again.
    package static func signal(
        withOutput: Bool = false, untilInputEnds: Bool = false, onHangUp: (@Sendable () async -> Void)? = nil
    ) async -> StopSignal {
        Foundation.signal(SIGPIPE, SIG_IGN)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let stop = StopSignal()
        // As long as the process lives: a second Ctrl-C does not end it either.
        Task {
            for await signal in signals {
                if signal == .sighup, let onHangUp { await onHangUp() } else { stop.stop() }
            }
        }
        if withOutput { watchOutput(stop) }
        if untilInputEnds { watchInput(stop) }
        return stop
    }

    private static func watchOutput(_ stop: StopSignal) {
        Output.whenRefused { stop.stop() }
        // A reader that goes, as `head` does, is noticed also while nothing is written.
        Thread.detachNewThread {
            var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            while poll(&output, 1, -1) < 0, errno == EINTR {}
            if output.revents & Int16(POLLERR | POLLHUP) != 0 { Output.fail(EPIPE) }
        }
    }

    private static func watchInput(_ stop: StopSignal) {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            stop.stop()
        }
    }
}
