public import Basics

/// A command of a person that waits until a second person approves it (审批、双人复核).
///
/// It is stored as it was sent, with a clock of its own, and belongs to the subject that it decides on: a report or
/// the office, whose row is locked before the approval is touched.
public struct Approval: Hashable, Sendable {
    public enum State: String, CaseIterable, Codable, Hashable, Sendable {
        case open, approved, rejected
        /// The person who asked withdrew it, or it is no longer needed: the report left review otherwise.
        case lapsed
    }

    public let id: ApprovalID
    public let act: PersonAct
    /// The worker that heard the command and carries it out.
    public let worker: String
    /// `nil`: it is about the office.
    public let reportID: ReportID?
    public let handoffID: HandoffID?
    /// The body of the command's message.
    public let command: [UInt8]
    /// The roles of which the second person needs one.
    public let roles: Set<PersonRole>
    /// The row of the policy that asks for it.
    public let rule: String
    public let askedBy: PersonID
    public let askedAt: Instant
    public private(set) var state = State.open
    public private(set) var decidedBy: PersonID?
    public private(set) var decidedAt: Instant?
    public private(set) var decidedBecause: String?

    public init(
        id: ApprovalID, act: PersonAct, worker: String, reportID: ReportID?, handoffID: HandoffID?, command: [UInt8],
        roles: Set<PersonRole>, rule: String, askedBy: PersonID, askedAt: Instant, state: State = .open,
        decidedBy: PersonID? = nil, decidedAt: Instant? = nil, decidedBecause: String? = nil
    ) {
        self.id = id
        self.act = act
        self.worker = worker
        self.reportID = reportID
        self.handoffID = handoffID
        self.command = command
        self.roles = roles
        self.rule = rule
        self.askedBy = askedBy
        self.askedAt = askedAt
        self.state = state
        self.decidedBy = decidedBy
        self.decidedAt = decidedAt
        self.decidedBecause = decidedBecause
    }

    /// What is locked before it is touched, and has the chain in which it is entered.
    public var subject: LedgerSubject { reportID.map { .report($0) } ?? .office }

    /// The key of its clock.
    public var clock: Clock.Key {
        Clock.Key(reportID, nil, nil, duty: ApprovalRow.clock, period: id.description)
    }

    /// Ends it without a decision.
    public mutating func lapse(at instant: Instant) { (state, decidedAt) = (.lapsed, instant) }

    /// Decides it, once. Whoever asked for it does not decide it (四眼原则).
    /// - Throws: `Rejection` if it is decided, or if the same person asked for it.
    public mutating func decide(
        _ decision: State, by person: PersonID, because reason: String, at instant: Instant
    ) throws(Rejection) {
        guard state == .open else { throw .refused(.decidedBefore, state: state.rawValue) }
        guard person != askedBy else { throw .refused(.ownApproval, state: state.rawValue) }
        (state, decidedBy, decidedAt, decidedBecause) = (decision, person, instant, reason)
    }
}

/// An act of a person for which a policy may ask a second one.
public enum PersonAct: String, CaseIterable, Codable, Hashable, Sendable {
    /// A handoff is taken back.
    case recall
    /// A report that needs review is handed off.
    case reviewRoute = "review_route"
    /// A report that needs review ends without a handoff.
    case reviewClose = "review_close"
    /// A version of the policy begins to decide.
    case policyActivate = "policy_activate"
}

extension Clock {
    /// The approval that it watches.
    public var approval: ApprovalID? { key.duty == ApprovalRow.clock ? ApprovalID(key.period) : nil }
}

extension Rulebook {
    /// The row that asks for a second person, if there is one.
    /// - Parameter handoffKind: of the handoff that the act is about or makes.
    public func approval(of act: PersonAct, handoffKind: String? = nil) -> ApprovalRow? {
        policy.approvals?.first { row in
            row.acts.contains(act)
                && (row.handoffKinds.map { kinds in handoffKind.map(kinds.contains) ?? false } ?? true)
        }
    }

    /// The clock of an approval that is asked for now.
    public func plan(_ row: ApprovalRow, askedAt instant: Instant) -> ClockPlan { plan(row, startedAt: instant) }

    /// What a decision refers to that a person made about a report that needs review: this version of the policy, which
    /// left it to a person.
    public var review: RuleReference {
        RuleReference(policy: policy.name, version: policy.version, row: Rulebook.reviewRow)
    }

    /// No row of a policy has this id.
    public static let reviewRow = "person-decides"
}
