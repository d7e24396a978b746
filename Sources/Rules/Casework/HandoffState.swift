/// The state of a handoff.
public enum HandoffState: String, CaseIterable, Codable, Hashable, Sendable {
    case awaitingApproval = "awaiting_approval"
    case released
    case dispatched
    case signed
    case inHand = "in_hand"
    case caseFiled = "case_filed"
    case concluded
    case closed
    case returned
    case recalled
    case undeliverable

    /// Whether no act of the unit can change the state any more.
    public var isFinal: Bool {
        switch self {
        case .closed, .returned, .recalled: true
        case .awaitingApproval, .released, .dispatched, .signed, .inHand, .caseFiled, .concluded, .undeliverable: false
        }
    }

    /// Whether acts of the unit may arrive before the signature that makes them valid.
    public var awaitsSignature: Bool {
        switch self {
        case .released, .dispatched: true
        case .awaitingApproval, .signed, .inHand, .caseFiled, .concluded, .closed, .returned, .recalled, .undeliverable:
            false
        }
    }

    /// Whether the unit has signed and still owes an answer.
    public var isInHand: Bool {
        switch self {
        case .signed, .inHand, .caseFiled: true
        case .awaitingApproval, .released, .dispatched, .concluded, .closed, .returned, .recalled, .undeliverable: false
        }
    }
}

/// What happens to a handoff. The raw values are the words of the ledger.
public enum HandoffEvent: String, CaseIterable, Hashable, Sendable {
    case approved
    /// The broker confirmed that the message is in the unit's queue.
    case confirmed = "dispatched"
    /// The broker returned the message: there is no such queue.
    case unroutable = "undeliverable"
    /// The unit signed for it (签收).
    case signed
    /// The unit returned it (退回) and the office approved.
    case returned
    case progressed = "progress"
    /// A disposition was decided (四类处置).
    case decided = "disposition_decided"
    /// A case was filed (立案).
    case caseFiled = "case_filed"
    /// The case office reported the case (转立案回告).
    case caseNotified = "case_notified"
    case concluded
    case conclusionAccepted = "conclusion_accepted"
    case conclusionSentBack = "conclusion_sent_back"
    case recalled
    /// An undeliverable handoff is sent again, unchanged.
    case sentAgain = "sent_again"
    /// The unit asked for the handoff again, and it is sent unchanged.
    case resent
}

/// An effect of an event, beside the new state.
public enum HandoffEffect: Hashable, Sendable {
    /// An event of the report: it waits for the office again, or no longer waits.
    case report(ReportEvent)
    /// Clocks with this start event start.
    case start(ClockStart)
    /// Clocks with this stop event stop.
    case stop(ClockStop)
}

/// The moments at which clocks start.
public enum ClockStart: String, CaseIterable, Codable, Hashable, Sendable {
    case released, signed, conclusionSentBack = "conclusion_sent_back"
}

/// The moments at which clocks stop.
public enum ClockStop: String, CaseIterable, Codable, Hashable, Sendable {
    case signed, answered, concluded, ended
}

extension HandoffState {
    /// Applies an event.
    /// - Returns: the effects of the event.
    /// - Throws: `Rejection` with the reason why the event cannot be applied.
    public mutating func apply(_ event: HandoffEvent) throws(Rejection) -> [HandoffEffect] {
        let (next, effects) = try step(event)
        self = next
        return effects
    }

    private func step(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch self {
        case .awaitingApproval: try beforeRelease(event)
        case .released, .dispatched: try beforeSignature(event)
        case .signed, .inHand: try whileInHand(event)
        case .caseFiled: try afterFiling(event)
        case .concluded: try whileJudged(event)
        case .closed: throw .refused(afterTheEnd(event), state: rawValue)
        case .returned: throw .refused(.returned, state: rawValue)
        case .recalled: throw .refused(.recalled, state: rawValue)
        case .undeliverable: try whileUndeliverable(event)
        }
    }

