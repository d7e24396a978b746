public import Basics

// What a policy decides. Every ruling has `rule`, and only the rules make rulings: each takes it from
// `Rulebook.reference` (invariant 9). It is stored as text; the database refuses a row without it:
// `report_decided_by_a_rule`, `handoff_decided_by_a_rule`, `clock_explained_by_a_rule` (first migration).

/// A ruling that a report passes sealed, and to which kind of unit.
public struct SealingRuling: Sendable, Equatable {
    public let rule: RuleReference
    public let unitKind: String
    public let handoffKind: String
}

/// Whether a report is within the scope.
public struct ScopeRuling: Sendable, Equatable {
    public enum Decision: Sendable, Equatable {
        case accept(matterKind: String)
        case notAccepted(authority: String, category: String)
        case needsReview(reason: String)
    }

    public let rule: RuleReference
    public let decision: Decision
    /// The proposals from the words of the text, the best first; at most five.
    public let proposals: [ScopeProposal]
}

public struct ScopeProposal: Sendable, Equatable {
    public let rule: RuleReference
    public let authority: String
    public let category: String
    public let score: Int
}

/// The recipient of a report.
public struct RouteRuling: Sendable, Equatable {
    public enum Decision: Sendable, Equatable {
        case handoff(unit: UnitID, kind: String)
        case needsReview(reason: String)
    }

    public let rule: RuleReference
    public let decision: Decision
}

/// All that is derived from the inputs of a clock: its due time and every step of its ladder.
public struct ClockPlan: Sendable, Equatable {
    public struct Step: Sendable, Equatable {
        public enum Action: String, Codable, Hashable, Sendable, CaseIterable {
            /// To the unit: sign or go on (`notice.sign_due`).
            case remind
            /// To the unit: the limit is near (`notice.due_soon`).
            case warn
            /// To the unit: the limit is past (`notice.overdue`).
            case overdue
            /// To a person of the office, and `notice.escalated` to the unit.
            case escalate
        }

        /// Counted from 1, in the order of time.
        public let number: Int
        public let at: Instant
        public let action: Action
    }

    /// What the clock watches: see `Clock.Key.duty`.
    public let duty: String
    public let startedAt: Instant
    public let dueAt: Instant
    public let rule: RuleReference
    public let steps: [Step]
}

/// Whether a handoff may be returned.
public struct ReturnRuling: Sendable, Equatable {
    public let rule: RuleReference
    public let approved: Bool
    public let message: String
}

/// Whether a conclusion is accepted.
public struct ConclusionRuling: Sendable, Equatable {
    public let rule: RuleReference
    public let accepted: Bool
    public let message: String
}
