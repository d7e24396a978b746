import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Testing
import Yams
@testable import Basics
@testable import PartyClient
@testable import Witness

/// A database with the office's tables, and a folder of journals, both filled by the test: no worker runs.
final class WitnessOffice {
    static let serverURL = ProcessInfo.processInfo.environment["TEST_BIHUAN_DATABASE_URL"]
    static let isThere = serverURL != nil
    static let absent: Comment = "TEST_BIHUAN_DATABASE_URL names no PostgreSQL server"

    let connection: Connection
    let journals: URL
    let witness: Witness
    let digestKey: DigestKey
    let rulebook: Rulebook
    private var number: Int64 = 0
    private var clock: Int64 = 1_772_438_400_000_000

    private init(_ connection: Connection, url: String, journals: URL) throws {
        digestKey = try DigestKey(keyBytes: (0..<32).map { _ in UInt8.random(in: 0...255) })
        let policy = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")
        rulebook = try Rulebook(YAMLDecoder().decode(Policy.self, from: String(contentsOf: policy, encoding: .utf8)))
        self.connection = connection
        self.journals = journals
        witness = Witness(database: ConnectionSettings(url: url), journals: journals, digestKey: digestKey)
    }

    /// Makes both, runs `body` and the checks of the witness in it, and takes both away again.
    static func with(_ body: (WitnessOffice) throws -> Void) throws {
        let server = try #require(serverURL)
        let name = "witness_" + UUID().uuidString.lowercased().replacing("-", with: "")
        var components = try #require(URLComponents(string: server))
        components.path = "/" + name
        let url = try #require(components.string)
        let maintenance = try Connection(settings(server))
        defer { maintenance.close() }
        let journals = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: journals, withIntermediateDirectories: true)
        try maintenance.execute("CREATE DATABASE \(name) TEMPLATE template0")
        defer {
            try? FileManager.default.removeItem(at: journals)
            try? maintenance.execute("DROP DATABASE \(name) WITH (FORCE)")
        }
        let connection = try Connection(settings(url))
        defer { connection.close() }
        try Schema.migrate(connection)
        try connection.execute(
            """
            INSERT INTO office (name, chain, head, entry_count)
            VALUES ('办公室', gen_random_uuid(), decode(repeat('00', 32), 'hex'), 0);
            INSERT INTO unit (id, name, kind, chain, head, entry_count)
            SELECT id, id, 'department', gen_random_uuid(), decode(repeat('00', 32), 'hex'), 0 FROM (VALUES ('d1'), \
            ('d2')) AS u (id)
            """)
        try body(try WitnessOffice(connection, url: url, journals: journals))
    }

    private static func settings(_ url: String) -> ConnectionSettings {
        var settings = ConnectionSettings(url: url)
        settings.statementTimeoutMilliseconds = 60_000
        return settings
    }

    // MARK: What happens

    var now: Instant { Instant(microsecondsSinceEpoch: clock) }

    /// A source submits; the broker confirms; the office registers and answers.
    func submit(_ id: String, state: ReportState = .registered) throws -> Case {
        try published("source.web", id, .reportSubmitted, subject: id)
        try delivered("source.web", "answer-\(id)", .reportAccepted, subject: id, inreplyto: id)
        number += 1
        let report = Report(
            id: ReportID.make(at: now), number: Report.number(year: 2026, serial: number),
            source: SourceID(unchecked: "web"), submissionID: id, digest: digestKey.digest(digest(id), for: .acts),
            state: state, sourceKind: "web", matterKind: nil, region: nil, realName: false, receivedAt: now,
            registeredAt: now, verdict: state, rule: "p@1/r", reason: nil, authority: nil, repeatOf: nil,
            receiptOnly: false, handoffCount: 0, head: .genesis)
        var file = CaseFile(new: report, barred: [])
        let commitment = Commitment.make(digest(id), salt: digestKey.salt(of: report.id, for: "source.web"))
        file.record(.registered(.init(of: report, commitment: commitment)), at: now, by: "office.intake")
        let entered = Case(office: self, file: file)
        try entered.save()
        return entered
    }

    /// The whole way: routed to a unit, signed for, concluded, closed.
    @discardableResult
    func loop(_ id: String, unit: String = "d1", sentAgain: Bool = false) throws -> Case {
        let one = try submit(id)
        try one.route(to: unit, sentAgain: sentAgain)
        try one.act(.signed, "signed", .handoffSigned)
        try one.act(.decided(disposition: "closed"), "disposition_decided", .dispositionDecided)
        try one.conclude()
        return one
    }

    func published(_ party: String, _ id: String, _ type: MessageType, subject: String) throws {
        try journal(.published, party, id, type, subject: subject)
    }

    func delivered(_ party: String, _ id: String, _ type: MessageType, subject: String, inreplyto: String? = nil) throws
    {
        try journal(.delivered, party, id, type, subject: subject, inreplyto: inreplyto)
    }

    private func journal(
        _ fact: JournalEntry.Fact, _ party: String, _ id: String, _ type: MessageType, subject: String,
        inreplyto: String? = nil
    ) throws {
        clock += 1_000
        try Journal(file: JournalFolder.file(of: party, in: journals)).append(
            JournalEntry(
                fact: fact, at: clock, party: party, id: id, type: type.rawValue, subject: subject,
                inreplyto: inreplyto, digest: digest(id).hexadecimal))
    }

    func digest(_ id: String) -> [UInt8] { Array(SHA256.hash(data: Array(id.utf8))) }

    /// A unit's act as the office's inbox knows it.
    func claim(_ sender: String, _ id: String, subject: String, verdict: String = "taken") throws {
        try connection.execute(
            """
            INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at)
            VALUES ('\(sender)', '\(id)', '\\x\(digest(id).hexadecimal)', '\(verdict)', '\(subject)', now())
            """)
    }

    /// As a superuser may: past foreign keys and triggers.
    func tamper(_ sql: String) throws {
        try connection.execute("SET session_replication_role = replica; \(sql); SET session_replication_role = origin")
    }

    /// Takes lines out of a party's journal.
    func suppress(_ party: String, where isSuppressed: (JournalEntry) -> Bool) throws {
        let file = JournalFolder.file(of: party, in: journals)
        let kept = try JournalReader(file: file).entries().filter { !isSuppressed($0) }
        try FileManager.default.removeItem(at: file)
        try Journal(file: file).append(kept)
    }
}

