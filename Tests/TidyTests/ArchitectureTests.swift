import Foundation
import Testing

/// `docs/architecture.md` says where each invariant is enforced. Every name in it must exist.
@Suite("The table of invariants")
struct ArchitectureTests {
    struct Row {
        let number: Int
        /// Names between back-ticks.
        let rules, database, tests: [String]
    }

    /// The rows of the table that begins with "Invariant".
    static func table() throws -> [Row] {
        let lines = try SourceTree.read("docs/architecture.md").split(separator: "\n")
        return lines.drop { !$0.hasPrefix("| Invariant |") }.prefix { $0.hasPrefix("|") }.dropFirst(2).compactMap {
            line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 6, let number = Int(cells[1].prefix { $0.isNumber }) else { return nil }
            let names = cells.map { cell in cell.matches(of: /`([^`]+)`/).map { String($0.1) } }
            return Row(number: number, rules: names[2], database: names[3], tests: names[4])
        }
    }

    @Test("every invariant has its row, a rule and a test")
    func everyInvariantHasRuleAndTest() throws {
        let rows = try Self.table()
        #expect(rows.map(\.number) == Array(1...11))
        for row in rows {
            #expect(!row.rules.isEmpty, "invariant \(row.number) names no rule")
            #expect(!row.tests.isEmpty, "invariant \(row.number) names no test")
        }
    }

    @Test("every constraint, trigger and right in the table is in the migrations")
    func databaseNamesExist() throws {
        let sql = try SourceTree.files(in: "Sources/Store/CaseStore/Migrations", "sql").map(\.text).joined(
            separator: "\n")
        for row in try Self.table() {
            // Looked up first, so that a failure does not print all of the SQL.
            let missing = row.database.filter { !sql.contains($0) }
            #expect(missing == [], "invariant \(row.number)")
        }
    }

    @Test("every type and function in the table is in the sources")
    func rulesExist() throws {
        let files = try SourceTree.files(in: "Sources", "swift").map(\.pairsOfWords)
        for row in try Self.table() {
            for name in row.rules {
                let parts = name.split(separator: ".").map(String.init)
                let declaring = files.filter {
                    Self.declares(parts[0], by: ["struct", "class", "enum", "protocol", "extension"], in: $0)
                }
                #expect(!declaring.isEmpty, "invariant \(row.number): no type \(parts[0])")
                guard parts.count == 2 else { continue }
                let hasMember = declaring.contains {
                    Self.declares(parts[1], by: ["func", "var", "let", "case", "struct", "enum"], in: $0)
                }
                #expect(hasMember, "invariant \(row.number): \(name)")
            }
        }
    }

    @Test("every test that the table names is a test")
    func testsExist() throws {
        let tests = try Tests()
        for row in try Self.table() {
            for name in row.tests {
                try #require(name.contains("."), "invariant \(row.number): \(name) is no Suite.test")
                #expect(tests.exist(name), "invariant \(row.number): \(name)")
            }
        }
    }

    @Test("the page on threats names only existing tests, and every row names one")
    func threatsNameExistingTests() throws {
        let tests = try Tests()
        let rows = try SourceTree.read("docs/threats.md").split(separator: "\n").filter {
            $0.hasPrefix("|") && !$0.hasPrefix("|---")
        }
        let answered = rows.map { $0.split(separator: "|") }.filter { $0.count == 3 && $0[2].contains("`") }
        #expect(answered.count > 30)
        for cells in answered where cells[2].contains("Tests") {
            let missing = cells[2].matches(of: /`([^`]+)`/).map { String($0.1) }.filter { !tests.exist($0) }
            #expect(missing == [], "\(cells[0])")
        }
    }

    /// Suites, and the tests in them.
    private struct Tests {
        let files: [(text: String, words: Set<String>)]

        init() throws { files = try SourceTree.files(in: "Tests", "swift").map { ($0.text, $0.pairsOfWords) } }

        /// - Parameter name: `Suite` or `Suite.test`.
        func exist(_ name: String) -> Bool {
            let parts = name.split(separator: ".").map(String.init)
            return files.contains { text, words in
                guard ArchitectureTests.declares(parts[0], by: ["struct", "class"], in: words) else { return false }
                return parts.count == 1
                    || text.firstRange(of: "func \(parts[1])(").map {
                        text[..<$0.lowerBound].suffix(2000).contains("@Test")
                    } == true
            }
        }
    }

    fileprivate static func declares(_ name: String, by keywords: [String], in words: Set<String>) -> Bool {
        keywords.contains { words.contains("\($0) \(name)") }
    }

    @Test("every named constraint and trigger of the schema is in the table, or listed as guarding no invariant")
    func noGuardIsForgotten() throws {
        let sql = try SourceTree.files(in: "Sources/Store/CaseStore/Migrations", "sql").map(\.text).joined(
            separator: "\n")
        let text = try SourceTree.read("docs/architecture.md")
        let names = Set(sql.matches(of: /\b(?:CONSTRAINT|CREATE TRIGGER)\s+([a-z0-9_]+)/).map { String($0.1) })
        #expect(names.filter { !text.contains("`\($0)`") }.sorted() == [])
    }
}
