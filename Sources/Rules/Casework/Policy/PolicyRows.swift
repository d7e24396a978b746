/// The fields of every row of a policy.
public protocol PolicyRow: Sendable {
    var id: String { get }
    var citation: String? { get }
}

/// A row for reports that pass to another unit sealed, neither opened nor entered.
public struct SealedRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let when: Condition
    public let unitKind: String
    public let handoffKind: String
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, when, citation
        case unitKind = "unit_kind"
        case handoffKind = "handoff_kind"
    }
}

/// Which reports belong to the office, and to which authority the others belong.
public struct Scope: Codable, Hashable, Sendable {
    public let rows: [ScopeRow]
    /// The authorities that words of the text propose. The highest score wins, then the earlier row.
    public let proposals: [ProposalRow]
    /// The weight of a word in the title; a word in the text has weight 1.
    public let titleWeight: Int
    /// Used when no row applies.
    public let otherwise: OtherwiseRow

    enum CodingKeys: String, CodingKey {
        case rows, proposals, otherwise
        case titleWeight = "title_weight"
    }
}

public struct ScopeRow: PolicyRow, Codable, Hashable, Sendable {
    public enum Decision: String, Codable, Hashable, Sendable, CaseIterable {
        case accept
        case notAccepted = "not_accepted"
        case needsReview = "needs_review"
    }

    public let id: String
    public let when: Condition
    public let decide: Decision
    /// With `accept`: the matter kind to enter; absent: the source's own.
    public let matterKind: String?
    /// With `not_accepted`: the authority that the matter belongs to; absent: that of the best proposal.
    public let authority: String?
    /// With `needs_review`: the reason, for the person who reviews.
    public let reason: String?
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, when, decide, authority, reason, citation
        case matterKind = "matter_kind"
    }
}

public struct ProposalRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let authority: String
    /// In the words of the petition offices' category list.
    public let category: String
    public let words: [String]
    public let citation: String?
}

public struct OtherwiseRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let reason: String
    public let citation: String?
}

/// The words that mark an organ of the office's own kind. If an accused works in one that is no unit of this office,
/// the report could be sent to that organ, so a person says where it may go.
public struct BarrierRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let organWords: [String]
    /// Words that contain one of those and have another meaning.
    public let ordinaryWords: [String]?
    public let reason: String
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, reason, citation
        case organWords = "organ_words"
        case ordinaryWords = "ordinary_words"
    }
}

/// Which reports count as a repeat of an earlier report.
public struct RepeatRow: PolicyRow, Codable, Hashable, Sendable {
    public enum Basis: String, Codable, Hashable, Sendable, CaseIterable {
        /// The same reporter and the same text.
        case reporter
        /// No reporter is known: the same accused and the same text.
        case accused
    }

    public let id: String
    public let same: Basis
    public let citation: String?
}

/// Which unit gets an accepted report.
public struct Routing: Codable, Hashable, Sendable {
    public let rows: [RoutingRow]
    /// Used when no row applies, or no row that applies has a permitted unit.
    public let otherwise: OtherwiseRow
}

public struct RoutingRow: PolicyRow, Codable, Hashable, Sendable {
    public struct Target: Codable, Hashable, Sendable {
        public enum Place: String, Codable, Hashable, Sendable, CaseIterable {
            /// The unit's place contains the report's.
            case covers
            /// The unit and the report have the same place.
            case same
        }

        public let unitKinds: [String]
        /// How the unit's place must relate to the report's; absent: any relation, with units that cover it first.
        public let place: Place?

        enum CodingKeys: String, CodingKey {
            case place
            case unitKinds = "unit_kinds"
        }
    }

    public let id: String
    public let when: Condition
    public let to: Target
    public let handoffKind: String
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, when, to, citation
        case handoffKind = "handoff_kind"
    }
}

