import Basics
import CaseStore
import Casework
import Foundation
import PostgreSQL
import TestOffice
import Testing

/// A row is written and read in the order of one list. Every column here has a value that no other column of its kind
/// has, so two that changed places would show.
@Suite("Columns", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ColumnTests {
    private let report = ReportID(UUID())
    private let handoff = HandoffID(UUID())
    private let clock: Clock.Key
    private let clockID = ClockID.make(at: Self.moment(9))
    private static func moment(_ day: Int) -> Instant {
        Instant(microsecondsSinceEpoch: 1_772_438_400_000_000).adding(seconds: Double(day) * 86_400)
    }

    init() { clock = Clock.Key(of: handoff, in: report, duty: "sign", round: 3) }

    private func report(state: ReportState, head: LedgerHead) -> Report {
        Report(
            id: report, number: 202_600_000_001, source: SourceID(unchecked: "web"), submissionID: "s-1",
            digest: [1, 2], state: state, sourceKind: "letter", matterKind: "accusation", region: "p-c01",
            realName: true, receivedAt: Self.moment(1), registeredAt: Self.moment(2), verdict: .registered,
            rule: "p@1/scope", reason: "a reason", authority: "an authority", repeatOf: nil, receiptOnly: false,
            custodian: PersonID(unchecked: "li"), handoffCount: 7, attachments: 5, head: head)
    }

    private func handoff(state: HandoffState, isLater: Bool) -> Handoff {
        func later<Value>(_ value: Value) -> Value? { isLater ? value : nil }
        return Handoff(
            id: handoff, reportID: report, attempt: 2, unit: UnitID(unchecked: "d1"), kind: "transfer", state: state,
            express: true, rule: "p@1/route", digest: [3, 4], releasedAt: Self.moment(3),
            dispatchedAt: later(Self.moment(4)), signedAt: later(Self.moment(5)), signedBy: later("unit.d1"),
            disposition: later("a disposition"), caseNumber: later("a case number"),
            caseFiledOn: later(CivilDate(daysSinceEpoch: 20_545)), caseNotifiedAt: later(Self.moment(6)),
            outcome: later("an outcome"), concludedAt: later(Self.moment(7)), timesSentBack: isLater ? 4 : 0,
            endedAt: later(Self.moment(8)), endedBecause: later("a cause"), runningClocks: isLater ? 0 : 1,
            noClockReason: later("no clock is owed"))
    }

    private func clock(isStopped: Bool) -> Clock {
        Clock(
            id: clockID, key: clock, owedBy: "unit.d1",
            inputs: ClockInputs(
                rule: "p@1/clock", startedAt: Self.moment(9), calendar: "a calendar",
                pauses: ["2026-03-02T08:00:00Z/2026-03-03T08:00:00Z", "another"], extensions: ["30 day"]),
            citation: "a citation", dueAt: Self.moment(12), nextStep: isStopped ? 1 : 0,
            nextAt: isStopped ? nil : Self.moment(10), setAside: isStopped ? nil : "a fault",
            endedAt: isStopped ? Self.moment(11) : nil, endedBecause: isStopped ? "signed" : nil,
            endedBy: isStopped ? "person.li" : nil)
    }

    @Test("a report, a handoff and a clock are read as they were written, when new and when changed")
    func rowsAreReadAsTheyWereWritten() throws {
        let store = try StoreUnderTest()
        let connection = try store.superuser()
        defer {
            connection.close()
            try? store.drop()
        }
        // The rows stand alone: nothing that they refer to is entered.
        try connection.execute("SET session_replication_role = replica")
        let born = LedgerHead(hash: Array(repeating: 9, count: 32), count: 1, at: Self.moment(13))
        var writes = CaseWrites()
        let new = (
            report(state: .registered, head: born), handoff(state: .released, isLater: false), clock(isStopped: false)
        )
        writes.newReports = [.init(report: new.0, barredRoots: [], content: nil, original: nil, attachments: [])]
        writes.newHandoffs = [new.1]
        writes.newClocks = [new.2]
        try connection.write(writes, with: [])
        try expect(new, in: connection)

        let grown = LedgerHead(hash: Array(repeating: 8, count: 32), count: 6, at: Self.moment(14))
        let changed = (
            report(state: .closed, head: grown), handoff(state: .closed, isLater: true), clock(isStopped: true)
        )
        var changes = CaseWrites()
        changes.changedReports = [(changed.0, born)]
        changes.changedHandoffs = [changed.1]
        changes.changedClocks = [changed.2]
        try connection.write(changes, with: [])
        try expect(changed, in: connection)
        // The head moved: who loaded the old one writes nothing.
        #expect(throws: StaleCase.self) { try connection.write(changes, with: []) }
    }

    @Test("what a report says is read as it was written")
    func contentsAreReadAsTheyWereWritten() throws {
        let store = try StoreUnderTest()
        let connection = try store.superuser()
        defer {
            connection.close()
            try? store.drop()
        }
        try connection.execute("SET session_replication_role = replica")
        let key = try DigestKey(keyBytes: Array(repeating: 5, count: 32))
        let content = Submission(
            title: "a title", text: "a text",
            accused: [
                Accused(name: "张三", organ: "an organ", position: "a post", level: "a level", region: "a region"),
                Accused(name: "李四", unit: UnitID(unchecked: "d2")),
            ], allegations: [Allegation(category: "a category", act: "an act"), Allegation(act: "another act")],
            attachments: [
                Attachment(
                    name: "a.jpg", mediaType: "image/jpeg", bytes: 12_345, sha256: String(repeating: "0b", count: 32))
            ])
        let original = Original(
            epoch: EpochKey(id: UUID(), recipient: "k", sealed: [1], madeAt: Self.moment(1)), wrapped: [2], sealed: [3])
        var writes = CaseWrites()
        writes.newReports = [
            .init(
                report: report(state: .registered, head: .genesis), barredRoots: [], content: content,
                original: original,
                attachments: try content.attachments.map { try AttachmentKey($0, of: report, key) })
        ]
        try connection.write(writes, with: [])
        let texts = try connection.run(ReadReportTexts(reports: [report])).rows
        #expect(texts.map(\.title) == ["a title"] && texts.map(\.body) == ["a text"])
        #expect(try connection.run(ReadAccused(reports: [report])).rows.map(\.1) == content.accused)
        #expect(try connection.run(ReadAllegations(reports: [report])).rows.map(\.1) == content.allegations)
        let attachments = try connection.run(ReadAttachments(reports: [report])).rows.map { try $0.attachment(key) }
        #expect(attachments == content.attachments)
        #expect(try connection.run(ReadOriginal(report: report)).rows == [original])
    }

    private func expect(_ rows: (Report, Handoff, Clock), in connection: Connection) throws {
        #expect(try connection.run(ReadReports(reports: [report])).rows == [rows.0])
        #expect(try connection.run(ReadHandoffs(reports: [report])).rows == [rows.1])
        #expect(try connection.run(ReadClocks(reports: [report])).rows == [rows.2])
    }
}
