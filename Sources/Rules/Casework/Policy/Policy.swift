public import Basics

/// The rules of one office as data: an official reads and changes them, and the engine makes a `Rulebook` of them.
///
/// Rows are evaluated in the order written. Every row has an `id` that is unique in the policy and may have a
/// `citation` of its source. Both are stored with each decision (`RuleReference`).
public struct Policy: Codable, Hashable, Sendable {
    /// `[a-z0-9-]{1,40}`; `name` and `version` identify the policy permanently.
    public let name: String
    public let version: Int
    public let title: String
    public let vocabulary: Vocabulary
    /// Lists of words that rows refer to as `$name`.
    public let wordLists: [String: [String]]?
    /// The words that sources write when a reporter gave no name or contact (匿名, 不详). Such a field counts as empty.
    public let placeholders: [String]?
    /// Case office (案管): the unit that reports 立案.
    public let caseOffice: UnitID?
    /// Words by which the barrier recognises organs; without it, only the names of units count.
    public let barrier: BarrierRow?
    public let sealed: [SealedRow]
    public let scope: Scope
    public let repeats: [RepeatRow]
    public let routing: Routing
    public let clocks: [ClockRow]
    /// What units and the office owe by the calendar; without it, nothing.
    public let duties: [DutyRow]?
    /// The office's zone, such as `Asia/Shanghai`: months and quarters begin by it. Required if there are duties.
    public let timeZone: String?
    /// Which acts of a person need a second one; without it, none.
    public let approvals: [ApprovalRow]?
    public let returns: [ReturnRow]
    public let conclusions: [ConclusionRow]

    enum CodingKeys: String, CodingKey {
        case name, version, title, vocabulary
        case wordLists = "word_lists"
        case caseOffice = "case_office"
        case timeZone = "time_zone"
        case placeholders, barrier, sealed, scope, repeats, routing, clocks, duties, approvals, returns, conclusions
    }
}

extension Policy {
    /// Its version as rules and the ledger write it: `cn-discipline@2`.
    public var versionName: String { "\(name)@\(version)" }

    /// The words by which the barrier recognises organs of the office's own kind.
    public var ownKind: OwnKind? { barrier.map { OwnKind(words: $0.organWords, except: $0.ordinaryWords ?? []) } }
}

/// The words of one country's or office's system: ids for machines, names for people.
public struct Vocabulary: Codable, Hashable, Sendable {
    /// The levels at which persons are managed, the lowest rank first.
    public let levels: [Term]
    public let matterKinds: [MatterKind]
    /// Categories of allegation.
    public let categories: [Term]
    public let sourceKinds: [Term]
    public let unitKinds: [Term]
    public let handoffKinds: [HandoffKind]
    public let dispositions: [Disposition]
    public let returnReasons: [Term]
    public let conclusionOutcomes: [Term]
    /// Other authorities that a matter may belong to.
    public let authorities: [Term]

    enum CodingKeys: String, CodingKey {
        case levels, categories, dispositions, authorities
        case matterKinds = "matter_kinds"
        case sourceKinds = "source_kinds"
        case unitKinds = "unit_kinds"
        case handoffKinds = "handoff_kinds"
        case returnReasons = "return_reasons"
        case conclusionOutcomes = "conclusion_outcomes"
    }
}

/// A word of the vocabulary with its id.
public protocol VocabularyEntry: Sendable {
    var id: String { get }
    var name: String { get }
}

public struct Term: VocabularyEntry, Codable, Hashable, Sendable {
    public let id: String
    public let name: String
}

public struct MatterKind: VocabularyEntry, Codable, Hashable, Sendable {
    public let id: String
    public let name: String
    /// Whether it counts as an accusation (检举控告) in the share that the office watches.
    public let countsAsAccusation: Bool
    /// Whether it is within the office's scope.
    public let accepted: Bool

    enum CodingKeys: String, CodingKey {
        case id, name, accepted
        case countsAsAccusation = "counts_as_accusation"
    }
}

public struct HandoffKind: VocabularyEntry, Codable, Hashable, Sendable {
    public let id: String
    public let name: String
    /// Whether the unit owes a result for each item.
    public let resultOwed: Bool
    /// Whether a person must approve the handoff before it is sent.
    public let needsApproval: Bool
    /// Whether it is sent through the express queue.
    public let express: Bool
    /// Why no clock runs after the signature; required if none runs (invariant 8).
    public let noClockReason: String?

    enum CodingKeys: String, CodingKey {
        case id, name, express
        case resultOwed = "result_owed"
        case needsApproval = "needs_approval"
        case noClockReason = "no_clock_reason"
    }
}

public struct Disposition: VocabularyEntry, Codable, Hashable, Sendable {
    public let id: String
    public let name: String
    /// Whether nothing more follows.
    public let terminal: Bool
    /// The time after which a matter that is kept for later must be looked at again.
    public let lookAgainAfter: Span?

    enum CodingKeys: String, CodingKey {
        case id, name, terminal
        case lookAgainAfter = "look_again_after"
    }
}

/// A length of time written `2 day` or `36 hour`.
///
/// The unit is kept as written until `Policy.validate()`, so that a unit that needs a calendar is refused by its name
/// and not as a spelling error.
public struct Span: Codable, Hashable, Sendable, CustomStringConvertible {
    public let length: Int
    public let unit: String

    public init(_ length: Int, unit: String) {
        self.length = length
        self.unit = unit
    }

    /// `nil` unless the text is a number, spaces and a word.
    public init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2, parts[0].utf8.count <= 6, let length = Int(parts[0]) else { return nil }
        self.init(length, unit: String(parts[1]))
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let span = Span(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Span.shape)
        }
        self = span
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static let shape = "a length of time is a number and a unit, such as \"2 day\" or \"36 hour\""

    public var description: String { "\(length) \(unit)" }

    /// Length in seconds, with days of 24 hours; `nil` for a unit that this version cannot count in.
    public var seconds: Int64? {
        switch unit {
        case "day", "days": Int64(length) * 86_400
        case "hour", "hours": Int64(length) * 3_600
        default: nil
        }
    }
}
