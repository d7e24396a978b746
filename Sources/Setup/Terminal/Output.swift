import Foundation
import Synchronization
import Text

/// Output for people. Every call writes at once, also to a pipe, so that a log does not lag. Control characters in
/// text from outside do not reach the terminal.
package enum Output {
    package static func line(_ text: String = "") { write(printablePage(text) + "\n", to: STDOUT_FILENO) }
    package static func note(_ text: String) { write(printablePage(text) + "\n", to: STDERR_FILENO) }

    /// Opens `/dev/null` for reading on each standard descriptor that the caller closed. Otherwise the next file
    /// or socket would get its number and receive our output. Writing to the replacement fails.
    static func closeGaps() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// Writes JSON text; escaping keeps its meaning.
    package static func json(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
        write(printableJSON(text) + "\n", to: descriptor)
    }

    /// Prints a value as one line of JSON.
    package static func json(encoding value: some Encodable) throws { json(try jsonText(value)) }

    /// A value as one line of JSON, its keys in order.
    package static func jsonText(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The columns of the terminal behind standard output; nil if it is no terminal, so that nothing is cut.
    package static var width: Int? { size.flatMap { $0.ws_col > 0 ? Int($0.ws_col) : nil } }

    /// The lines of that terminal.
    package static var height: Int? { size.flatMap { $0.ws_row > 0 ? Int($0.ws_row) : nil } }

    package static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static var size: winsize? {
        guard isTerminal else { return nil }
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 ? size : nil
    }

    /// Writes the bytes unchanged: for our own text and styling.
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

    // MARK: Failed writes

    private struct State {
        var failure: Int32?
        var handler: (@Sendable () -> Void)?
    }
    private static let state = Mutex(State())

    /// The error number of the first failed write to standard output.
    package static var failure: Int32? { state.withLock { $0.failure } }

    /// Sets the handler for the first failed write to standard output; calls it at once if one failed before.
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

    /// The status to end with: a failed write to standard output is a failure, and is reported on standard error
    /// unless the reader closed the pipe (EPIPE).
    package static func endStatus(_ status: Int32) -> Int32 {
        guard let failure else { return status }
        if failure != EPIPE { note("Error: standard output cannot be written: \(String(cString: strerror(failure)))") }
        return status == 0 ? 1 : status
    }
}
