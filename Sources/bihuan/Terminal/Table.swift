/// Rows of words in aligned columns; columns of numbers are aligned to the right.
struct Table {
    private var rows: [(label: String, value: Int, remark: String)] = []
    let title: String

    init(_ title: String) { self.title = title }

    mutating func add(_ label: String, _ value: Int, _ remark: String = "") { rows.append((label, value, remark)) }

    /// - Parameter width: of the column of labels, so that several tables stand in line.
    func lines(labelWidth width: Int) -> [String] {
        let valueWidth = rows.map { String($0.value).count }.max() ?? 1
        return [title]
            + rows.map { row in
                let label = row.label + String(repeating: " ", count: max(0, width - row.label.count))
                let value = String(repeating: " ", count: max(0, valueWidth - String(row.value).count)) + String(row.value)
                return "  \(label)  \(value)\(row.remark.isEmpty ? "" : "  " + row.remark)"
            }
    }

    var labelWidth: Int { rows.map(\.label.count).max() ?? 0 }

    static func printed(_ tables: [Table]) -> String {
        let width = tables.map(\.labelWidth).max() ?? 0
        return tables.map { $0.lines(labelWidth: width).joined(separator: "\n") }.joined(separator: "\n\n")
    }
}
