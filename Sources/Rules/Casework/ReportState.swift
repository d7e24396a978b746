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

/// What happens to a report.
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
    /// Handed off to a unit.
    case routed
    /// The unit signed for it.
    case signedFor
    /// The unit concluded.
    case concluded
    /// The conclusion was sent back to the unit.
    case conclusionSentBack
    /// The conclusion was accepted.
    case conclusionAccepted
    /// The unit's return was approved: route again.
    case cameBack
    /// The handoff was recalled, or could not be delivered: a person decides.
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
        case (.registered, .routed), (.needsReview, .routed): return .routed
        case (.notAccepted, .referred): return .referred
        case (.routed, .signedFor): return .inHand
        case (.routed, .fellBack), (.inHand, .fellBack): return .needsReview
        case (.inHand, .concluded): return .concluded
        case (.inHand, .cameBack): return .registered
        case (.concluded, .conclusionSentBack): return .inHand
        case (.concluded, .conclusionAccepted): return .closed
        // A sealed pass-through stays what it is: the superior's own books go on from here.
        case (.passedUp, .signedFor), (.passedUp, .concluded), (.passedUp, .conclusionAccepted),
            (.passedUp, .conclusionSentBack), (.passedUp, .fellBack), (.passedUp, .routed):
            return .passedUp
        case (.registered, _), (.needsReview, _), (.linkedAsRepeat, _), (.notAccepted, _), (.referred, _),
            (.passedUp, _), (.routed, _), (.inHand, _), (.concluded, _), (.closed, _):
            throw .refused(.wrongState, state: rawValue)
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
