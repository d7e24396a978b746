import Foundation
import Testing

/// `docs/architecture.md` says where each invariant stands. Whatever it names must exist.
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
        return lines.drop { !$0.hasPrefix("| Invariant |") }.prefix { $0.hasPrefix("|") }.dropFirst(2).compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 6, let number = Int(cells[1].prefix { $0.isNumber }) else { return nil }
            let names = cells.map { cell in cell.matches(of: /`([^`]+)`/).map { String($0.1) } }
            return Row(number: number, rules: names[2], database: names[3], tests: names[4])
        }
    }

    @Test("every invariant has its row, a rule and a test")
    func everyInvariant() throws {
        let rows = try Self.table()
        #expect(rows.map(\.number) == Array(1...11))
        for row in rows {
            #expect(!row.rules.isEmpty, "invariant \(row.number) names no rule")
            #expect(!row.tests.isEmpty, "invariant \(row.number) names no test")
        }
    }

    @Test("every constraint, trigger and right that the table names stands in the migrations")
    func databaseNamesExist() throws {
        let sql = try SourceTree.files(in: "Sources/CaseStore/Migrations", "sql").map(\.text).joined(separator: "\n")
        for row in try Self.table() {
            for name in row.database { #expect(sql.contains(name), "invariant \(row.number): \(name)") }
        }
    }

    @Test("every type and function that the table names stands in the sources")
    func rulesExist() throws {
        let files = try SourceTree.files(in: "Sources", "swift")
        for row in try Self.table() {
            for name in row.rules {
                let parts = name.split(separator: ".").map(String.init)
                let type = try Regex(#"\b(struct|class|enum|protocol|extension)\s+(\w+\.)?\#(parts[0])\b"#)
                let declaring = files.filter { $0.text.contains(type) }
                #expect(!declaring.isEmpty, "invariant \(row.number): no type \(parts[0])")
                guard parts.count == 2 else { continue }
                let member = try Regex(#"\b(func|var|let|case|struct|enum)\s+\#(parts[1])\b"#)
                #expect(declaring.contains { $0.text.contains(member) }, "invariant \(row.number): \(name)")
            }
        }
    }

    @Test("every test that the table names is a test")
    func testsExist() throws {
        let files = try SourceTree.files(in: "Tests", "swift")
        for row in try Self.table() {
            for name in row.tests {
                let parts = name.split(separator: ".").map(String.init)
                try #require(parts.count == 2, "invariant \(row.number): \(name) is no Suite.test")
                let suite = try Regex(#"\b(struct|class|enum|extension)\s+\#(parts[0])\b"#)
                let test = try Regex(#"@Test[\s\S]{0,2000}?\bfunc\s+\#(parts[1])\b"#)
                #expect(files.contains { $0.text.contains(suite) && $0.text.contains(test) }, "invariant \(row.number): \(name)")
            }
        }
    }

    @Test("every named constraint and trigger of the schema that guards an invariant is in the table, or said to guard none")
    func noGuardIsForgotten() throws {
        let sql = try SourceTree.files(in: "Sources/CaseStore/Migrations", "sql").map(\.text).joined(separator: "\n")
        let text = try SourceTree.read("docs/architecture.md")
        let names = Set(sql.matches(of: /\b(?:CONSTRAINT|CREATE TRIGGER)\s+([a-z0-9_]+)/).map { String($0.1) })
        #expect(names.filter { !text.contains("`\($0)`") }.sorted() == [])
    }
}
