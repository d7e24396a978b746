public import Basics

extension CaseFile {
    /// One event of a handoff with all that follows from it: the handoff, the report's state, clocks, the ledger. Where
    /// it is refused, nothing is changed.
    /// - Parameters:
    ///   - act: a commitment to the act that caused it; `nil` for what the broker tells.
    ///   - actor: whose it was: `unit.u7`, `office.routing`, `person.li`.
    /// - Returns: what was entered in the ledger.
    /// - Throws: `Rejection`; `InconsistentCase` where report and handoffs did not fit before.
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
        // The policy may have changed since the handoff was made, and know its kind no more.
        if handoff.endedAt == nil, self[handoff: id]?.runningClocks == 0, handoff.noClockReason == nil {
            update(id) { $0.noClockReason = "the policy in force has no clock for it" }
        }
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
    /// What the books keep of an event, once the state has moved.
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
        case .progressed: break
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

/// A report in a state that its handoffs do not give: the books are at fault, not whoever acted.
public struct InconsistentCase: Error, CustomStringConvertible {
    public let report: ReportID
    public let state: ReportState
    let event: String
    public var description: String {
        "report \(report) is \(state.rawValue), which cannot follow \"\(event)\" of its handoff"
    }
}
