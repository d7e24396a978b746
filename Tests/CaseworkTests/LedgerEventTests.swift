import Basics
import Foundation
import Testing

@testable import Casework

@Suite("Events of the ledger")
struct LedgerEventTests {
    /// A value under every name of a detail: each event takes its own.
    private static let everything: [String: String] = Dictionary(
        uniqueKeysWithValues: LedgerKey.allCases.map { key in
            let value =
                switch key {
                case .report, .handoff, .deadLetter, .approval: "0195a5f2-6c00-7abc-8def-000000000001"
                case .duty: "unit.d1/duty-return/2026-Q1"
                case .first, .last: "2026-Q1"
                case .action: "warn"
                case .due: "2026-03-02T08:00:00Z"
                case .filedOn: "2026-03-02"
                case .round, .step: "2"
                case .kind: PersonAct.recall.rawValue
                case .decision: Approval.State.approved.rawValue
                case .settled: LedgerEvent.DeadLetterEnd.discarded.rawValue
                case .verdict: ReportState.notAccepted.rawValue
                default: "x-\(key.rawValue)"
                }
            return (key.rawValue, value)
        })

    private static let mayLack: [String: LedgerKey] = [
        "entered": .unit, "recalled": .act, "withdrawn": .handoff, "approval_asked": .handoff,
    ]

    private static func event(_ word: String, without key: LedgerKey? = nil) -> LedgerEvent? {
        var fields = everything.merging(["event": word]) { $1 }
        if let key { fields[key.rawValue] = nil }
        return LedgerEvent(fields)
    }

    @Test("every event is read back from its bytes as it was written", arguments: LedgerEvent.words)
    func readsBackEveryEvent(word: String) throws {
        let event = try #require(Self.event(word))
        #expect(event.word == word)
        let record = LedgerRecord(event, at: CaseFileTests.now, by: "office.intake")
        #expect(LedgerRecord(record.bytes) == record)
    }

    @Test(
        "an entry with a missing, extra, unknown or differently written detail is refused",
        arguments: LedgerEvent.words)
    func refusesForeignEntries(word: String) throws {
        let event = try #require(Self.event(word))
        for (key, _) in event.details where Self.mayLack[word] != key {
            #expect(Self.event(word, without: key) == nil, "\(key)")
        }
        #expect(Self.event("\(word)2") == nil)
        let bytes = LedgerRecord(event, at: CaseFileTests.now, by: "office.intake").bytes
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(LedgerRecord(Array(text.replacing("}", with: #","zeal":"1"}"#).utf8)) == nil)
        #expect(LedgerRecord(Array(text.replacing("Z\"", with: "+00:00\"").utf8)) == nil)
    }

    @Test("the page on the ledger lists every event with its details, and nothing else")
    func documentsEveryEvent() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../docs/ledger.md")
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").drop {
            !$0.hasPrefix("| `event` |")
        }
        .prefix { $0.hasPrefix("|") }.dropFirst(2)
        let listed = try rows.map { row in
            let cells = row.split(separator: "|")
            let (word, details) = (try #require(cells.first).names, try #require(cells.dropFirst().first).names)
            return (word: try #require(word.first), details: Set(details))
        }
        #expect(listed.map(\.word) == LedgerEvent.words)
        for (word, details) in listed {
            let events = [Self.event(word), word == "entered" ? Self.event(word, without: .unit) : nil].compactMap(
                \.self)
            #expect(details == Set(events.flatMap { $0.details.map(\.key.rawValue) }), "\(word)")
        }
    }
}

extension Substring {
    /// The words between back-ticks.
    fileprivate var names: [String] { matches(of: /`([^`]+)`/).map { String($0.1) } }
}
