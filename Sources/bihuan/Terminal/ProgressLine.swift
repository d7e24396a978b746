import Foundation

/// One line on a terminal that says how far something is, drawn anew a few times a second. Elsewhere it says nothing.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var drawnAt = ContinuousClock.now
    private var isDrawn = false

    /// - Parameter share: how much of all is done, 0 to 1, where that is known.
    mutating func draw(_ text: String, share: Double? = nil) {
        guard isTerminal, !isDrawn || ContinuousClock.now - drawnAt > .milliseconds(100) else { return }
        (isDrawn, drawnAt) = (true, .now)
        var bar = ""
        if let share {
            let full = Int((min(max(share, 0), 1) * 30).rounded())
            bar = "[" + String(repeating: "#", count: full) + String(repeating: "·", count: 30 - full) + "] "
        }
        Output.write("\r\u{1B}[K" + bar + text, to: STDERR_FILENO)
    }

    /// Takes the line away, before something else is written.
    mutating func clear() {
        if isDrawn { Output.write("\r\u{1B}[K", to: STDERR_FILENO) }
        isDrawn = false
    }
}
