import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Terminal
import Testing
import TestOffice
import Text

@testable import Workers
@testable import bihuan

@Suite("The way of one report", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct TraceTests {
    private static let words = ["甲标题某乡修路款", "某副镇长虚报冒领，贪污公款修路，请查处。", "王标记", "钱进来", "13900001111", "查实，已处理。"]

    private func submission() -> Submission {
        var submission = Submission.new()
        (submission.title, submission.text) = (Self.words[0], Self.words[1])
        submission.accused[0].name = Self.words[2]
        submission.reporters = [Reporter(name: Self.words[3], phone: Self.words[4])]
        return submission
    }

    /// As the role `operator`.
    private func trace(_ name: String, in office: OfficeUnderTest, now: Instant? = nil) throws -> TracedCase? {
        let database = try Database(
            ConnectionSettings(url: office.servers.databaseURL(user: "bihuan_operator", database: office.databaseName)))
        defer { database.close() }
        return try TracedCase.read(
            try #require(Trace.wanted(name), "\(name) is no name of a report"), database, now: now ?? .wall(),
            wall: .wall())
    }

    private func text(_ found: TracedCase, width: Int? = nil) throws -> String {
        let lines = TracePage(found, width: width).lines.map(\.text)
        for line in lines { #expect(displayWidth(line) <= width ?? .max, "\(line)") }
        return lines.joined(separator: "\n")
    }

    private func expectNothingOfTheContents(
        _ found: TracedCase, also more: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let all = try text(found) + text(found, width: 40) + found.jsonLines().joined(separator: "\n")
        for word in Self.words + more {
            #expect(!all.contains(word), "it shows \(word)", sourceLocation: sourceLocation)
        }
    }

    @Test(
        "a report that was registered, routed, signed and concluded is told step by step, with nothing of what it says")
    func tellsWholeWay() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let arrived = try office.handOff(submission(), from: try office.source(), to: city)
        try city.sign(arrived)
        try city.decide(arrived)
        try city.conclude(arrived)
        try office.waitForState("closed", of: arrived)
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")

        let found = try #require(try trace(arrived.number, in: office))
        let steps = TraceStep.all(of: found)
        #expect(found.brokenAt == nil)
        #expect(
            steps.filter { $0.event != "dispatched" }.map(\.event) == [
                "registered", "routed", "signed", "disposition_decided", "concluded", "conclusion_accepted",
            ])
        #expect(steps.count { $0.event == "dispatched" } <= 1, "a signature may come before the confirm")
        #expect(steps.first?.queue == "source.letter.submit →" && steps.first?.by == "office.intake")
        let signed = try #require(steps.first { $0.event == "signed" })
        #expect(signed.by == "unit.c01" && signed.queue == "unit.c01.acts →" && (signed.since ?? -1) >= 0)
        #expect(steps.first { $0.event == "routed" }?.what.hasPrefix("handed to unit.c01 (") == true)
        #expect(steps.first { $0.event == "routed" }?.rule.contains("@") == true)

        let page = try text(found)
        #expect(page.contains("report  \(arrived.number)\n") && page.contains("state   closed\n"))
        #expect(page.contains(arrived.handoff) && page.hasSuffix("Nothing waits and no clock runs."))
        #expect(page.contains(/sign 1 +unit\.c01 .+ended: signed, in time/), "\(page)")
        // By each of its names it is the same.
        for name in [found.report.id.description, arrived.handoff.uppercased(), "S" + arrived.number] {
            #expect(try trace(name, in: office)?.report.id == found.report.id)
        }
        for width in [40, 80, 200] { _ = try text(found, width: width) }
        try expectNothingOfTheContents(found)
        let kinds = try found.jsonLines().map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["kind"] as? String ?? ""
        }
        #expect(kinds.first == "report" && Set(kinds) == ["report", "step", "handoff", "clock"])
        try office.close()
    }

    @Test("what waits and what is overdue stands at the end: outbox, early acts, dead letters, notices, clocks")
    func showsWhatWaits() throws {
        let office = try OfficeUnderTest()
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let city = try office.unit("c01")
        let arrived = try office.handOff(submission(), from: try office.source(), to: city)
        try city.conclude(arrived)
        try office.wait(for: ["1"], "SELECT count(*)::text FROM held_message")
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        try office.stopLanes()
        let report = try #require(try office.texts("SELECT id::text FROM report").first)
        try office.change(
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            body, created_at) VALUES (gen_random_uuid(), 'feedback', 'hand', 'bihuan.notice', 'unit.c01.notice', \
            'bihuan.notice.overdue.v1', '\(arrived.handoff)', 'unit.c01', ARRAY['\(report)'::uuid], \
            '\(Self.words[1])', '2026-01-01Z');
            """)
        try office.change(
            """
            INSERT INTO dead_letter (id, reason, detail, type, sender, queue, routing_key, worker, subject, digest, \
            bytes, answered, received_at) VALUES (gen_random_uuid(), 'too_costly', '\(Self.words[2])', \
            '\(Self.words[3])', 'unit.c01', 'unit.c01.acts', '\(Self.words[4])', 'feedback', '\(arrived.handoff)', \
            '\\x00', 1, true, '2026-01-01Z')
            """)
        try office.change(
            """
            INSERT INTO person_notice (id, person, report_id, kind, rule, created_at) VALUES (gen_random_uuid(), \
            'wang', '\(report)', 'overdue', 'p@1/x', '2026-01-01Z')
            """)
        let later = Instant.wall().adding(seconds: 400 * 86_400)
        let found = try #require(try trace(arrived.handoff, in: office, now: later))
        let page = TracePage(found, width: nil).lines
        let waits = page.drop { $0.text != "Waiting now" }.map(\.text)
        #expect(waits.count == 5, "\(waits)")
        #expect(
            waits.contains { $0.contains(/to be sent .*notice.overdue to unit.c01.notice by feedback, no living lane/) }
        )
        #expect(
            waits.contains {
                $0.contains(/ahead of its state +#1 +handoff.concluded of unit.c01 waits for the signature of unit.c01/)
            })
        #expect(waits.contains { $0.contains(/! dead letter .+: too_costly, a message of no known type of unit.c01/) })
        #expect(waits.contains { $0.contains("overdue to person.wang") })
        #expect(page.contains { $0.look == .warning && $0.text.contains(/sign 1 +unit\.c01 .+! overdue by \d+d/) })
        try expectNothingOfTheContents(found)

        let database = try office.database()
        defer { database.close() }
        let groups = try database.run(ReadOutboxGroups()).rows
        let table = OutboxQueue.table(OutboxQueue.all(of: groups, live: [], at: .wall()), width: nil)
        #expect(table.contains(/unit\.c01\.notice +1 +\d+d +1 dead +1 notice\.overdue/), "\(table)")
        let early = WaitingMessage.table(
            try database.run(ListDeferredMessages(countMax: 5)).rows, at: .wall(), width: nil)
        #expect(
            early.contains(/\d+s +unit\.c01 +handoff\.concluded +no +the signature of unit\.c01/)
                && early.contains(arrived.handoff), "\(early)")
        try office.change("DELETE FROM outbox")
        try office.close()
    }

    @Test("of a sealed report only ids and states are shown, and a chain that was tampered with is named")
    func showsNothingOfSealed() throws {
        let office = try OfficeUnderTest()
        let key = Curve25519.KeyAgreement.PrivateKey()
        let hexadecimal = Array(key.publicKey.rawRepresentation).hexadecimal
        try office.change("UPDATE unit SET sealing_key = decode('\(hexadecimal)', 'hex') WHERE id = 'superior'")
        try office.startAll()
        let source = try office.source()
        var sealed = submission()
        sealed.accused[0].level = "central"
        try source.submit(sealed)
        let number = try #require(try source.receive().number)
        let found = try #require(try trace(number, in: office))
        #expect(number.hasPrefix("S") && found.report.number == number && found.report.state == .passedUp)
        #expect(TraceStep.all(of: found).map(\.event).prefix(2) == ["registered", "passed_up"])
        #expect(try text(found).contains("passed up sealed to unit.superior"))
        try expectNothingOfTheContents(found)
        try office.stopLanes()
        try office.change(
            """
            ALTER TABLE ledger_entry DISABLE TRIGGER ledger_only_grows;
            UPDATE ledger_entry SET bytes = 'x' WHERE sequence = 2;
            """)
        let tampered = try #require(try trace(number, in: office))
        #expect(tampered.brokenAt == 2)
        #expect(try text(tampered).contains("NOT whole: entry 2 does not match"))
        #expect(TraceStep.all(of: tampered)[1].what == "an entry that this version does not know")
        try office.close()
    }

    @Test(
        "a name that no report has finds nothing, and what is no name is said to be none",
        arguments: [
            "2026-99999999", "0195a5f2-6c00-7abc-8def-0123456789ab",
        ])
    func findsNothing(_ name: String) throws {
        let office = try OfficeUnderTest()
        #expect(try trace(name, in: office) == nil)
        for wrong in ["", "2026", "2026-1", "x", "2026-00000001'", "20260-0000001"] {
            #expect(Trace.wanted(wrong) == nil, "\(wrong)")
        }
        try office.close()
    }
}
