import Text

/// A title and rows of a label, a number and an optional remark.
package struct Table {
    private var rows: [[String]] = []
    package let title: String

    package init(_ title: String) { self.title = title }

    package mutating func add(_ label: String, _ value: Int, _ remark: String = "") {
        rows.append([label, "\(value)", remark])
    }

    /// Adds a row whose number is unknown because the server could not be asked.
    package mutating func add(_ label: String, unknown remark: String) { rows.append([label, "-", remark]) }

    /// Several tables with aligned columns.
    package static func printed(_ tables: [Table], width: Int? = Output.width) -> String {
        var grid = Grid([.text(""), .number(""), .text("")], indent: 2)
        for row in tables.flatMap(\.rows) { grid.add(row) }
        var lines = grid.lines(width: width)[...]
        return tables.map { table in
            defer { lines = lines.dropFirst(table.rows.count) }
            return ([width.map { cut(table.title, to: $0) } ?? table.title] + lines.prefix(table.rows.count)).joined(
                separator: "\n")
        }.joined(separator: "\n\n")
    }
}
