import Foundation
import Testing

/// `docs/postgresql.md` says of each pitfall which test proves what the library does about it. Whatever it names must
/// exist.
@Suite
struct GuideTests {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    @Test("every test in the guide's table exists, and the table names every suite of this target")
    func guideNamesExistingTests() throws {
        let guide = try String(
            contentsOf: Self.here.deletingLastPathComponent().deletingLastPathComponent().appending(
                path: "docs/postgresql.md"), encoding: .utf8)
        let rows = guide.split(separator: "\n").drop { !$0.hasPrefix("| Pitfall |") }.prefix { $0.hasPrefix("|") }
            .dropFirst(2)
        #expect(rows.count > 20)
        let tests = try Self.tests()
        #expect(tests.count > 60)
        var named: Set<String> = []
        for row in rows {
            let names = try #require(row.split(separator: "|").last).matches(of: /`([^`]+)`/).map { String($0.1) }
            #expect(!names.isEmpty, "no test: \(row)")
            // Looked up first, so that a failure does not print all tests.
            let missing = names.filter { !tests.contains($0) }
            #expect(missing == [])
            named.formUnion(names)
        }
        let suites = Set(tests.map { $0.prefix { $0 != "." } }), listed = Set(named.map { $0.prefix { $0 != "." } })
        #expect(suites.subtracting(listed).subtracting(["GuideTests"]).sorted() == [])
    }

    /// `Suite.test` of every test in this folder.
    private static func tests() throws -> Set<String> {
        var tests: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(at: here, includingPropertiesForKeys: nil)
        where file.pathExtension == "swift" {
            var (suite, isTest) = ("", false)
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                if let match = line.firstMatch(of: /^struct (\w+)/) { suite = String(match.1) }
                if line.contains("@Test(") { isTest = true }
                if isTest, let match = line.firstMatch(of: /^    func (\w+)\(/) {
                    tests.insert("\(suite).\(match.1)")
                    isTest = false
                }
            }
        }
        return tests
    }
}
