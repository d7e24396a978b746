import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// A report that will be registered, with what the rules say of it.
struct Draft: Sendable {
    let inbound: InboundMessage
    let source: SourceRow
    let report: PreparedReport
    /// Of what is sealed none is entered.
    let barredRoots: Set<UnitID>
    /// The source's own unit is barred. Known also of a sealed report, of which no barred unit is entered.
    let isReceiptOnly: Bool
    /// To whom it goes sealed, and the one of the staff who watches over that.
    let superior: UnitRow?
    let custodian: PersonID?

    var id: ReportID { report.id }
    var readable: PreparedReport.Readable? {
        guard case .readable(let readable) = report.decision else { return nil }
        return readable
    }
}

extension Draft {
    /// How a report is registered, and by which row of the policy.
    struct Standing {
        var state = ReportState.registered
        var rule: String
        var matterKind: String?
        var reason: String?
        var authority: String?
    }

    func standing(isRepeat: Bool, under rulebook: Rulebook) throws -> Standing {
        let stated = report.stated
        switch report.decision {
        case .sealed(let ruling):
            var standing = Standing(rule: ruling.rule.description, matterKind: stated.matterKind)
            try standing.state.apply(.passedUp)
            return standing
        case .readable(let readable):
            var standing = Standing(rule: readable.ruling.rule.description, matterKind: stated.matterKind)
            switch readable.ruling.decision {
            case .accept(let kind):
                standing.matterKind = kind
                if isRepeat {
                    try standing.state.apply(.linkedAsRepeat)
                    standing.rule = rulebook.repeatRule(stated.isRealName ? .reporter : .accused).description
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

/// What is known of a submission before it is decided: the rules' word on it, and what the database knows.
enum LoadedSubmission: Sendable {
    case refused(Refusal)
    /// It was registered before, and the inbox was pruned of it.
    case known(Draft, Report)
    case new(Draft, Registration)

    enum Refusal: Sendable {
        case unknownSource
        case because([Problem])
        /// Nothing can be sealed to the superior that alone may handle it.
        case unusableKey(of: UnitRow)
    }

    struct Registration: Sendable {
        let serial: Int64
        /// The report that said the same first.
        let original: ReportID?
        /// The units that the original may not reach; `nil` of one in this transaction.
        let barred: Set<UnitID>?
    }
}

/// A decision asks for what its desk did not load: a fault of the office's own.
struct NotLoaded: PlainlyWorded, CustomStringConvertible {
    let description = "what this decision needs was not loaded"
}

extension UnitOfWork {
    /// Draws a number for each report that is new, enters what it says, and finds what said the same first. What the
    /// rules refuse is not among the drafts: it uses up no number and enters no key.
    mutating func loadRegistrations(of drafts: [Draft], from database: Database) throws {
        let submissions = try database.run(
            ReadSubmissions(sources: drafts.map(\.source.id.rawValue), submissionIDs: drafts.map(\.inbound.key.eventID))
        ).rows
        let known = Dictionary(submissions.map { (Submitted(by: $0.source, id: $0.submissionID), $0) }) { first, _ in
            first
        }
        let fresh = drafts.filter { known[$0.submitted] == nil }
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
            if let report = known[draft.submitted] { cases.submissions[draft.inbound.key] = .known(draft, report) }
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

/// What a source calls a report of its.
private struct Submitted: Hashable {
    let source: SourceID
    let id: String

    init(by source: SourceID, id: String) {
        self.source = source
        self.id = id
    }
}

extension Draft {
    fileprivate var submitted: Submitted { Submitted(by: source.id, id: inbound.key.eventID) }
}
