import Basics
import Casework

/// The states of one report derived from its ledger, by the same state machines that wrote it.
///
/// An entry that the rules would have refused, such as a second signature or a second conclusion that was not sent
/// back, shows an act that was applied twice.
struct LedgerReplay {
    private(set) var records: [LedgerRecord] = []
    private(set) var report: ReportState?
    private(set) var handoffs: [HandoffID: HandoffState] = [:]
    private(set) var reportStates: Set<ReportState> = []
    private(set) var handoffStates: Set<HandoffState> = []
    /// The duties of a unit or the office that are owed, and those that were.
    private var duties: Set<DutyKey> = []
    private var closedDuties: Set<DutyKey> = []
    private var approvals: [ApprovalID: Approval.State] = [:]
    /// Events that do not follow from the earlier ones.
    private(set) var impossible: [LedgerEvent] = []
    private(set) var unreadable = 0

    init(_ ledger: [LedgerEntry]) {
        for entry in ledger {
            guard let record = LedgerRecord(entry.bytes) else {
                unreadable += 1
                continue
            }
            records.append(record)
            do { try tell(record.event) } catch { impossible.append(record.event) }
        }
    }

    /// The switch has no default, so that a new event does not compile until it is handled here.
    private mutating func tell(_ event: LedgerEvent) throws(Rejection) {
        switch event {
        case .registered(let new):
            guard report == nil else { throw .refused(.wrongState, state: new.verdict.rawValue) }
            report = new.verdict
            reportStates.insert(new.verdict)
        case .sentToReview: try follow([.report(.sentToReview)], handoffs)
        case .routed(let new): try handOff(new.handoff, as: .released, [.report(.routed)])
        case .proposed(let new): try handOff(new.handoff, as: .awaitingApproval, [.report(.routed)])
        case .passedUp(let handoff, _, _, _, _): try handOff(handoff, as: .released, [])
        case .moved(let handoff, let move, _):
            guard var state = handoffs[handoff] else { throw .refused(.unknownHandoff, state: "none") }
            let effects = try state.apply(move.event)
            try set(handoff, to: state, effects)
        case .dutyOpened(let duty, _, _):
            guard !closedDuties.contains(duty), duties.insert(duty).inserted else {
                throw .refused(.wrongState, state: "open")
            }
        case .dutyDone(let duty, _), .dutyLapsed(let duty):
            guard duties.remove(duty) != nil else { throw .refused(.wrongState, state: "not open") }
            closedDuties.insert(duty)
        case .dutyStep(let duty, _, _, _, _):
            guard duties.contains(duty) else { throw .refused(.wrongState, state: "not open") }
        case .approvalAsked(let id, _, _, _, _):
            guard approvals.updateValue(.open, forKey: id) == nil else { throw .refused(.wrongState, state: "open") }
        case .approvalStep(let id, _, _, _, _):
            guard approvals[id] == .open else { throw .refused(.wrongState, state: "not open") }
        case .approvalDecided(let id, let state, _):
            guard state != .open, approvals.updateValue(state, forKey: id) == .open else {
                throw .refused(.wrongState, state: "not open")
            }
        case .reviewClosed(let state, _, _):
            try follow([.report(state == .closed ? .closedInReview : .declined)], handoffs)
            guard report == state else { throw .refused(.wrongState, state: state.rawValue) }
        case .entered, .attachmentReceived, .attachmentPassedUp, .withdrawn, .deadLetterSettled, .clockStep,
            .dutiesSkipped, .policyActivated:
            return
        }
    }

    private mutating func handOff(_ id: HandoffID, as state: HandoffState, _ effects: [HandoffEffect]) throws(Rejection)
    {
        guard handoffs[id] == nil else { throw .refused(.wrongState, state: state.rawValue) }
        try set(id, to: state, effects)
    }

    private mutating func set(_ id: HandoffID, to state: HandoffState, _ effects: [HandoffEffect]) throws(Rejection) {
        var next = handoffs
        next[id] = state
        try follow(effects, next)
        handoffStates.insert(state)
    }

    private mutating func follow(_ effects: [HandoffEffect], _ next: [HandoffID: HandoffState]) throws(Rejection) {
        guard let state = try report?.after(effects, Array(next.values)) else {
            throw .refused(.wrongState, state: "unregistered")
        }
        (report, handoffs) = (state, next)
        reportStates.insert(state)
    }
}

extension LedgerEvent {
    var isRegistration: Bool { if case .registered = self { true } else { false } }
}
