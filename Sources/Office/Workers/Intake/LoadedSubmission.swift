import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// A submission that the rules allow to register, with their results.
struct Draft: Sendable {
    let inbound: InboundMessage
    let source: SourceRow
    let report: PreparedReport

    var id: ReportID { report.id }
    var submission: SubmissionKey { SubmissionKey(source: source.id, id: inbound.key.eventID) }
    var readable: PreparedReport.Readable? {
        guard case .readable(let readable) = report.decision else { return nil }
        return readable
    }
    var sealed: PreparedReport.SealedReport? {
        guard case .sealed(let sealed) = report.decision else { return nil }
        return sealed
    }
}

extension Draft {
    /// The state in which a report is registered, and the row of the policy that decided it.
    struct Standing {
        var state = ReportState.registered
        var rule: String
        var matterKind: String?
        var reason: String?
        var authority: String?
    }

    func standing(isRepeat: Bool, under rulebook: Rulebook) throws -> Standing {
        switch report.decision {
        case .refused: throw NotLoaded()
        case .sealed(let sealed):
            var standing = Standing(rule: sealed.ruling.rule.description, matterKind: report.matterKind)
            try standing.state.apply(.passedUp)
            return standing
        case .readable(let readable):
            var standing = Standing(rule: readable.ruling.rule.description, matterKind: report.matterKind)
            switch readable.ruling.decision {
            case .accept(let kind):
                standing.matterKind = kind
                if isRepeat {
                    try standing.state.apply(.linkedAsRepeat)
                    standing.rule = rulebook.repeatRule(report.isRealName ? .reporter : .accused).description
                }
            case .notAccepted(let competent, _):
                try standing.state.apply(.declined)
                standing.authority = competent
            case .needsReview(let why):
                try standing.state.apply(.sentToReview)
                standing.reason = why
            }
            return standing
        }
    }
}

/// The facts about a submission before it is decided: the results of the rules, and the rows of the database.
enum LoadedSubmission: Sendable {
    /// The submission was registered before, and its inbox row was pruned.
    case known(Draft, Report)
    case new(Draft, Registration)

    struct Registration: Sendable {
        let serial: Int64
        /// The first report with the same repeat key; `nil` if this report is the first or has no key.
        let original: ReportID?
        /// The units that the database has as barred from the original. `nil` if it has none, as for an original
        /// of this transaction.
        let barred: Set<UnitID>?
    }
}

/// A decision needs data that its desk did not load: a fault of the office.
struct NotLoaded: PlainlyWorded, CustomStringConvertible {
    let description = "what this decision needs was not loaded"
}

extension UnitOfWork {
    /// Takes a number for each new report, stores its repeat key, and finds the first report with the same key. A
    /// submission that the rules refuse is not among the drafts: it takes no number and stores no key.
    mutating func loadRegistrations(of drafts: [Draft], from database: Database) throws {
        let submissions = try database.run(
            ReadSubmissions(sources: drafts.map(\.source.id.rawValue), submissionIDs: drafts.map(\.inbound.key.eventID))
        ).rows
        let known = Dictionary(submissions.map { ($0.submission, $0) }) { first, _ in first }
        let fresh = drafts.filter { known[$0.submission] == nil }
        let entered = fresh.compactMap { draft in draft.readable?.repeatKey.map { (key: $0, id: draft.id) } }
        let (numbers, _, first) = try database.pipeline(
            TakeReportNumbers(count: fresh.count),
            EnterRepeatKeys(keys: entered.map(\.key), reports: entered.map(\.id)),
            ReadRepeatKeys(keys: entered.map(\.key)))
        let firstSaid = Dictionary(first.rows.map { ($0.key, $0.report) }) { first, _ in first }
        let earlier = Set(firstSaid.values).subtracting(fresh.map(\.id)).sorted()
        let barred = Dictionary(
            grouping: earlier.isEmpty ? [] : try database.run(ReadBarredUnits(reports: earlier)).rows, by: \.0)
        try loadAnsweredAbout(submissions, from: database)

        for draft in drafts {
            if let report = known[draft.submission] { cases.submissions[draft.inbound.key] = .known(draft, report) }
        }
        for (draft, serial) in zip(fresh, numbers.rows) {
            let first = draft.readable?.repeatKey.flatMap { firstSaid[$0] }
            let original = first == draft.id ? nil : first
            cases.submissions[draft.inbound.key] = .new(
                draft,
                .init(
                    serial: serial, original: original,
                    barred: original.flatMap { barred[$0] }.map { Set($0.map(\.1)) }))
        }
    }
}
