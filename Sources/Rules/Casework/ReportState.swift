/// The state of a report.
public enum ReportState: String, CaseIterable, Codable, Hashable, Sendable {
    case registered
    case needsReview = "needs_review"
    case linkedAsRepeat = "linked_as_repeat"
    case notAccepted = "not_accepted"
    case referred
    case passedUp = "passed_up"
    case routed
    case inHand = "in_hand"
    case concluded
    case closed
}

/// What the office does with a report, or must do again. The progress at the units is the state of the handoffs.
public enum ReportEvent: CaseIterable, Hashable, Sendable {
    /// No rule decides, or a rule asks for a person.
    case sentToReview
    /// Its content repeats that of another report (重复件).
    case linkedAsRepeat
    /// It is outside the scope (业务范围外).
    case declined
    /// It was referred to the competent authority (转办).
    case referred
    /// Only a superior may handle it (上报).
    case passedUp
    /// It was handed off to a unit, also to one more beside others.
    case routed
    /// A unit's return was approved: route again.
    case cameBack
    /// A handoff was recalled or could not be delivered: a person decides.
    case fellBack
    /// A person decided that nothing more follows.
    case closedInReview
}

extension ReportState {
    /// Applies an event.
    /// - Throws: `Rejection` with the reason why the event cannot be applied.
    public mutating func apply(_ event: ReportEvent) throws(Rejection) {
        self = try next(event)
    }

    private func next(_ event: ReportEvent) throws(Rejection) -> ReportState {
        switch (self, event) {
        case (.registered, .sentToReview): return .needsReview
        case (.registered, .linkedAsRepeat): return .linkedAsRepeat
        case (.registered, .declined), (.needsReview, .declined): return .notAccepted
        case (.needsReview, .closedInReview): return .closed
        case (.registered, .passedUp): return .passedUp
        case (.registered, .routed), (.needsReview, .routed), (.routed, .routed), (.inHand, .routed),
            (.concluded, .routed):
            return .routed
        case (.notAccepted, .referred): return .referred
        case (.registered, .cameBack), (.routed, .cameBack), (.inHand, .cameBack): return .registered
        // A report that waits for a person is not routed without that person.
        case (.needsReview, .cameBack): return .needsReview
        case (.registered, .fellBack), (.needsReview, .fellBack), (.routed, .fellBack), (.inHand, .fellBack):
            return .needsReview
        // A sealed pass-through keeps its state: the superior's own records continue from here.
        case (.passedUp, .fellBack), (.passedUp, .routed): return .passedUp
        case (.registered, _), (.needsReview, _), (.linkedAsRepeat, _), (.notAccepted, _), (.referred, _),
            (.passedUp, _), (.routed, _), (.inHand, _), (.concluded, _), (.closed, _):
            throw .refused(.wrongState, state: rawValue)
        }
    }

    /// The state of a report together with all its handoffs. While the report waits for the office, its own state;
    /// otherwise the state of the least advanced handoff that was not taken back. `nil` if it cannot have these
    /// handoffs.
    public func following(_ handoffs: [HandoffState]) -> ReportState? {
        switch self {
        case .linkedAsRepeat: handoffs.isEmpty ? self : nil
        // A person may end a report whose handoffs were all taken back.
        case .notAccepted, .referred: handoffs.allSatisfy { $0.progress == nil } ? self : nil
        case .passedUp: self
        case .registered, .needsReview: handoffs.isEmpty || handoffs.contains { $0.progress == nil } ? self : nil
        case .closed where handoffs.allSatisfy { $0.progress == nil }: self
        case .routed, .inHand, .concluded, .closed:
            [.routed, .inHand, .concluded, .closed].first { handoffs.map(\.progress).contains($0) }
        }
    }

    /// The state after an event of one of its handoffs with these effects.
    /// - Parameter handoffs: all handoffs in their present state.
    public func after(_ effects: [HandoffEffect], _ handoffs: [HandoffState]) throws(Rejection) -> ReportState {
        var state = self
        for case .report(let event) in effects { try state.apply(event) }
        guard let next = state.following(handoffs) else { throw .refused(.wrongState, state: rawValue) }
        return next
    }
}

extension HandoffState {
    /// How far the handoff brings its report; `nil` if it was taken back: another may follow it.
    fileprivate var progress: ReportState? {
        switch self {
        case .awaitingApproval, .released, .dispatched: .routed
        case .signed, .inHand, .caseFiled: .inHand
        case .concluded: .concluded
        case .closed: .closed
        case .returned, .recalled, .undeliverable: nil
        }
    }
}

/// Why an event cannot be applied.
public enum Rejection: Error, Hashable, Sendable {
    /// A later message could make it valid: defer it.
    case early(state: String)
    /// No later message can make it valid.
    case refused(Refusal, state: String)
}

/// Stable words for why an act is refused.
public enum Refusal: String, CaseIterable, Codable, Hashable, Sendable {
    case wrongState = "wrong_state"
    case awaitingApproval = "awaiting_approval"
    case alreadySigned = "already_signed"
    case alreadyFiled = "already_filed"
    case alreadyConcluded = "already_concluded"
    case caseFiled = "case_filed"
    case closed
    case returned
    case recalled
    case undeliverable
    case neverSigned = "never_signed"
    case wrongDigest = "wrong_digest"
    case notAllowed = "not_allowed"
    case notCaseOffice = "not_case_office"
    case unknownHandoff = "unknown_handoff"
    case unknownWord = "unknown_word"
    case returnNotApproved = "return_not_approved"
    case idReused = "id_reused"
    case decidedBefore = "decided_before"
    case ownApproval = "own_approval"
}
