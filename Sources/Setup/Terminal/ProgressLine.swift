import Basics
import Foundation

/// How far something is: on a terminal one line, drawn anew a few times a second; elsewhere, as in a log, a line every
/// few seconds, and none of what is done sooner.
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

    /// - Parameter share: how much of all is done, 0 to 1, where that is known.
    package mutating func draw(_ text: String, share: Double? = nil) {
        if let words = words(text, share: share, at: .now) { Output.write(words, to: STDERR_FILENO) }
    }

    /// Takes the line away, before something else is written.
    package mutating func clear() {
        if isDrawn { Output.write("\r\u{1B}[K", to: STDERR_FILENO) }
        isDrawn = false
    }

    /// What `draw` writes; nil where it is too soon to write again.
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
