/// A title and rows of a label, a number and perhaps a remark.
struct Table {
    private var rows: [[String]] = []
    let title: String

    init(_ title: String) { self.title = title }

    mutating func add(_ label: String, _ value: Int, _ remark: String = "") { rows.append([label, "\(value)", remark]) }

    /// Of what has no number because it could not be asked.
    mutating func add(_ label: String, unknown remark: String) { rows.append([label, "-", remark]) }

    /// Several tables with their columns in line.
    static func printed(_ tables: [Table], width: Int? = Output.width) -> String {
        var grid = Grid([.text(""), .number(""), .text("")], indent: 2)
        for row in tables.flatMap(\.rows) { grid.add(row) }
        var lines = grid.lines(width: width)[...]
        return tables.map { table in
            defer { lines = lines.dropFirst(table.rows.count) }
            return ([table.title] + lines.prefix(table.rows.count)).joined(separator: "\n")
        }.joined(separator: "\n\n")
    }
}
