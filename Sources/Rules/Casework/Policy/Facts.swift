public import Basics

/// The facts of a report that the rules may use.
///
/// Routing happens after registration and uses only stored facts, so title and text are then empty.
public struct ReportFacts: Sendable, Equatable {
    public var sourceKind: String
    public var matterKind: String?
    public var title: String
    public var text: String
    public var region: String?
    /// Levels of the accused.
    public var levels: Set<String>
    /// Places of the accused.
    public var accusedRegions: Set<String>
    /// Categories of the allegations.
    public var categories: Set<String>
    public var accusedCount: Int
    public var isRealName: Bool

    public init(
        sourceKind: String, matterKind: String? = nil, title: String = "", text: String = "", region: String? = nil,
        levels: Set<String> = [], accusedRegions: Set<String> = [], categories: Set<String> = [], accusedCount: Int = 0,
        isRealName: Bool = false
    ) {
        self.sourceKind = sourceKind
        self.matterKind = matterKind
        self.title = title
        self.text = text
        self.region = region
        self.levels = levels
        self.accusedRegions = accusedRegions
        self.categories = categories
        self.accusedCount = accusedCount
        self.isRealName = isRealName
    }

    public init(submission: Submission, sourceKind: String) {
        self.init(
            sourceKind: sourceKind, matterKind: submission.matterKind, title: submission.title, text: submission.text,
            region: submission.region, levels: Set(submission.accused.lazy.compactMap(\.level)),
            accusedRegions: Set(submission.accused.lazy.compactMap(\.region)),
            categories: Set(submission.allegations.lazy.compactMap(\.category)), accusedCount: submission.accused.count,
            isRealName: submission.isRealName)
    }
}

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

/// A unit as routing sees it.
public struct RoutingUnit: Sendable, Equatable {
    public let id: UnitID
    /// An id of the policy's unit kinds.
    public let kind: String
    /// Code of the place it is competent for; `nil`: any place.
    public let region: String?
    /// The levels it handles; empty: every level.
    public let levels: Set<String>
    public let active: Bool

    public init(id: UnitID, kind: String, region: String? = nil, levels: Set<String> = [], active: Bool = true) {
        self.id = id
        self.kind = kind
        self.region = region
        self.levels = levels
        self.active = active
    }
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
