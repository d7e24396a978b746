import AuditStore
public import Basics
import CaseStore
public import Casework
import Contract
public import Foundation
public import Installation
import PartyClient
import PostgreSQL

/// The result of checking one of the office's invariants against all records.
public struct InvariantLine: Sendable, Hashable, Encodable {
    /// 1 to 11, as numbered in docs/architecture.md.
    public let number: Int
    public let name: String
    /// What `checked` counts.
    public let objects: String
    /// The number of checked objects. With none, nothing is shown.
    public var checked = 0
    public var breaches: [Finding] = []

    public var holds: Bool { checked > 0 && breaches.isEmpty }

    public var text: String {
        let found = breaches.isEmpty ? (checked == 0 ? ", so nothing is shown" : "") : ", breaches: \(breaches.count)"
        return "invariant \(number), \(name): checked \(checked) \(objects)\(found)"
    }

    package enum CodingKeys: String, CodingKey { case number, name, objects, checked, breaches, holds }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(number, forKey: .number)
        try container.encode(name, forKey: .name)
        try container.encode(objects, forKey: .objects)
        try container.encode(checked, forKey: .checked)
        try container.encode(breaches, forKey: .breaches)
        try container.encode(holds, forKey: .holds)
    }
}

/// Facts about a run that do not come from its tables.
public struct RunFacts: Sendable {
    /// The rules that decided.
    public var policy: Policy
    public var clock: BusinessClock
    /// The wall time of the run's first and last moment.
    public var began: Instant
    public var ended: Instant
    public var office: SampleOffice
    /// The logs of workers, servers and units, which must not identify a reporter.
    public var logs: [URL]
    /// The submission that a source sent under an id; `nil` if it is not from the corpus.
    public var truth: @Sendable (_ source: String, _ id: String) -> Submission?

    public init(
        policy: Policy, clock: BusinessClock, began: Instant, ended: Instant, office: SampleOffice = .standard,
        logs: [URL], truth: @escaping @Sendable (_ source: String, _ id: String) -> Submission?
    ) {
        self.policy = policy
        self.clock = clock
        self.began = began
        self.ended = ended
        self.office = office
        self.logs = logs
        self.truth = truth
    }
}

/// The result of a run: the counts of the witness, and a line for each invariant.
public struct Examination: Sendable {
    public let testimony: Testimony
    public let lines: [InvariantLine]
    /// Rows and handoffs whose state differs from the ledger's.
    public let wrongStates: Int
    /// The timelines of the reports, or of the acts without a report, of the first breaches.
    public let timelines: [Timeline]

    public var holds: Bool { lines.allSatisfy(\.holds) }
}

extension Witness {
    /// The maximum number of timelines; a fault that causes many breaches needs no more.
    static let trailsMax = 5

    /// Checks the tables and the journals against the eleven invariants. Call it when the office is settled.
    public func examine(_ facts: RunFacts) throws -> Examination {
        let testimony = try testify()
        let connection = try open()
        defer { connection.close() }
        let evidence = Evidence(
            journals: try Journals(folder: journals), tables: try Tables(connection), digestKey: digestKey)
        let inquiry = Inquiry(
            facts: facts, evidence: evidence, correspondence: try Correspondence(folder: journals),
            records: try Records(connection))
        let lines = [
            inquiry.nothingLost(testimony), inquiry.twiceIsOnce(testimony), inquiry.oneDoor(), inquiry.signedFor(),
            inquiry.barrierStood(), try inquiry.identityKept(connection), inquiry.ledgerGrew(), inquiry.clocksRan(),
            inquiry.rulesNamed(), inquiry.sendersLearned(), inquiry.businessTime(),
        ]
        var subjects: [TimelineSubject] = []
        for finding in lines.flatMap(\.breaches) where subjects.count < Self.trailsMax {
            guard let subject = inquiry.subject(of: finding), !subjects.contains(where: { $0.about == subject.about })
            else { continue }
            subjects.append(subject)
        }
        let timelines = try Timeline.tell(subjects, evidence, journals: journals)
        return Examination(
            testimony: testimony, lines: lines, wrongStates: evidence.untoldStates().count, timelines: timelines)
    }
}

/// The rows that the invariants need and the testimony does not.
struct Records {
    let doors: [WitnessedRegistration]
    let custody: [HandoffAudit]
    let clocks: [WitnessedClock]
    let answers: [WitnessedAnswer]
    let notices: [WitnessedNotice]
    /// Messages that wait in the outbox: their addressees and their reports.
    let waiting: [(type: String, addressee: String, reports: [ReportID])]
    let policies: Set<String>

    init(_ connection: Connection) throws {
        doors = try Tables.pages { try connection.run(ReadRegistrationPage(after: $0)).rows }
        custody = try Tables.pages { try connection.run(ReadHandoffAuditPage(after: $0)).rows }
        clocks = try Tables.pages { try connection.run(ReadClockPage(after: $0)).rows }
        answers = try Tables.pages { try connection.run(ReadAnswerPage(after: $0)).rows }
        notices = try connection.run(ReadPersonNotices()).rows
        waiting = try connection.run(ReadOutboxAddresses()).rows.map { ($0.type, $0.addressee, $0.reports) }
        policies = Set(try connection.run(ReadPolicyVersions()).rows.map { "\($0.name)@\($0.version)" })
    }
}

/// All data that the invariant checks use.
struct Inquiry {
    let facts: RunFacts
    let evidence: Evidence
    let correspondence: Correspondence
    let records: Records

    var tables: Tables { evidence.tables }
    var journals: Journals { evidence.journals }
}
