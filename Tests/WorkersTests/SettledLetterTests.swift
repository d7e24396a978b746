import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite(
    "What became of dead letters, in the ledger",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SettledLetterTests {
    private static let marked = "难以入库"

    /// Whose chain tells of it, what became of it, why it was dead, and by whom; sorted.
    private func settled(_ office: OfficeUnderTest) throws -> [String] {
        try office.texts(
            """
            SELECT coalesce('report of ' || r.source, 'unit ' || u.id, 'office') || ': ' || concat_ws(' ', \
            j->>'settled', j->>'reason', j->>'by')
            FROM (SELECT chain, convert_from(bytes, 'UTF8')::jsonb AS j FROM ledger_entry) AS e
            LEFT JOIN report r ON r.id = e.chain LEFT JOIN unit u ON u.chain = e.chain
            JOIN dead_letter d ON d.id::text = j->>'dead_letter' AND d.state = j->>'settled'
            WHERE j->>'event' = 'dead_letter_settled'
            """
        ).sorted()
    }

    private func openLetters(_ office: OfficeUnderTest) throws -> [String] {
        try office.texts("SELECT id FROM dead_letter WHERE state = 'open' ORDER BY received_at, id")
    }

    private func sendNoise(_ text: String, by client: PartyClient, as type: MessageType) throws {
        try client.publish(
            Array(text.utf8), to: client.exchange, key: type.routingKey(from: client.party),
            properties: client.properties(type, "noise"))
        #expect(try client.receive().problem == "not_json")
    }

    private func discard(_ letter: String, _ office: OfficeUnderTest, _ sun: PartyClient, to worker: Worker) throws {
        let verdict = try office.order(.commandDiscard, letter, CommandDiscard(reason: "不再处理"), by: sun, to: worker)
        #expect(verdict.type == MessageType.commandTaken.rawValue)
    }

    @Test(
        """
        a dead letter that a person settles is recorded in the chain of the report that it is about, else of the unit \
        that sent it, else of the office; a reader who has none of our code verifies all three
        """
    )
    func chains() throws {
        let office = try OfficeUnderTest()
        for (table, column) in [("report_text", "body"), ("handoff_note", "body")] {
            try office.change(
                "ALTER TABLE \(table) ADD CONSTRAINT no_marker_\(table) CHECK (\(column) NOT LIKE '%\(Self.marked)%')")
        }
        try office.startAll()
        let (source, department, sun) = (try office.source(), try office.unit("d1"), try office.person("sun"))
        try source.submit(.new(level: "province"))
        _ = try source.receive()
        let arrived = try department.receiveHandoff()
        try department.sign(arrived)

        // About a report: an act on its handoff.
        try department.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: Self.marked))
        #expect(try department.receive().problem == "cannot_be_handled")
        try discard(try #require(try openLetters(office).first), office, sun, to: .feedback)
        #expect(try department.receive().problem == "discarded")
        // About none that can be known: of a unit, and of a source.
        try sendNoise("noise of a unit", by: department, as: .handoffProgress)
        try discard(try #require(try openLetters(office).first), office, sun, to: .feedback)
        try sendNoise("noise of a source", by: source, as: .reportSubmitted)
        try discard(try #require(try openLetters(office).first), office, sun, to: .intake)
        _ = try source.receive()

        var report = Submission.new()
        report.text += Self.marked
        try source.submit(report)
        #expect(try source.receive().problem == "cannot_be_handled")
        let dead = try #require(try openLetters(office).first)
        // What stays open is not told.
        _ = try office.order(.commandReplay, dead, Nothing(), by: sun)
        try office.change("ALTER TABLE report_text DROP CONSTRAINT no_marker_report_text")
        #expect(
            try office.order(.commandReplay, dead, Nothing(), by: sun).type == MessageType.commandTaken.rawValue)
        let reason = try #require(try office.texts("SELECT reason FROM dead_letter WHERE id = '\(dead)'").first)
        #expect(
            try settled(office) == [
                "office: discarded not_json person.sun",
                "report of letter: discarded cannot_be_handled person.sun",
                "report of letter: replayed \(reason) person.sun",
                "unit d1: discarded not_json person.sun",
            ])
        try office.expectWholeLedger()
        try expectProved(office)
        try office.close()
    }

    @Test(
        "two lanes that settle letters of the same units at once neither fork a chain nor wait for each other for ever")
    func twoLanes() throws {
        let office = try OfficeUnderTest()
        let lane = try office.start(.feedback)
        let sun = try office.person("sun")
        for unit in ["d1", "d2"] {
            let client = try office.unit(unit)
            for number in 1...40 { try sendNoise("noise \(number) of \(unit)", by: client, as: .handoffProgress) }
        }
        try lane.stop()
        let letters = try openLetters(office).shuffled()
        #expect(letters.count == 80)
        for letter in letters {
            let act = sun.prepare(.commandDiscard, subject: letter, CommandDiscard(reason: "不再处理"))
            try sun.publish(
                act.body, to: sun.exchange, key: act.type.routingKey(from: sun.party, owner: .feedback),
                properties: sun.properties(act.type, letter))
        }
        for _ in 1...2 { try office.start(.feedback) { $0.batchSizeMax = 5 } }
        for _ in letters { #expect(try sun.receive().type == MessageType.commandTaken.rawValue) }
        try office.stopLanes()
        #expect(
            try settled(office)
                == Array(repeating: "unit d1: discarded not_json person.sun", count: 40)
                + Array(repeating: "unit d2: discarded not_json person.sun", count: 40))
        #expect(try office.texts("SELECT entry_count FROM unit WHERE id IN ('d1', 'd2')") == ["41", "41"])
        #expect(!office.log.lines.contains { $0.contains("40P01") }, "a deadlock")
        try office.expectWholeLedger()
        try office.close()
    }

    /// Has the script of the documentation verify an export, written line by line as the page on the ledger says.
    private func expectProved(_ office: OfficeUnderTest) throws {
        try ForeignProgram.requireTools("python3")
        let file = FileManager.default.temporaryDirectory.appending(path: "ledger-\(UUID().uuidString).jsonl")
        defer { try? FileManager.default.removeItem(at: file) }
        let database = try office.database()
        defer { database.close() }
        var text = ""
        func owner(_ chain: UUID, _ subject: LedgerSubject) -> String {
            #""chain":"\#(chain.lowercased)","kind":"\#(subject.kind.rawValue)","id":"\#(subject.id)""#
        }
        try LedgerBooks(database).read { line in
            switch line {
            case .entry(let chain, let subject, let entry, _):
                let bytes = Data(entry.bytes).base64EncodedString()
                text +=
                    #"{\#(owner(chain, subject)),"sequence":\#(entry.sequence),"bytes":"\#(bytes)","#
                    + #""hash":"\#(entry.hash.hexadecimal)"}"#
            case .head(let chain, let subject, let head):
                text += #"{\#(owner(chain, subject)),"head":"\#(head.hash.hexadecimal)","count":\#(head.count)}"#
            case .checkpoint: return
            case .end(let chains, let entries): text += #"{"end":true,"chains":\#(chains),"entries":\#(entries)}"#
            }
            text += "\n"
        }
        try Data(text.utf8).write(to: file)
        for release in ForeignProgram.Release.all {
            let script = release.folder.appending(path: "verify-ledger.py").path
            let reader = try ForeignProgram("/usr/bin/python3", [script, file.path], as: "admin", of: office)
            #expect(try reader.status() == 0, "\(script)")
        }
    }
}
