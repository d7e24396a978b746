/// A title and rows of a label, a number and perhaps a remark. Labels are ASCII, so that counting characters aligns them.
struct Table {
    private var rows: [(label: String, value: Int, remark: String)] = []
    let title: String

    init(_ title: String) { self.title = title }

    mutating func add(_ label: String, _ value: Int, _ remark: String = "") { rows.append((label, value, remark)) }

    /// Several tables with their columns in line.
    static func printed(_ tables: [Table]) -> String {
        let rows = tables.flatMap(\.rows)
        let labelWidth = rows.map(\.label.count).max() ?? 0
        let valueWidth = rows.map { String($0.value).count }.max() ?? 0
        return tables.map { $0.printed(labelWidth, valueWidth) }.joined(separator: "\n\n")
    }

    private func printed(_ labelWidth: Int, _ valueWidth: Int) -> String {
        let lines = rows.map { row in
            let value = String(row.value)
            let label = row.label + String(repeating: " ", count: labelWidth - row.label.count)
            let space = String(repeating: " ", count: 2 + valueWidth - value.count)
            return "  " + label + space + value + (row.remark.isEmpty ? "" : "  " + row.remark)
        }
        return ([title] + lines).joined(separator: "\n")
    }
}
