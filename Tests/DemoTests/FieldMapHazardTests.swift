import Casework
import Foundation
import Testing
@testable import Basics
@testable import Submitting

/// Findings of the fuzzer, kept as tests.
@Suite("Harmful field maps")
struct FieldMapHazardTests {
    private static func problems(_ yaml: String) -> [String] {
        do throws(FieldMapError) {
            _ = try FieldMap(yaml: yaml)
            return []
        } catch {
            return error.problems
        }
    }

    @Test("anchors and aliases are refused")
    func refusesAnchorsAndAliases() {
        #expect(Self.problems("fields:\n  text: &t x\n  id: *t\n").first?.contains("anchors (&name)") == true)
    }

    @Test("a map of many bytes or values is refused before it is read")
    func refusesLargeMaps() {
        #expect(Self.problems(String(repeating: "#", count: (1 << 18) + 1)) == ["a field map has at most 262144 bytes"])
        let keys = "fields: {" + (0..<65_000).map { _ in "," }.joined() + "}"
        #expect(Self.problems(keys).first?.hasPrefix("a field map has at most \(YAMLText.valuesMax) values") == true)
    }

    @Test("a map full of slips is reported in a hundred short sentences")
    func limitsReportOfSlips() {
        let keys = "fields: {" + (0..<9_000).map { "k\($0): 1, " }.joined() + "}"
        #expect(Self.problems(keys).count == 100)
        let word = String(repeating: "k", count: 100_000)
        for yaml in [
            "\(word): x", "fields: { \(word): x }", "fields: { text: \(word) }", "source: \(word)!", "a: '\(word)",
            "ignored: [[\(word)]]",
        ] {
            let problems = Self.problems(yaml)
            #expect(
                !problems.isEmpty && problems.allSatisfy { $0.utf8.count < 600 },
                "\(problems.first?.utf8.count ?? 0) bytes")
        }
    }

    @Test(
        "a count of seconds beyond the year 9999 is no date",
        arguments: [
            ("unix", "253402300799", true), ("unix", "253402300800", false), ("unix", "-62135596800", true),
            ("unix", "-62135596801", false),
            ("unix-ms", "9223372036854775", false), ("unix", "9223372036854", false),
            ("unix", "9223372036854775807", false),
        ])
    func refusesFarYears(format: String, count: String, isDate: Bool) throws {
        let map = try FieldMap(yaml: "fields:\n  text: text\n  receivedAt: { from: at, format: \(format) }\n")
        let line = try #require(
            ReportLineReader(map: map, defaultSource: SourceID(unchecked: "web")).read(
                #"{"text":"x","at":\#(count)}"#, number: 1))
        #expect(((try? line.get()) != nil) == isDate)
        if let time = try? line.get().submission.receivedAt { #expect(Instant(time.description) == time) }
    }
}
