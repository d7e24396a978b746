import Text

/// Aligned columns for cells in any script. On a terminal the widest columns are cut until a row fits the line;
/// elsewhere nothing is cut. Cells may contain untrusted text.
package struct Grid {
    package struct Column {
        var heading: String
        var isNumber = false
        /// Never cut: numbers, and ids that people copy.
        var isWhole = false

        package static func text(_ heading: String) -> Column { Column(heading: heading) }
        package static func number(_ heading: String) -> Column {
            Column(heading: heading, isNumber: true, isWhole: true)
        }
        package static func whole(_ heading: String) -> Column { Column(heading: heading, isWhole: true) }
    }

    /// The width that a cut column keeps at least.
    private static let leastWidth = 6
    private static let gap = 2

    private let columns: [Column]
    private let indent: Int
    private let hasHeadings: Bool
    private var rows: [[String]] = []

    package init(_ columns: [Column], indent: Int = 0) {
        self.columns = columns
        self.indent = indent
        hasHeadings = columns.contains { !$0.heading.isEmpty }
    }

    package mutating func add(_ cells: [String]) { rows.append(cells.map { printable($0) }) }

    package func printed(width: Int? = Output.width) -> String { lines(width: width).joined(separator: "\n") }

    /// One line for the headings, if there are any, and one for each row.
    package func lines(width: Int? = Output.width) -> [String] {
        let all = (hasHeadings ? [columns.map(\.heading)] : []) + rows
        var widths = columns.indices.map { column in
            all.map { column < $0.count ? displayWidth($0[column]) : 0 }.max() ?? 0
        }
        if let width { shrink(&widths, to: width) }
        return all.map { row in
            let cells = zip(row.indices, row).map { index, cell in
                padded(cut(cell, to: widths[index]), columns[index], widths[index])
            }
            let line =
                String(repeating: " ", count: indent) + cells.joined(separator: String(repeating: " ", count: Grid.gap))
            let bare = line.last == " " ? String(line.reversed().drop { $0 == " " }.reversed()) : line
            return width.map { cut(bare, to: $0) } ?? bare
        }
    }

    /// The grid if its rows fit the width; otherwise each row as lines of its cells, broken at spaces, so that nothing
    /// is cut off.
    /// - Parameter separator: between the cells of a row that does not fit.
    /// - Returns: the lines of the headings, if there are any, and those of each row.
    package func fitting(
        width: Int? = Output.width, separator: String = " · "
    ) -> (headings: [String], rows: [[String]]) {
        let whole = lines(width: nil)
        guard let width, whole.contains(where: { displayWidth($0) > width }) else {
            return (hasHeadings ? [whole[0]] : [], whole.dropFirst(hasHeadings ? 1 : 0).map { [$0] })
        }
        let inner = indent + 2
        return (
            [],
            rows.map { row in
                let text = row.filter { !$0.isEmpty }.joined(separator: separator)
                let first = wrapped(text, to: max(width - inner, 8))
                return first.enumerated().map { index, line in
                    String(repeating: " ", count: index == 0 ? indent : inner) + line
                }
            }
        )
    }

    /// Narrows the widest column that may be cut, one character at a time.
    private func shrink(_ widths: inout [Int], to width: Int) {
        var excess = indent + widths.reduce(0, +) + Grid.gap * max(0, widths.count(where: { $0 > 0 }) - 1) - width
        while excess > 0 {
            let candidates = widths.indices.filter { !columns[$0].isWhole && widths[$0] > Grid.leastWidth }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
            excess -= 1
        }
    }

    private func padded(_ cell: String, _ column: Column, _ width: Int) -> String {
        let padding = String(repeating: " ", count: max(0, width - displayWidth(cell)))
        return column.isNumber ? padding + cell : cell + padding
    }
}
