/// Where a report stands in the office's books.
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

/// What the office does with a report, or must do again. How far its units are, its handoffs tell.
public enum ReportEvent: CaseIterable, Hashable, Sendable {
    /// No rule decides, or a rule wants a person to.
    case sentToReview
    /// It says what another report says (重复件).
    case linkedAsRepeat
    /// Outside the scope (业务范围外).
    case declined
    /// Handed to the competent authority (转办).
    case referred
    /// Only a superior may handle it (上报).
    case passedUp
    /// Handed off to a unit; also to one more beside others.
    case routed
    /// A unit's return was approved: route again.
    case cameBack
    /// A handoff was recalled, or could not be delivered: a person decides.
    case fellBack
}

extension ReportState {
    /// Moves on, or says why it cannot.
    public mutating func apply(_ event: ReportEvent) throws(Rejection) {
        self = try next(event)
    }

    private func next(_ event: ReportEvent) throws(Rejection) -> ReportState {
        switch (self, event) {
        case (.registered, .sentToReview): return .needsReview
        case (.registered, .linkedAsRepeat): return .linkedAsRepeat
        case (.registered, .declined): return .notAccepted
        case (.registered, .passedUp): return .passedUp
        case (.registered, .routed), (.needsReview, .routed), (.routed, .routed), (.inHand, .routed),
            (.concluded, .routed):
            return .routed
        case (.notAccepted, .referred): return .referred
        case (.registered, .cameBack), (.routed, .cameBack), (.inHand, .cameBack): return .registered
        // What waits for a person is not routed past it.
        case (.needsReview, .cameBack): return .needsReview
        case (.registered, .fellBack), (.needsReview, .fellBack), (.routed, .fellBack), (.inHand, .fellBack):
            return .needsReview
        // A sealed pass-through stays what it is: the superior's own books go on from here.
        case (.passedUp, .fellBack), (.passedUp, .routed): return .passedUp
        case (.registered, _), (.needsReview, _), (.linkedAsRepeat, _), (.notAccepted, _), (.referred, _),
            (.passedUp, _), (.routed, _), (.inHand, _), (.concluded, _), (.closed, _):
            throw .refused(.wrongState, state: rawValue)
        }
    }

    /// Where a report stands with all its handoffs: while something waits for the office, there; otherwise as far as
    /// the least advanced of those that were not taken back. `nil` where it cannot have these.
    public func following(_ handoffs: [HandoffState]) -> ReportState? {
        switch self {
        case .linkedAsRepeat, .notAccepted, .referred: handoffs.isEmpty ? self : nil
        case .passedUp: self
        case .registered, .needsReview: handoffs.isEmpty || handoffs.contains { $0.progress == nil } ? self : nil
        case .routed, .inHand, .concluded, .closed:
            [.routed, .inHand, .concluded, .closed].first { handoffs.map(\.progress).contains($0) }
        }
    }

    /// After an event of one of its handoffs, which had these effects.
    /// - Parameter handoffs: all of them as they are now.
    public func after(_ effects: [HandoffEffect], _ handoffs: [HandoffState]) throws(Rejection) -> ReportState {
        var state = self
        for case .report(let event) in effects { try state.apply(event) }
        guard let next = state.following(handoffs) else { throw .refused(.wrongState, state: rawValue) }
        return next
    }
}

extension HandoffState {
    /// How far it brings its report; `nil` of what was taken back: another may follow it.
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
    /// A message still to come could make it valid: hold it.
    case early(state: String)
    /// Nothing to come can make it valid.
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
}
