public import Basics

extension CaseFile {
    /// Applies one event of a handoff with all its consequences: the handoff, the report's state, the clocks
    /// (`recountClocks`, invariant 8) and the ledger. If the event is rejected, nothing changes.
    /// - Parameters:
    ///   - act: a commitment to the act that caused the event; `nil` for an event of the broker.
    ///   - actor: who caused it: `unit.u7`, `office.routing`, `person.li`.
    /// - Returns: the event entered in the ledger.
    /// - Throws: `Rejection`; `InconsistentCase` if report and handoffs did not fit each other before.
    @discardableResult
    public mutating func move(
        _ id: HandoffID, _ move: HandoffMove, act: String? = nil, by actor: String, at now: Instant,
        under rulebook: Rulebook
    ) throws -> LedgerEvent {
        guard var handoff = self[handoff: id] else { throw Rejection.refused(.unknownHandoff, state: "none") }
        guard report.state.following(handoffs.map(\.state)) == report.state else {
            throw InconsistentCase(report: report.id, state: report.state, event: move.event.rawValue)
        }
        let effects = try handoff.state.apply(move.event)
        let state = try report.state.after(effects, handoffs.map { $0.id == id ? handoff.state : $0.state })
        handoff.note(move, by: actor, at: now)
        update(id) { $0 = handoff }
        for effect in effects {
            switch effect {
            case .report: continue
            case .start(let start):
                self.start(rulebook.clocks(startedBy: start, handoffKind: handoff.kind, at: now), for: id)
            case .stop(let stop): stopClocks(of: id, on: stop, at: now, by: move.event.rawValue)
            }
        }
        recountClocks(of: id, otherwise: rulebook.noClockReason(handoffKind: handoff.kind))
        updateReport {
            $0.state = state
            if move == .recalled || move == .unroutable { $0.reason = handoff.endedBecause }
        }
        let event = LedgerEvent.moved(id, move, act: act)
        record(event, at: now, by: actor)
        return event
    }
}

extension Handoff {
    /// Records an event in the handoff's fields, after the state has changed.
    fileprivate mutating func note(_ move: HandoffMove, by actor: String, at now: Instant) {
        endedAt = state.isFinal || state == .undeliverable ? now : nil
        switch move {
        case .approved: releasedAt = now
        case .confirmed: dispatchedAt = now
        case .unroutable, .recalled: endedBecause = move.event.rawValue
        case .signed:
            (signedAt, signedBy) = (now, actor)
            if dispatchedAt == nil { dispatchedAt = now }
        case .returned(let reason, _): endedBecause = reason
        case .progressed, .resent: break
        case .decided(let word): disposition = word
        case .caseFiled(let day): caseFiledOn = day
        case .caseNotified(let day):
            if caseFiledOn == nil { caseFiledOn = day }
            caseNotifiedAt = now
        case .concluded(let word): (outcome, concludedAt) = (word, now)
        case .conclusionAccepted: endedBecause = "concluded"
        case .conclusionSentBack:
            timesSentBack += 1
            concludedAt = nil
        case .sentAgain: endedBecause = nil
        }
    }
}

/// A report is in a state that does not follow from its handoffs. The stored data is at fault, not the actor.
public struct InconsistentCase: Error, CustomStringConvertible {
    public let report: ReportID
    public let state: ReportState
    let event: String
    public var description: String {
        "report \(report) is \(state.rawValue), which cannot follow \"\(event)\" of its handoff"
    }
}