    private func beforeRelease(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .approved: (.released, [.start(.released)])
        case .recalled: (.recalled, [.report(.fellBack)])
        case .confirmed, .unroutable, .signed, .returned, .progressed, .decided, .caseFiled, .caseNotified, .concluded,
            .conclusionAccepted, .conclusionSentBack, .sentAgain, .resent:
            throw .refused(.awaitingApproval, state: rawValue)
        }
    }

    private func beforeSignature(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .confirmed:
            if self == .dispatched { throw .refused(.wrongState, state: rawValue) }
            return (.dispatched, [])
        case .unroutable:
            if self == .dispatched { throw .refused(.wrongState, state: rawValue) }
            return (.undeliverable, [.stop(.ended), .report(.fellBack)])
        // A signature that arrives before the publisher confirm implies it.
        case .signed: return (.signed, [.stop(.signed), .start(.signed)])
        case .recalled: return (.recalled, [.stop(.ended), .report(.fellBack)])
        case .resent: return (self, [])
        // The signature may still be in transit: messages can be reordered.
        case .returned, .progressed, .decided, .caseFiled, .caseNotified, .concluded:
            throw .early(state: rawValue)
        case .approved, .conclusionAccepted, .conclusionSentBack, .sentAgain:
            throw .refused(.wrongState, state: rawValue)
        }
    }

    private func whileInHand(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .progressed: (.inHand, [])
        case .decided: (.inHand, [.stop(.answered)])
        case .caseFiled: (.caseFiled, [])
        // The case office may know of the case before the unit's own message arrives.
        case .caseNotified, .resent: (self, [])
        case .concluded: (.concluded, [.stop(.answered), .stop(.concluded)])
        case .returned: (.returned, [.stop(.ended), .report(.cameBack)])
        case .recalled: (.recalled, [.stop(.ended), .report(.fellBack)])
        case .signed: throw .refused(.alreadySigned, state: rawValue)
        case .approved, .confirmed, .unroutable, .conclusionAccepted, .conclusionSentBack, .sentAgain:
            throw .refused(.wrongState, state: rawValue)
        }
    }

    private func afterFiling(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .progressed, .caseNotified, .resent: (.caseFiled, [])
        case .decided: (.caseFiled, [.stop(.answered)])
        case .concluded: (.concluded, [.stop(.answered), .stop(.concluded)])
        case .signed: throw .refused(.alreadySigned, state: rawValue)
        case .caseFiled: throw .refused(.alreadyFiled, state: rawValue)
        // A filed case remains with the unit that filed it.
        case .returned, .recalled: throw .refused(.caseFiled, state: rawValue)
        case .approved, .confirmed, .unroutable, .conclusionAccepted, .conclusionSentBack, .sentAgain:
            throw .refused(.wrongState, state: rawValue)
        }
    }

    private func whileJudged(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .conclusionAccepted: (.closed, [.stop(.ended)])
        case .conclusionSentBack: (.inHand, [.start(.conclusionSentBack)])
        case .signed: throw .refused(.alreadySigned, state: rawValue)
        case .returned, .progressed, .decided, .caseFiled, .caseNotified, .concluded, .recalled, .resent:
            throw .refused(.alreadyConcluded, state: rawValue)
        case .approved, .confirmed, .unroutable, .sentAgain: throw .refused(.wrongState, state: rawValue)
        }
    }

    /// The refusal after closing: a second signature or conclusion has its own word.
    private func afterTheEnd(_ event: HandoffEvent) -> Refusal {
        switch event {
        case .signed: .alreadySigned
        case .concluded: .alreadyConcluded
        case .approved, .confirmed, .unroutable, .returned, .progressed, .decided, .caseFiled, .caseNotified,
            .conclusionAccepted,
            .conclusionSentBack, .recalled, .sentAgain, .resent:
            .closed
        }
    }

    private func whileUndeliverable(_ event: HandoffEvent) throws(Rejection) -> (HandoffState, [HandoffEffect]) {
        switch event {
        case .recalled: (.recalled, [])
        case .sentAgain: (.released, [.start(.released), .report(.routed)])
        case .approved, .confirmed, .unroutable, .signed, .returned, .progressed, .decided, .caseFiled, .caseNotified,
            .concluded, .conclusionAccepted, .conclusionSentBack, .resent:
            throw .refused(.undeliverable, state: rawValue)
        }
    }
}
