import Basics
import Foundation

/// The progress of a long task. On a terminal it is one line, redrawn at most ten times a second; elsewhere, as in
/// a log, it is a line every five seconds, and a task that ends sooner prints nothing.
package struct ProgressLine {
    private static let drawingInterval = Duration.milliseconds(100)
    private static let tellingInterval = Duration.seconds(5)

    private let isTerminal: Bool
    private var saidAt: ContinuousClock.Instant
    private var isDrawn = false

    package init(isTerminal: Bool = isatty(STDERR_FILENO) == 1, at now: ContinuousClock.Instant = .now) {
        self.isTerminal = isTerminal
        saidAt = now
    }

    /// - Parameter share: the finished part, 0 to 1, if it is known.
    package mutating func draw(_ text: String, share: Double? = nil) {
        if let words = words(text, share: share, at: .now) { Output.write(words, to: STDERR_FILENO) }
    }

    /// Removes the line, before other output.
    package mutating func clear() {
        if isDrawn { Output.write("\r\u{1B}[K", to: STDERR_FILENO) }
        isDrawn = false
    }

    /// The text that `draw` writes; nil if it is too soon to write again.
    package mutating func words(_ text: String, share: Double?, at now: ContinuousClock.Instant) -> String? {
        let isDue = now - saidAt > (isTerminal ? Self.drawingInterval : Self.tellingInterval)
        guard isDue || isTerminal && !isDrawn else { return nil }
        saidAt = now
        guard isTerminal else { return text + "\n" }
        isDrawn = true
        var bar = ""
        if let share {
            let full = Int((min(max(share, 0), 1) * 30).rounded())
            bar = "[" + String(repeating: "#", count: full) + String(repeating: "·", count: 30 - full) + "] "
        }
        return "\r\u{1B}[K" + bar + text
    }
}
