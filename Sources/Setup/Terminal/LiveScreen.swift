import Foundation
import Synchronization

/// A page that is drawn in place on a terminal, on its other screen: what was there before comes back at the end.
package final class LiveScreen: Sendable {
    private let isOpen = Mutex(true)
    private let style: Style

    package init(_ style: Style = .ofStandardOutput) {
        self.style = style
        Output.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[H\u{1B}[2J", to: STDOUT_FILENO)
    }

    /// Draws a page over the one before. Lines that the terminal has no room for are left out, and the last one says
    /// how many.
    /// - Parameter lines: each fits the width of the terminal.
    package func draw(_ lines: [PageLine], height: Int? = Output.height) {
        let text = Self.frame(lines, height: height, style)
        isOpen.withLock { isOpen in
            if isOpen { Output.write(text, to: STDOUT_FILENO) }
        }
    }

    /// Restores the terminal. Nothing is drawn afterwards, whichever thread tries.
    package func close() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            Output.write("\u{1B}[?25h\u{1B}[?1049l", to: STDOUT_FILENO)
        }
    }

    static func frame(_ lines: [PageLine], height: Int?, _ style: Style) -> String {
        var lines = lines
        if let height, height > 0, lines.count > height {
            let left = lines.count - height + 1
            lines = lines.prefix(height - 1) + [PageLine("… \(left) more lines", .faint)]
        }
        // Each line is cleared to its end, then what is below the last; no line end follows it, which would scroll.
        return "\u{1B}[H" + lines.map { style.text($0) + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
    }
}
