import Basics
import Casework
import Foundation
import Testing
import Workers

/// Findings of the fuzzer, kept as tests.
@Suite("Harmful policies")
struct PolicyHazardTests {
    private static let policy = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")

    private static func error(_ yaml: String) throws -> PolicyError {
        try #require(throws: PolicyError.self) { try PolicyFile.read(yaml, named: "test") }
    }

    @Test(
        "a step that repeats too often to be counted is refused",
        arguments: [
            "9223372036854775807", "-9223372036854775808", "4611686018427387904", "0", "33",
        ])
    func limitsRepeatedSteps(number: String) throws {
        var yaml = try String(contentsOf: Self.policy, encoding: .utf8)
        let times = try #require(yaml.range(of: #"times: \d+"#, options: .regularExpression))
        yaml.replaceSubrange(times, with: "times: \(number)")
        #expect(
            try Self.error(yaml).problems.contains {
                $0.path.hasSuffix(".times") && $0.message.contains("between 1 and")
            })
    }

    /// Shown by its name, since its text fills a log.
    struct LongFile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let yaml: String
    }

    @Test(
        "a file of many values is refused before it is read",
        arguments: [
            LongFile(
                testDescription: "a list in one line", yaml: "returns: [" + String(repeating: "a,", count: 500_000)),
            LongFile(
                testDescription: "a list of many lines",
                yaml: "returns:\n" + String(repeating: "- \n", count: 300_000)),
            LongFile(testDescription: "many keys", yaml: (0..<70_000).map { "k\($0): 1\n" }.joined()),
        ])
    func limitsValues(file: LongFile) throws {
        #expect(
            try Self.error(file.yaml).problems.map(\.message) == ["a policy has at most \(YAMLText.valuesMax) values"])
    }

    @Test("a file full of slips is soon reported in a hundred sentences")
    func limitsReportOfSlips() throws {
        let keys = (0..<12_000).map { "key_\($0): 1\n" }.joined()
        var error = try Self.error(keys)
        #expect(error.problems.count == PolicyFile.problemsMax)

        var yaml = try String(contentsOf: Self.policy, encoding: .utf8)
        let level = try #require(yaml.range(of: "[central]"))
        yaml.replaceSubrange(level, with: "[" + (0..<12_000).map { "level_\($0)" }.joined(separator: ",") + "]")
        error = try Self.error(yaml)
        #expect(error.problems.count == PolicyFile.problemsMax)
    }

    @Test("a problem repeats little of the file")
    func quotesLittleOfTheFile() throws {
        let word = String(repeating: "k", count: 100_000)
        let twice = "\(word): 1\n\(word): 2\n"
        #expect(try Self.error(twice).problems.allSatisfy { $0.description.utf8.count < 300 })

        let policy = try String(contentsOf: Self.policy, encoding: .utf8)
        for (old, new) in [
            ("level: [central]", "level: [\(word)]"), ("any_of: [$breach]", "any_of: [$\(word)]"),
            ("id: scope-unclear", "id: \(word)"),
            ("within: 2 day", "within: 2 \(word)"), ("word_lists:\n", "word_lists:\n  \(word): []\n"),
        ] {
            #expect(
                try Self.error(policy.replacing(old, with: new)).problems.allSatisfy {
                    $0.description.utf8.count < 600
                }, "\(old)")
        }
    }
}
