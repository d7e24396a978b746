public import Basics
public import Foundation

/// The events of the ledger with their details: ids, codes, times and salted commitments. They never contain text or
/// a person outside the staff (invariant 7). `docs/ledger.md` has the same list, and a test compares them.
public enum LedgerEvent: Hashable, Sendable {
    /// A unit or the office was entered: the first entry of its own chain.
    case entered(LedgerSubject)
    /// The first entry of a report's chain.
    case registered(Registration)
    /// Routing found no unit: a person decides. `act` is a commitment to the act that caused it; likewise below.
    case sentToReview(rule: String, act: String)
    /// A handoff was made and waits for approval.
    case proposed(NewHandoff)
    /// A handoff was made and released.
    case routed(NewHandoff)
    /// The report was passed up, sealed to the superior's key that `key` names.
    case passedUp(handoff: HandoffID, unit: UnitID, key: String, rule: String, commitment: String)
    /// An attachment was received completely.
    case attachmentReceived(act: String, commitment: String)
    /// An attachment of a sealed report was passed up completely, sealed to the key that `key` names.
    case attachmentPassedUp(handoff: HandoffID, key: String, act: String, commitment: String)
    /// An unsent message was withdrawn because its addressee is now barred. `type` is the type of the message.
    case withdrawn(type: String, addressee: String, handoff: HandoffID?)
    /// A person decided about a dead letter. `reason` is the code of why it was one.
    case deadLetterSettled(UUID, as: DeadLetterEnd, reason: String)
    /// A step of a clock's ladder was taken.
    case clockStep(ClockStep)
    /// The clock of a duty started: of a unit in its chain, of the office in the office's. Likewise below.
    case dutyOpened(DutyKey, due: Instant, rule: String)
    /// A step of the ladder of a duty was taken.
    case dutyStep(DutyKey, ClockPlan.Step.Action, step: Int, due: Instant, rule: String)
    /// A person reported that a duty was done.
    case dutyDone(DutyKey, act: String)
    /// A duty was not done and is owed no more: its unit is not active.
    case dutyLapsed(DutyKey)
    /// The office stood still for so long that the clocks of these periods of a duty are not opened.
    case dutiesSkipped(duty: String, first: DutyPeriod, last: DutyPeriod)
    /// A command waits until a second person approves it.
    case approvalAsked(ApprovalID, PersonAct, handoff: HandoffID?, rule: String, act: String)
    /// A step of the ladder of an approval was taken.
    case approvalStep(ApprovalID, ClockPlan.Step.Action, step: Int, due: Instant, rule: String)
    /// A second person decided. What the approved command did is entered after this.
    case approvalDecided(ApprovalID, as: Approval.State, act: String)
    /// A person ended a report that needed review.
    case reviewClosed(as: ReportState, rule: String, act: String)
    /// A version of the policy, such as `cn-discipline@2`, decides from now on.
    case policyActivated(String, act: String)
    /// A handoff changed its state. `act` is `nil` for an event of the broker.
    case moved(HandoffID, HandoffMove, act: String?)

    public enum DeadLetterEnd: String, CaseIterable, Hashable, Sendable {
        /// It went through its handler once more, or was sent again.
        case replayed
        case discarded
    }

    public struct Registration: Hashable, Sendable {
        public let report: ReportID
        public let number: String
        public let source: SourceID
        public let verdict: ReportState
        public let rule: String
        /// To the body of the submission.
        public let commitment: String
    }

    public struct NewHandoff: Hashable, Sendable {
        public let handoff: HandoffID
        public let unit: UnitID
        public let kind: String
        public let rule: String
        public let act: String
        /// To the body that was sent.
        public let commitment: String
    }

    public struct ClockStep: Hashable, Sendable {
        public let action: ClockPlan.Step.Action
        public let handoff: HandoffID
        public let clock: String
        public let round: Int
        /// Counted from 1.
        public let step: Int
        public let due: Instant
        public let rule: String
    }
}

extension LedgerEvent.Registration {
    public init(of report: Report, commitment: String) {
        self.init(
            report: report.id, number: report.displayNumber, source: report.source, verdict: report.verdict,
            rule: report.rule, commitment: commitment)
    }
}

extension LedgerEvent.NewHandoff {
    public init(_ handoff: Handoff, act: String, commitment: String) {
        self.init(
            handoff: handoff.id, unit: handoff.unit, kind: handoff.kind, rule: handoff.rule, act: act,
            commitment: commitment)
    }
}

extension LedgerEvent.ClockStep {
    /// A step of a handoff's clock; `nil` for other clocks.
    public init?(_ step: ClockPlan.Step, of clock: Clock) {
        guard let handoff = clock.key.handoffID else { return nil }
        self.init(
            action: step.action, handoff: handoff, clock: clock.key.duty, round: clock.key.round, step: step.number,
            due: clock.dueAt, rule: clock.inputs.rule)
    }
}

/// An event of a handoff's state machine, with its details in the ledger.
public enum HandoffMove: Hashable, Sendable {
    case approved, confirmed, unroutable, signed
    case returned(reason: String, rule: String)
    case progressed
    case decided(disposition: String)
    case caseFiled(on: CivilDate), caseNotified(filedOn: CivilDate)
    case concluded(outcome: String)
    case conclusionAccepted(rule: String), conclusionSentBack(rule: String)
    case recalled, sentAgain, resent

    public var event: HandoffEvent {
        switch self {
        case .approved: .approved
        case .confirmed: .confirmed
        case .unroutable: .unroutable
        case .signed: .signed
        case .returned: .returned
        case .progressed: .progressed
        case .decided: .decided
        case .caseFiled: .caseFiled
        case .caseNotified: .caseNotified
        case .concluded: .concluded
        case .conclusionAccepted: .conclusionAccepted
        case .conclusionSentBack: .conclusionSentBack
        case .recalled: .recalled
        case .sentAgain: .sentAgain
        case .resent: .resent
        }
    }
}
