import Casework
import Foundation
import Testing

@testable import Workers

/// `docs/policy.md`.
enum PolicyPage {
    static let text = try? String(
        contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/policy.md"), encoding: .utf8)

    /// The whole policy at its end.
    static var example: String {
        (text ?? "").split(separator: "```yaml\n").last.map { String($0.split(separator: "```")[0]) } ?? ""
    }

    struct Key {
        let path, type, required, leftOut, meaning, rows, example: String
    }

    /// The rows of all tables of keys. A heading names the paths that its table is for; without any it is the top of
    /// the file.
    static var keys: [Key] {
        var (places, columns) = ([""], [String]())
        return (text ?? "").split(separator: "\n").flatMap { line -> [Key] in
            if line.hasPrefix("#") {
                let paths = line.matches(of: /`([^`]+)`/).map { String($0.1) }
                places = paths.isEmpty ? [""] : paths
            }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard line.hasPrefix("|") else {
                columns = []
                return []
            }
            if columns.isEmpty { columns = cells }
            guard columns.first == "Key", let name = cells.first?.wholeMatch(of: /`([a-z_]+)`/)?.1 else { return [] }
            func cell(_ column: String) -> String { columns.firstIndex(of: column).map { cells[$0] } ?? "" }
            return places.map { place in
                Key(
                    path: place.isEmpty ? String(name) : "\(place).\(name)", type: cell("Type"),
                    required: cell("Required"), leftOut: cell("Left out"), meaning: cell("Meaning"), rows: cell("Rows"),
                    example: cell("Example"))
            }
        }
    }
}

@Suite("The page on the policy's language")
struct PolicyPageTests {
    private static func keys(of shape: PolicyShape, under path: String = "") -> [String] {
        switch shape {
        case .fields(let fields):
            fields.flatMap { name, field in
                let path = path.isEmpty ? name : "\(path).\(name)"
                return ["\(path) | \(field.shape.words) | \(field.isRequired ? "yes" : "no")"]
                    + keys(of: field.shape, under: path)
            }
        case .list(let element): keys(of: element, under: path)
        default: []
        }
    }

    @Test("the page lists every key with its type and whether it is required, and no other")
    func documentsEveryKey() {
        let page = PolicyPage.keys.map { "\($0.path) | \($0.type) | \($0.required)" }
        let code = Self.keys(of: PolicyShape.policy)
        #expect(code.count > 100)
        #expect(Set(code).subtracting(page).sorted() == [], "not on the page")
        #expect(Set(page).subtracting(code).sorted() == [], "only on the page")
        #expect(page.count == Set(page).count, "a key stands twice")
        for key in PolicyPage.keys {
            #expect(
                !key.meaning.isEmpty && (!key.example.isEmpty || !key.leftOut.isEmpty || key.required == "no"),
                "\(key.path)")
        }
    }

    @Test("the page lists which rows may ask for a fact")
    func documentsFactsByRow() throws {
        let facts = PolicyPage.keys.filter { $0.path.hasPrefix("scope.rows.when.") }
        #expect(facts.count == 11)
        for fact in facts {
            let value = fact.type == "true or false" ? "true" : #"["ab"]"#
            let name = fact.path.split(separator: ".").last ?? ""
            let condition = try JSONDecoder().decode(Condition.self, from: Data("{\"\(name)\": \(value)}".utf8))
            #expect(fact.rows == (condition.readsText ? "scope" : "all"), "\(fact.path)")
        }
    }

    @Test("the limits on the page are those of the code")
    func documentsLimits() throws {
        let text = try #require(PolicyPage.text)
        for limit in [
            """
            at most \(Policy.rowsMax) rows and \(Policy.wordsMax) different words; a word has at most \
            \(Policy.wordBytesMax) bytes
            """,
            "at most \(PolicyFile.bytesMax) bytes", "At most \(Policy.placeholdersMax).",
            "1 to \(Policy.textCharactersMax) characters",
            "After \(PolicyFile.problemsMax) faults",
        ] { #expect(text.contains(limit), "\(limit)") }
    }

    @Test("the page's whole policy has no fault and no warning")
    func documentsFaultlessPolicy() {
        let reading = PolicyFile.check(PolicyPage.example)
        #expect(reading.problems.map(\.description) == [])
        #expect(reading.policy?.name == "small-town")
    }
}
