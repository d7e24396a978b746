import Foundation
import Observability
import Testing

@Suite("The page of metrics")
struct MetricsPageTests {
    @Test("the page for operators has every metric with its kind and labels, in the order of the code, and no other")
    func page() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/metrics.md")
        let page = try String(contentsOf: file.standardizedFileURL, encoding: .utf8)
        let listed = Metric.all.map { metric in
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: " ")
            return "`\(metric.name)`|\(metric.kind.word)|\(labels.isEmpty ? "–" : labels)"
        }
        #expect(Self.rows(of: page) == listed)
    }

    @Test("no two metrics have the same name")
    func namesAreUnique() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
    }

    /// The first three cells of each row of the tables of metrics.
    private static func rows(of page: String) -> [String] {
        var rows: [String] = []
        var isInTable = false
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("| Metric | Kind |") {
                isInTable = true
            } else if !line.hasPrefix("|") {
                isInTable = false
            } else if isInTable, !line.hasPrefix("|---") {
                let cells = line.split(separator: "|").prefix(3).map { $0.trimmingCharacters(in: .whitespaces) }
                rows.append(cells.joined(separator: "|"))
            }
        }
        return rows
    }
}
