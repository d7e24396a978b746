import Foundation
import Text

/// How a line of a page looks on a terminal. The colour is never the only sign: the words or a mark say the same.
package enum Look: Sendable {
    case plain, heading, critical, warning, good, faint

    fileprivate var code: String? {
        switch self {
        case .plain: nil
        case .heading: "1"
        case .critical: "1;31"
        case .warning: "33"
        case .good: "32"
        case .faint: "2"
        }
    }
}

/// A line of a page, with one look for the whole of it.
package struct PageLine: Equatable, Sendable {
    package let text: String
    package let look: Look

    package init(_ text: String, _ look: Look = .plain) {
        self.text = text
        self.look = look
    }
}

/// Whether lines are coloured: on a terminal that can, unless the variable NO_COLOR is set and not empty.
package struct Style: Sendable {
    private let isColoured: Bool

    package init(isColoured: Bool) { self.isColoured = isColoured }

    package static var ofStandardOutput: Style {
        let environment = ProcessInfo.processInfo.environment
        return Style(
            isColoured: isatty(STDOUT_FILENO) == 1 && (environment["NO_COLOR"] ?? "").isEmpty
                && environment["TERM"] != "dumb")
    }

    /// The bytes of a line, without its end. What is in it from outside stays harmless.
    package func text(_ line: PageLine) -> String {
        let text = printable(line.text)
        guard isColoured, let code = line.look.code, !text.isEmpty else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}

extension Output {
    /// Writes the lines of a page to standard output.
    package static func page(_ lines: [PageLine], _ style: Style = .ofStandardOutput) {
        write(lines.map { style.text($0) + "\n" }.joined(), to: STDOUT_FILENO)
    }
}
