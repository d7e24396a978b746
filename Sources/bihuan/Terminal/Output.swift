import Foundation

/// Where words for a person go. Both write at once, whatever stands behind the descriptor: a log that is read through a pipe
/// must not lag.
enum Output {
    static func line(_ text: String = "") { write(text + "\n", to: STDOUT_FILENO) }
    static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more: there is nobody to tell either.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
