import Basics
import Casework
import Conformance
import Foundation
import Text

/// Verdicts as text and as JSON.
struct ContractReport {
    let unit: UnitID
    let verdicts: [Verdict]

    var passed: Bool { verdicts.allSatisfy { $0.outcome == .passed } }

    /// One line for each scenario, with its reasons on lines of their own below it. Names are ASCII, so counting
    /// characters aligns them.
    var text: String {
        let width = Self.width(verdicts.map(\.scenario))
        let lines = verdicts.flatMap { verdict -> [String] in
            let name = Self.padded(verdict.scenario, to: width)
            return ["  \(Self.word(for: verdict.outcome))  \(name)  \(verdict.expectation)"]
                + verdict.reasons.map { "             \(printable($0))" }
        }
        let count = verdicts.count { $0.outcome == .passed }
        return (["unit.\(unit): \(count) of \(verdicts.count) scenarios passed", ""] + lines).joined(separator: "\n")
    }

    static var list: String {
        let width = width(Scenario.all.map(\.name))
        return Scenario.all.map { padded($0.name, to: width) + "  " + $0.expectation }.joined(separator: "\n")
    }

    func json() throws -> Data {
        struct File: Encodable {
            let unit: UnitID
            let passed: Bool
            let scenarios: [Verdict]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(File(unit: unit, passed: passed, scenarios: verdicts)) + Data("\n".utf8)
    }

    private static func word(for outcome: Verdict.Outcome) -> String {
        switch outcome {
        case .passed: "passed    "
        case .failed: "FAILED    "
        case .notJudged: "not judged"
        }
    }

    private static func width(_ names: [String]) -> Int { names.map(\.count).max() ?? 0 }
    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