/// A clock that runs for handoffs of some kinds.
public struct ClockRow: PolicyRow, Codable, Hashable, Sendable {
    /// Each kind is ended by its own event, in code (`Clock.stops(on:)`). Any end of the handoff stops every kind.
    public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
        /// Until the unit signs (签收).
        case sign
        /// Until the unit reports its disposition (处置意见) or concludes.
        case feedback
        /// Until the unit concludes (办结).
        case overdue
    }

    public let id: String
    public let kind: Kind
    public let handoffKinds: [String]
    public let starts: ClockStart
    public let within: Span
    public let steps: [LadderRow]
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, kind, starts, within, steps, citation
        case handoffKinds = "handoff_kinds"
    }
}

/// What each unit of some kinds, or the office, owes for each month or quarter (月汇总, 办结反馈每季度一次). Its clock
/// starts when the period is over, and ends when a person reports that it was done.
public struct DutyRow: PolicyRow, Codable, Hashable, Sendable {
    public enum Owner: String, Codable, Hashable, Sendable, CaseIterable {
        case unit, office
    }

    /// The length of a period.
    public enum Length: String, Codable, Hashable, Sendable, CaseIterable {
        case month, quarter
    }

    public let id: String
    public let name: String
    public let owedBy: Owner
    /// The kinds of unit that owe it; absent: all kinds.
    public let unitKinds: [String]?
    public let each: Length
    /// The time after the end of the period.
    public let within: Span
    public let steps: [LadderRow]
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, name, each, within, steps, citation
        case owedBy = "owed_by"
        case unitKinds = "unit_kinds"
    }
}

/// Acts of a person that a second person must approve (审批). The first row that fits asks for it.
public struct ApprovalRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let acts: [PersonAct]
    /// Fits if the handoff has one of these kinds; absent: any, and acts without a handoff.
    public let handoffKinds: [String]?
    /// The second person has one of these roles.
    public let roles: [PersonRole]
    /// From the request to the decision.
    public let within: Span
    public let steps: [LadderRow]
    public let citation: String?

    /// What the clock of an approval watches: see `Clock.Key.duty`.
    public static let clock = "approval"

    enum CodingKeys: String, CodingKey {
        case id, acts, roles, within, steps, citation
        case handoffKinds = "handoff_kinds"
    }
}

/// One step of a clock's ladder, or several at equal distance. Exactly one of the three places is stated.
public struct LadderRow: Codable, Hashable, Sendable {
    public let action: ClockPlan.Step.Action
    public let afterStart: Span?
    public let beforeDue: Span?
    public let afterDue: Span?
    public let every: Span?
    /// The total number of steps, with `every`.
    public let times: Int?

    enum CodingKeys: String, CodingKey {
        case action, every, times
        case afterStart = "after_start"
        case beforeDue = "before_due"
        case afterDue = "after_due"
    }
}

/// Whether a unit may return a handoff. The first row that fits decides.
public struct ReturnRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let reasons: [String]?
    public let handoffKinds: [String]?
    /// Fits if at most this many units have returned the report before.
    public let hopsMax: Int?
    /// Fits if the explanation has at least this many non-blank characters.
    public let textCharactersMin: Int?
    public let approve: Bool
    /// The text sent to the unit.
    public let message: String
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, reasons, approve, message, citation
        case handoffKinds = "handoff_kinds"
        case hopsMax = "hops_max"
        case textCharactersMin = "text_characters_min"
    }
}

/// Whether a conclusion is accepted. The first row that fits decides.
public struct ConclusionRow: PolicyRow, Codable, Hashable, Sendable {
    public let id: String
    public let outcomes: [String]?
    public let dispositionGiven: Bool?
    public let summaryGiven: Bool?
    public let realName: Bool?
    /// Fits if the real-name reporter has, or has not, been answered; unknown counts as not answered.
    public let realNameAnswered: Bool?
    /// Fits if the conclusion was returned at least this often before.
    public let timesReturnedMin: Int?
    public let accept: Bool
    public let message: String
    public let citation: String?

    enum CodingKeys: String, CodingKey {
        case id, outcomes, accept, message, citation
        case dispositionGiven = "disposition_given"
        case summaryGiven = "summary_given"
        case realName = "real_name"
        case realNameAnswered = "real_name_answered"
        case timesReturnedMin = "times_returned_min"
    }
}
