import Foundation
import Synchronization
import Text

/// Where words for a person go. All write at once, whatever stands behind the descriptor: a log that is read through a
/// pipe must not lag. Whatever of a text came from outside, a terminal gets nothing to obey.
package enum Output {
    package static func line(_ text: String = "") { write(printablePage(text) + "\n", to: STDOUT_FILENO) }
    package static func note(_ text: String) { write(printablePage(text) + "\n", to: STDERR_FILENO) }

    /// Where the caller closed a standard descriptor, the next file or socket would get its number, and our words would
    /// be written into it. What is put there instead can be read, and refuses what is written.
    static func closeGaps() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// A JSON text, which must mean the same afterwards.
    package static func json(_ text: String) { write(printableJSON(text) + "\n", to: STDOUT_FILENO) }

    /// The columns of the terminal behind standard output; nil where there is none, so that nothing is cut.
    package static var width: Int? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    /// Bytes as they are: for words and styling of our own.
    package static func write(_ text: String, to descriptor: Int32) {
        if descriptor == STDOUT_FILENO, failure != nil { return }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                if descriptor == STDOUT_FILENO { fail(errno) }
                return
            }
            bytes = bytes.dropFirst(count)
        }
    }

    // MARK: When nobody takes it

    private struct State {
        var failure: Int32?
        var handler: (@Sendable () -> Void)?
    }
    private static let state = Mutex(State())

    /// The error number with which standard output was refused first.
    package static var failure: Int32? { state.withLock { $0.failure } }

    /// Told once, when standard output is refused; at once where it was before.
    static func whenRefused(_ handler: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            state.handler = handler
            return state.failure != nil
        }
        if isLate { handler() }
    }

    package static func fail(_ code: Int32) {
        let handler = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.failure == nil else { return nil }
            state.failure = code
            return state.handler
        }
        handler?()
    }

    /// The status to end with: what was printed and did not arrive is a failure, and is said where that can be.
    package static func endStatus(_ status: Int32) -> Int32 {
        guard let failure else { return status }
        if failure != EPIPE { note("Error: standard output cannot be written: \(String(cString: strerror(failure)))") }
        return status == 0 ? 1 : status
    }
}
