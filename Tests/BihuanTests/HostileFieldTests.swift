import AMQP
import AuditStore
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// One office for the whole story: its servers take seconds to start, and what one message leaves may hurt another.
@Suite("Hostile words in every field", .serialized)
struct HostileFieldTests {
    private static let web = Party.source(SourceID(unchecked: "web"))
    private static let city = Party.unit(UnitID(unchecked: "c01"))
    private static let caseOffice = Party.unit(UnitID(unchecked: "case-office"))
    private static let leader = Party.person(PersonID(unchecked: "leader"))
    private static let operation = Party.person(PersonID(unchecked: "operator"))
    private static let paper = String(repeating: "0c", count: 32)

    @Test(
        """
        each text field of each message, filled by an attacker: each gets its verdict, nothing is run, written \
        elsewhere or forged, and nothing that is shown obeys it
        """)
    func everyFieldOfEveryMessage() async throws {
        let mark = "/tmp/bihuan-attack-\(UUID().uuidString.prefix(8))"
        let messages = HostileMessages(texts: HostileText.all(mark: mark))
        let office = try await HostileOffice()
        defer { office.close() }
        let untouched = try office.rows(ReadOfficeDigests())

        var all = try fromSource(messages, office)
        all += try fromUnits(messages, office)
        for message in all.enumerated() where message.offset % 2 == 0 { try office.send(message.element) }
        try await everyOneIsJudged(all.enumerated().filter { $0.offset % 2 == 0 }.map(\.element), office)
        try office.logText()
        for message in all.enumerated() where message.offset % 2 == 1 { try office.send(message.element) }
        try await everyOneIsJudged(all, office)
        let commands = try fromPersons(messages, office)
        for command in commands { try office.send(command) }
        try await everyOneIsJudged(commands, office)
        try await propertiesAreWordsToo(messages.texts, office)
        // It waits for a signature while the commands look.
        for text in messages.texts {
            try office.act(
                .handoffProgress, as: Self.city, subject: try office.takeUnsigned(),
                data: #"{"text":"\#(text.json)"}"#)
        }
        try office.settle()

        #expect(!FileManager.default.fileExists(atPath: mark), "a text was run, or used as a path")
        #expect(try office.rows(ReadOfficeDigests()) == untouched)
        let reports = try office.rows(CountReports()).reduce(0) { $0 + $1.count }
        var accepted: Set<String> = []
        try await eventually("\(reports) reports, and receipts for \(accepted.count)", within: 30) {
            try office.hear()
            accepted = Set(
                office.answers.filter { $0.type == MessageType.reportAccepted.rawValue }.map(\.inReplyTo))
            return accepted.count == reports
        }
        #expect(try office.rows(CountAttempts()) == [0], "no message was met by a crash")
        #expect(office.office.workers.restartCount == Worker.allCases.count, "each was asked to stop once")
        try answersFitTheContract(office)
        try logsAreLines(office)
        try everythingShownIsHarmless(office)
    }

    // MARK: The messages

    private func report(_ number: Int) -> String {
        """
        {"matterKind":"accusation","title":"举报张三贪污","region":"p-c01",\
        "text":"反映甲市某镇副镇长张三在危房改造资金中虚报冒领，贪污公款，第\(number)件，卷宗\(UUID().uuidString)。",\
        "accused":[{"name":"张三","organ":"某镇政府","position":"副镇长","level":"township","region":"p-c01"}],\
        "allegations":[{"category":"corruption","act":"贪污危房改造资金"}],\
        "attachments":[{"name":"账页.jpg","mediaType":"image/jpeg","bytes":3,"sha256":"\(Self.paper)"}]}
        """
    }

    private func fromSource(_ messages: HostileMessages, _ office: HostileOffice) throws -> [HostileMessage] {
        let known = UUID().uuidString
        try office.act(.reportSubmitted, as: Self.web, id: known, data: report(0))
        return try messages.of(.reportSubmitted, from: Self.web) { _ in nil }
            + messages.of(.attachmentPart, from: Self.web) { _ in known }
    }

    /// Every message that may have an effect is about a handoff of its own, which was signed before.
    private func fromUnits(_ messages: HostileMessages, _ office: HostileOffice) throws -> [HostileMessage] {
        let types = MessageType.allCases.filter { $0.definition.sender == .unit }
        #expect(types.count == 8)
        func party(_ type: MessageType) -> Party { type == .caseNotified ? Self.caseOffice : Self.city }
        // A first pass only counts how many handoffs are needed.
        var needed = 1
        for type in types {
            _ = try messages.of(type, from: party(type)) { isAlone in
                if isAlone { needed += 1 }
                return "x"
            }
        }
        let recalls = 3 * messages.texts.count
        let arrived = try handoffs(needed + recalls + messages.texts.count, office)
        var (free, shared) = (arrived[1...], arrived[0].id)
        try office.act(.handoffSigned, as: Self.city, subject: shared, data: #"{"digest":"\#(arrived[0].digest)"}"#)
        var made: [HostileMessage] = []
        for type in types {
            made += try messages.of(type, from: party(type)) { isAlone in
                guard isAlone, let own = free.popFirst() else { return shared }
                if type != .handoffSigned {
                    try office.act(
                        .handoffSigned, as: Self.city, subject: own.id, data: #"{"digest":"\#(own.digest)"}"#)
                }
                if type == .handoffConcluded {
                    try office.act(
                        .dispositionDecided, as: Self.city, subject: own.id,
                        data: #"{"disposition":"preliminary_verification"}"#)
                }
                return own.id
            }
        }
        office.unsigned = free.map(\.id)
        try office.settle()
        return made
    }

    /// Reports that were handed off to the city, with the digest that signs each.
    private func handoffs(_ count: Int, _ office: HostileOffice) throws -> [(id: String, digest: String)] {
        for number in 1...count { try office.act(.reportSubmitted, as: Self.web, data: report(number)) }
        try office.settle()
        var arrived: [(id: String, digest: String)] = []
        try eventually("\(count) handoffs came", within: 120) {
            for delivery in try office.take("unit.c01.inbox", of: Self.city) {
                let json = try JSONSerialization.jsonObject(with: Data(delivery.body)) as? [String: Any]
                arrived.append(
                    (json?["subject"] as? String ?? "", Array(SHA256.hash(data: delivery.body)).hexadecimal))
            }
            return arrived.count > count - 1
        }
        return arrived
    }

    private func fromPersons(_ messages: HostileMessages, _ office: HostileOffice) throws -> [HostileMessage] {
        let letters = try office.rows(ReadDeadLetters()).filter { $0.worker == "intake" }
        #expect(letters.count > messages.texts.count)
        var free = letters[1...]
        func letter(_ isAlone: Bool) -> String { isAlone ? free.popFirst()?.id ?? letters[0].id : letters[0].id }
        let shared = try office.takeUnsigned()
        return try messages.of(.commandRecall, from: Self.leader) { isAlone in
            isAlone ? try office.takeUnsigned() : shared
        }
            + messages.of(.commandDutyDone, from: Self.leader) { _ in "unit.d1/duty-quarterly-return/2026-Q1" }
            + messages.of(.commandDiscard, from: Self.operation, to: .intake) { letter($0) }
            + messages.of(.commandReplay, from: Self.operation, to: .intake) { letter($0) }
    }

    /// The properties of a message, its headers and its routing key, which nobody but the sender has seen.
    private func propertiesAreWordsToo(_ texts: [HostileText], _ office: HostileOffice) async throws {
        let changes: [@Sendable (inout Properties, String) -> Void] = [
            { $0.type = $1 }, { $0.messageID = $1 }, { $0.correlationID = $1 }, { $0.contentType = $1 },
            { $0.contentEncoding = $1 }, { $0.replyTo = $1 }, { $0.appID = $1 },
            { $0.headers = ["traceparent": .string($1), "cloudEvents:id": .string($1), "x-death": .string($1)] },
            { $0.headers = [$1: .string($1)] },
        ]
        var ids: Set<String> = []
        for text in texts {
            // A property has at most 255 bytes.
            guard let written = text.text, written.utf8.count < 200 else { continue }
            for place in 0...changes.count {
                let id = UUID().uuidString
                let body = """
                    {"specversion":"1.0","id":"\(id)","source":"source.web","type":"bihuan.report.submitted.v1",\
                    "subject":"\(id)","time":"2026-03-02T08:00:00Z","data":\(report(place))}
                    """
                let key = "source.web.report.submitted" + (place == changes.count ? "." + written : "")
                try office.send(Array(body.utf8), as: Self.web, key: key, type: .reportSubmitted) { properties in
                    if place < changes.count { changes[place](&properties, written) }
                }
                ids.insert(id)
            }
        }
        #expect(ids.count > 100)
        try office.settle()
        try await eventually("each is judged, whatever its properties say", within: 60) {
            try office.hear()
            return try ids.subtracting(judged(office)).isEmpty
        }
    }

    // MARK: What became of them

    private func judged(_ office: HostileOffice) throws -> Set<String> {
        Set(try office.rows(ReadJudgedActs())).union(office.answers.map(\.inReplyTo))
    }

    private func everyOneIsJudged(_ sent: [HostileMessage], _ office: HostileOffice) async throws {
        try office.settle()
        var missing = sent
        try await eventually("no verdict: \(missing.count), \(missing.prefix(3).map(\.what))", within: 120) {
            try office.hear()
            let judged = try judged(office)
            missing.removeAll { judged.contains($0.messageID) || $0.id.map(judged.contains) == true }
            return missing.isEmpty
        }
        let reasons = Set(try office.rows(ReadDeadLetters()).map(\.reason))
        // What is no text cannot be stored, and what has no readable id is no act.
        #expect(
            reasons.isSubset(of: ["control_character", "not_json", "bad_value", "missing_field", "not_cloudevents"]),
            "\(reasons)")
    }

    /// Every answer is valid, also where it quotes what somebody wrote.
    private func answersFitTheContract(_ office: HostileOffice) throws {
        try office.hear()
        #expect(office.answers.count > 1_000)
        for answer in office.answers {
            let text = String(decoding: answer.body, as: UTF8.self)
            let problems = SchemaJudge.shared.problems(in: answer.body)
            #expect(problems == [], "\(text.prefix(300))")
            #expect(!answer.body.contains { $0 < 0x20 }, "\(text.prefix(300))")
        }
    }

    /// Each line of a log is one line of one event that the page of logs has, and of no other.
    private func logsAreLines(_ office: HostileOffice) throws {
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/logs.md"),
            encoding: .utf8)
        let events = page.matches(of: /(?m)^\| `([^`]+)` \|/).map { String($0.1) }
        #expect(events.count > 20)
        for worker in Worker.allCases {
            var counts = (json: 0, text: 0)
            for line in try office.logLines(worker) {
                #expect(HostileText.isHarmless(line), "\(line)")
                #expect(!line.contains("forged by its sender"), "\(line)")
                if line.hasPrefix("{") {
                    counts.json += 1
                    let said = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
                    #expect(Set(said.keys).isSuperset(of: ["time", "level", "worker", "event"]), "\(line)")
                    #expect(said["worker"] == worker.rawValue && events.contains(said["event"] ?? ""), "\(line)")
                } else {
                    counts.text += 1
                    let said = line.wholeMatch(of: /\d{4}-\d\d-\d\dT[\d:.]+Z (?:[a-z]+) ([a-z]+) (.+)/)
                    #expect(said?.1 == Substring(worker.rawValue), "\(line)")
                    #expect(events.contains { said?.2.hasPrefix($0) == true }, "\(line)")
                }
            }
            #expect(counts.json > 0 && counts.text > 0, "\(worker) logged in both formats")
        }
    }

    private func everythingShownIsHarmless(_ office: HostileOffice) throws {
        let letters = try office.rows(ReadDeadLetters())
        let numbers = office.answers.compactMap { answer in
            let json = try? JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            return (json?["data"] as? [String: Any])?["number"] as? String
        }
        #expect(numbers.count > 100)
        var commands = [["status"], ["outbox"], ["deferred"], ["dead", "list", "--limit", "1000"]]
        for number in numbers.suffix(15) { commands.append(["trace", number]) }
        commands += commands.map { $0 + ["--json"] } + letters.prefix(10).map { ["dead", "show", $0.id] }
        commands.append(["ledger", "verify"])
        for words in commands {
            let result = try Program.run(Program.bihuan, words + ["--data", office.office.directory.path])
            #expect(result.status == 0, "\(words): \(result.errors)")
            expectHarmless(result)
            guard words.contains("--json") else {
                #expect(!result.output.isEmpty, "\(words)")
                continue
            }
            for line in result.output.split(separator: "\n") {
                #expect(throws: Never.self, "\(words)") { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
            }
        }
        #expect(try office.command("deferred").output.contains("handoff.progress"))
        for worker in Worker.allCases {
            for line in try office.page(worker, "/metrics").split(separator: "\n") {
                #expect(
                    line.utf8.allSatisfy { 0x20...0x7E ~= $0 } && !line.contains("<script")
                        && (line.hasPrefix("#") || line.contains(/^[a-z_]+(\{[^}]*\})? [0-9.e+NaInf-]+$/)), "\(line)")
            }
        }
        for language in ["zh", "en"] {
            let page = try office.page(.deadlines, "/?lang=\(language)")
            #expect(page.contains("unit.c01"), "it is a page of this office")
            #expect(HostileText.isHarmless(page))
            for word in ["<script", "<img", "alert(1)", "onerror", "onload"] {
                #expect(!page.contains(word), "\(word)")
            }
        }
    }
}

// MARK: What is read of the tables

/// Units, sources and staff, which no message changes.
private struct ReadOfficeDigests: Statement {
    static let sql = """
        SELECT 'unit ' || count(*) || md5(string_agg(id || name || kind, '|' ORDER BY id)) FROM unit
        UNION ALL SELECT 'source ' || count(*) || md5(string_agg(t::text, '|' ORDER BY id)) FROM source t
        UNION ALL SELECT 'person ' || count(*) || md5(string_agg(t::text, '|' ORDER BY id)) FROM person t
        UNION ALL SELECT 'policy ' || count(*) || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM policy_version t
        ORDER BY 1
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct ReadJudgedActs: Statement {
    static let sql = "SELECT event_id FROM inbox WHERE verdict IN ('taken', 'refused', 'dead')"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct CountAttempts: Statement {
    static let sql = "SELECT count(*) FROM attempt"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct ReadDeadLetters: Statement {
    static let sql = "SELECT id::text, reason, worker FROM dead_letter ORDER BY id"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (id: String, reason: String, worker: String) {
        (try row.text(), try row.text(), try row.text())
    }
}
