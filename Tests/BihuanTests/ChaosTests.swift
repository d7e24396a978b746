import CaseStore
import Casework
import Foundation
import LocalServers
import PostgreSQL
import Submitting
import Testing
@testable import AuditStore
@testable import Chaos
@testable import Installation

@testable import bihuan

/// One run for the whole story, since its servers take seconds to start.
@Suite("An office that is disturbed on purpose", .serialized)
struct ChaosTests {
    @Test("every invariant holds after a short run; each planted breach makes its line false, with seed and trail")
    func keepsEveryInvariantAndFindsBreaches() throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-chaos-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        let run = try Program.run(
            Program.lab,
            [
                "chaos", "--minutes", "0.25", "--kills", "6", "--seed", "3", "--rate", "50", "--days-per-second", "15",
                "--data", directory.path,
            ])
        try #require(run.status == 0, "\(run.output)\n\(run.errors)")
        #expect(run.output.contains("fsync = on, full_page_writes = on, synchronous_commit = on"))
        #expect(run.output.contains("true   kills done: 6 of 6 planned, each of a worker that held work"))
        #expect(
            run.output.contains("true   other disturbances done: 3 of 3 planned: ")
                && run.output.contains("not part of it: "))
        #expect(run.output.contains("true   settings, queues and messages durable after the last disturbance too"))
        #expect(run.output.contains("true   lost 0, doubled 0, wrong states 0"))
        #expect(run.output.contains("true   nothing was blamed on a message"))
        for number in 1...11 { #expect(run.output.contains("\ntrue   invariant \(number), "), "\(run.output)") }

        let servers = try LocalServers.start(in: directory, definitions: nil)
        defer { servers.stop() }
        let journals = directory.appending(path: "journals")
        let file = directory.appending(path: "verdict.json")
        let verdict = ["chaos-verdict", "--data", directory.path, "--journals", journals.path, "--json", file.path]
        #expect(try Program.run(Program.lab, verdict).status == 0, "to judge changes nothing")

        let record = try ChaosRecord.read(from: directory)
        let lost = try plant(servers, record, journals)
        let breached = try Program.run(Program.lab, verdict)
        #expect(breached.status == 1)
        #expect(breached.output.contains("FALSE  nothing was blamed on a message: no: 1 too_costly"))
        for number in 1...11 {
            #expect(breached.output.contains("\nFALSE  invariant \(number), "), "\(breached.output)")
        }
        #expect(
            breached.output.contains("--minutes 0.25 --kills 6 --seed 3 --rate 50 --days-per-second 15\n")
                && breached.output.contains("invariant 1, seed 3:"))
        #expect(breached.output.contains("trail of report ") && breached.output.contains("  ledger 1: {\"at\":"))
        let trail =
            breached.output.components(separatedBy: "\ntrail of ").first { $0.hasPrefix("\(lost):\n") }
            ?? breached.output
        #expect(trail.contains("  inbox \(lost): it is not there\n"), "\(trail)")
        #expect(
            trail.contains(": source.") && trail.contains(" published bihuan.report.submitted.v1 ")
                && trail.contains(" in reply to "), "\(trail)")
        let written = try String(contentsOf: file, encoding: .utf8)
        #expect(written.contains("\n  \"holds\" : false,\n"))
        for finding in findings { #expect(written.contains(finding), "\(finding)") }
    }

    /// The expected finding for each planted breach, in the order of the invariants.
    private let findings = [
        "the broker confirmed this act, but the office never took it in", "came with 2 different bodies",
        "no message in the inbox brought it",
        "unit.d4 signed, it is addressed to", "waits to be sent to unit.", "its reporter stands in clear in a table",
        "its reporter stands in clear in an answer", "log postgresql.log", "broken at entry",
        "by its rule at", "names the rule nowhere@1/none", "it was never answered", "it was received at",
    ]

    /// One breach of each invariant at least, past every constraint and trigger, as only who owns the server can.
    /// Returns the submission whose report was lost.
    private func plant(_ servers: LocalServers, _ record: ChaosRecord, _ journals: URL) throws -> String {
        var url = try #require(URLComponents(string: servers.superuserURL))
        url.path = "/\(OfficeEntry.database)"
        let connection = try Connection(ConnectionSettings(url: try #require(url.string)))
        defer { connection.close() }
        let corpus = ChaosCorpus(seed: record.seed, receivedAround: record.receivedAround)
        let doors = try connection.run(ReadRegistrationPage(after: nil)).rows.filter(\.hasVault)
        let named = try #require(
            doors.lazy.compactMap { door in
                corpus.submission(source: door.source, id: door.submissionID)?.reporters.first?.name.map {
                    (report: door.reportID, name: $0)
                }
            }.first { !$0.name.isEmpty })
        let lost = try #require(doors.last)
        let lines = (0..<record.reports).map { corpus.line(at: $0) }
        let refused = try #require(
            lines.first { $0.submission.matterKind == "no-such-kind" && $0.submission.reporters.first?.address != nil })
        let address = try #require(refused.submission.reporters.first?.address)
        let number = try #require(
            lines.lazy.compactMap { $0.submission.reporters.first?.idNumber }.first { $0.hasSuffix("X") })
        try connection.execute(
            """
            SET session_replication_role = replica;
            ALTER TABLE handoff DROP CONSTRAINT handoff_signed_by_its_unit;
            DELETE FROM inbox WHERE (sender, event_id) = (SELECT sender, event_id FROM inbox WHERE sender LIKE \
            'unit.%' AND event_id LIKE '%-signed' LIMIT 1);
            DELETE FROM inbox WHERE (sender, event_id) = (SELECT 'source.' || source, source_id FROM report LIMIT 1);
            UPDATE handoff SET signed_by = 'unit.d4' WHERE id = (SELECT id FROM handoff WHERE signed_by = 'unit.d1' \
            LIMIT 1);
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            body, created_at)
                SELECT report_id, 'routing', 'nobody', 'bihuan.handoff', 'unit.' || unit || '.inbox', \
                'bihuan.handoff.dispatched.v1', '',
                       'unit.' || unit, ARRAY[report_id], '', '2026-01-01' FROM barred_root LIMIT 1;
            INSERT INTO dead_letter (id, reason, detail, queue, routing_key, worker, key_id, sealed, bytes, answered, \
            received_at)
                SELECT gen_random_uuid(), 'too_costly', '', '', '', 'intake', '', '', 0, false, received_at FROM \
                inbox LIMIT 1;
            DELETE FROM report WHERE id = '\(lost.reportID)';
            DELETE FROM inbox WHERE (sender, event_id) = ('source.\(lost.source)', '\(lost.submissionID)');
            UPDATE inbox SET reply = reply || convert_to('\(address)', 'UTF8')
                WHERE (sender, event_id) = ('source.\(refused.source)', '\(refused.id)');
            UPDATE report_text SET body = body || '\(named.name)' WHERE report_id = '\(named.report)';
            UPDATE ledger_entry SET bytes = set_byte(bytes, 2, 120)
                WHERE (chain, sequence) = (SELECT chain, sequence FROM ledger_entry WHERE sequence = 2 LIMIT 1);
            UPDATE clock SET due_at = due_at + interval '1 second' WHERE id = (SELECT id FROM clock LIMIT 1);
            UPDATE report SET rule = 'nowhere@1/none' WHERE id = (SELECT id FROM report LIMIT 1);
            UPDATE inbox SET received_at = received_at + interval '1 year' WHERE (sender, event_id) = (SELECT sender, \
            event_id FROM inbox LIMIT 1);
            """)
        try plantInJournal(journals)
        let log = try FileHandle(
            forWritingTo: journals.deletingLastPathComponent().appending(path: "log/postgresql.log"))
        defer { try? log.close() }
        try log.seekToEnd()
        try log.write(contentsOf: Data("no row of \(number) was found\n".utf8))
        return "source.\(lost.source) \(lost.submissionID)"
    }

    /// A source that lost an answer, and one that got the same answer with other bytes.
    private func plantInJournal(_ journals: URL) throws {
        let file = journals.appending(path: "source.web.jsonl")
        var lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
        let answered = try #require(lines.first { $0.contains("inreplyto") })
        let act = try #require(answered.firstMatch(of: /"inreplyto":"([^"]+)"/)?.1)
        lines.removeAll { $0.contains("\"inreplyto\":\"\(act)\"") }
        let other = try #require(lines.first { $0.contains("inreplyto") })
        lines.append(
            other.replacing(/"digest":"[0-9a-f]+"/, with: "\"digest\":\"\(String(repeating: "0", count: 64))\""))
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    }
}
