import AuditStore
import Basics
import BrokerTopology
import Casework
import Contract

/// An entry of the ledger as a step of a report's way, in words.
struct TraceStep: Sendable {
    let sequence: Int
    /// Business time as it was stored; `nil` if the entry was written by another version.
    let at: Instant?
    /// Since the step before, in seconds.
    let since: Double?
    /// The word of the ledger.
    let event: String
    let what: String
    /// `office.routing`, `unit.d1`, `person.li`.
    let by: String
    /// Which of the report's handoffs it is about.
    let handoff: HandoffID?
    /// The queue by which the message came that was the cause, or into which one went.
    let queue: String
    let rule: String

    static func all(of found: TracedCase) -> [TraceStep] {
        var last: Instant?
        return found.entries.map { entry in
            let step = TraceStep(entry, after: last, in: found)
            last = step.at ?? last
            return step
        }
    }

    private init(_ entry: LedgerEntry, after last: Instant?, in found: TracedCase) {
        sequence = entry.sequence
        guard let record = LedgerRecord(entry.bytes) else {
            (at, since, event, by, handoff, queue, rule) = (nil, nil, "unknown", "", nil, "", "")
            what = "an entry that this version does not know"
            return
        }
        at = record.at
        since = last.map { record.at.seconds(since: $0) }
        (event, by) = (record.event.word, record.by)
        handoff = record.event.handoff
        rule = record.event[.rule] ?? ""
        what = record.event.words
        queue = record.event.queue(by: record.by, handoffs: found.handoffs)
    }
}

extension LedgerEvent {
    fileprivate var handoff: HandoffID? { self[.handoff].flatMap { HandoffID($0) } }

    /// What happened, by ids and codes.
    fileprivate var words: String {
        switch self {
        case .entered(let subject): "\(subject) was entered"
        case .registered(let new): "registered: \(new.verdict.rawValue)"
        case .sentToReview: "no unit may have it: a person decides"
        case .proposed(let new): "a handoff to unit.\(new.unit) waits for approval (\(new.kind))"
        case .routed(let new): "handed to unit.\(new.unit) (\(new.kind))"
        case .passedUp(_, let unit, _, _, _): "passed up sealed to unit.\(unit)"
        case .attachmentReceived: "an attachment is whole"
        case .attachmentPassedUp: "an attachment was passed up sealed"
        case .withdrawn(let type, let addressee, _):
            "not sent, since the addressee is barred: \(Self.short(type)) to \(addressee)"
        case .deadLetterSettled(let letter, let end, let reason):
            "dead letter \(letter.lowercased) (\(reason)) was \(end.rawValue)"
        case .clockStep(let step):
            "clock \(step.clock), round \(step.round): step \(step.step), \(step.action.rawValue); due \(step.due)"
        case .dutyOpened(let key, let due, _): "duty \(key) began; due \(due)"
        case .dutyStep(let key, let action, let step, let due, _):
            "duty \(key): step \(step), \(action.rawValue); due \(due)"
        case .dutyDone(let key, _): "duty \(key) was done"
        case .dutyLapsed(let key): "duty \(key) is owed no more"
        case .dutiesSkipped(let duty, let first, let last): "duty \(duty) is not asked for \(first) to \(last)"
        case .approvalAsked(let id, let act, _, _, _): "\(act.rawValue) waits for approval \(id)"
        case .approvalStep(let id, let action, let step, let due, _):
            "approval \(id): step \(step), \(action.rawValue); due \(due)"
        case .approvalDecided(let id, let state, _): "approval \(id): \(state.rawValue)"
        case .reviewClosed(let state, _, _): "a person ended it: \(state.rawValue)"
        case .policyActivated(let policy, _): "policy \(policy) decides from now on"
        case .moved(_, let move, _): move.words
        }
    }

    private static func short(_ type: String) -> String { MessageType(rawValue: type)?.short ?? type }

    /// `q →`: the message that was the cause came by this queue; `→ q`: a message went into it.
    fileprivate func queue(by actor: String, handoffs: [TracedHandoff]) -> String {
        let handoff = handoff.flatMap { id in handoffs.first { $0.id == id } }
        switch self {
        case .registered(let new): return "\(Topology.Queue.submit(new.source)) →"
        case .sentToReview: return "\(Topology.Queue.routing) →"
        case .proposed, .routed:
            return "\(handoff?.express == true ? Topology.Queue.routingExpress : Topology.Queue.routing) →"
        case .passedUp(_, let unit, _, _, _): return "→ \(Topology.Queue.express(unit))"
        case .moved(_, .confirmed, _):
            return handoff.map { "→ \(Topology.Queue.handoff(to: $0.unit, express: $0.express))" } ?? ""
        case .moved:
            guard case .unit(let unit) = Party(actor) else { return "" }
            return "\(Topology.Queue.acts(unit)) →"
        default: return ""
        }
    }
}

extension HandoffMove {
    fileprivate var words: String {
        switch self {
        case .approved: "released by a person"
        case .confirmed: "in the unit's queue"
        case .unroutable: "undeliverable: the unit has no queue"
        case .signed: "signed"
        case .returned(let reason, _): "returned: \(reason)"
        case .progressed: "progress was reported"
        case .decided(let disposition): "disposition: \(disposition)"
        case .caseFiled(let day): "a case was filed on \(day)"
        case .caseNotified(let day): "the case office reported the case, filed on \(day)"
        case .concluded(let outcome): "concluded: \(outcome)"
        case .conclusionAccepted: "the conclusion was accepted"
        case .conclusionSentBack: "the conclusion was sent back"
        case .recalled: "recalled"
        case .sentAgain: "sent again by a person's order"
        case .resent: "sent again, as the unit asked"
        }
    }
}