/// One report on its way, written to the tables as the workers write it.
final class Case {
    private unowned let office: WitnessOffice
    private var file: CaseFile
    private(set) var handoff: HandoffID?
    private var unit = ""
    private var round = 0

    fileprivate init(office: WitnessOffice, file: CaseFile) {
        self.office = office
        self.file = file
    }

    var report: Report { file.report }
    var party: String { "unit.\(unit)" }
    var handoffName: String { handoff?.description ?? "" }

    func actID(_ name: String) -> String { "\(handoffName)-\(name)" }

    func route(to unit: String, delivering: Bool = true, sentAgain: Bool = false) throws {
        let id = HandoffID.make(at: office.now)
        handoff = id
        self.unit = unit
        try file.apply(.routed)
        let handoff = Handoff(
            id: id, reportID: report.id, attempt: report.handoffCount + 1, unit: UnitID(unchecked: unit),
            kind: "transfer", state: .released, express: false, rule: "p@1/r", digest: office.digest("body"),
            releasedAt: office.now)
        file.open(handoff, clocks: [], otherwise: "none is needed here")
        file.record(
            .routed(.init(handoff, act: "registered-\(report.id)", commitment: "")), at: office.now,
            by: "office.routing")
        try save()
        if sentAgain {
            // It found no queue, and went out by replay.
            try move(.unroutable, by: "office.routing", act: nil)
            try move(.sentAgain, by: "person.sun", act: "replay-\(id)")
        }
        try move(.confirmed, by: "office.routing", act: nil)
        if delivering { try office.delivered(party, "dispatch-\(id)", .handoffDispatched, subject: handoffName) }
    }

    /// An act of the unit that is accepted.
    func act(_ move: HandoffMove, _ name: String, _ type: MessageType) throws {
        let id = actID(name)
        try office.published(party, id, type, subject: handoffName)
        try office.claim(party, id, subject: handoffName)
        try self.move(move, by: party, act: id)
    }

    func conclude() throws {
        round += 1
        try act(.concluded(outcome: "unfounded"), "concluded-\(round)", .handoffConcluded)
        try move(.conclusionAccepted(rule: "p@1/r"), by: party, act: actID("concluded-\(round)"))
    }

    func move(_ move: HandoffMove, by actor: String, act: String?) throws {
        guard let handoff else { return }
        try file.move(
            handoff, move, act: act.map { commitment($0, actor) }, by: actor, at: office.now, under: office.rulebook)
        try save()
    }

    /// An entry in the chain, even against the rules.
    func record(_ move: HandoffMove, by actor: String, act: String) throws {
        file.record(.moved(try #require(handoff), move, act: commitment(act, actor)), at: office.now, by: actor)
    }

    private func commitment(_ act: String, _ actor: String) -> String {
        Commitment.act(act, salt: office.digestKey.salt(of: report.id, for: actor))
    }

    func save() throws {
        var writes = CaseWrites()
        if file.isNew {
            writes.newReports = [
                .init(
                    report: file.report, barredRoots: [], content: Submission(title: "t", text: "t"),
                    original: Original(
                        epoch: EpochKey(id: UUID(), recipient: "k", sealed: [1], madeAt: office.now), wrapped: [1],
                        sealed: [1]),
                    attachments: [])
            ]
        }
        writes.collect(file)
        try office.connection.transaction { _ = try $0.pipeline(commands: writes.commands) }
        file = CaseFile(loaded: file.report, barred: [], handoffs: file.handoffs, clocks: Array(file.clocks))
    }
}
