/// A condition about a report that a row's `when` may contain. To add one: store its value in `ReportFacts`, add an
/// entry here, and add a line to `docs/policy.md`.
public struct Fact: Sendable {
    /// Its key under `when`.
    public let name: String
    public let answer: Answer

    public enum Answer: Sendable {
        /// The row gives a list; each word is an entry of this vocabulary.
        case words(Known, holds: @Sendable (_ words: [String], ReportFacts) -> Bool)
        /// The row gives a list of code prefixes.
        case prefixes(holds: @Sendable (_ prefixes: [String], ReportFacts) -> Bool)
        /// The row says whether the condition must hold or must not hold.
        case flag(@Sendable (ReportFacts, Rulebook) -> Bool)
    }

    /// A list of the vocabulary, and the noun for one of its entries.
    public struct Known: Sendable {
        let noun: String
        let ids: @Sendable (Vocabulary) -> [String]

        init(_ noun: String, _ ids: @escaping @Sendable (Vocabulary) -> [String]) {
            self.noun = noun
            self.ids = ids
        }
    }

    init(_ name: String, _ answer: Answer) {
        self.name = name
        self.answer = answer
    }

    public static let all: [Fact] = [
        Fact(
            "source_kind",
            .words(Known("source kind") { $0.sourceKinds.map(\.id) }) { $0.contains($1.sourceKind) }),
        Fact(
            "matter_kind",
            .words(Known("matter kind") { $0.matterKinds.map(\.id) }) { words, facts in
                facts.matterKind.map(words.contains) ?? false
            }),
        // Any accused is managed at one of these levels.
        Fact(
            "level",
            .words(Known("level") { $0.levels.map(\.id) }) { words, facts in
                words.contains { facts.levels.contains($0) }
            }),
        // Any allegation has one of these categories.
        Fact(
            "category",
            .words(Known("category") { $0.categories.map(\.id) }) { words, facts in
                words.contains { facts.categories.contains($0) }
            }),
        // The place of the report or of an accused.
        Fact(
            "region",
            .prefixes { prefixes, facts in
                facts.accusedRegions.union(facts.region.map { [$0] } ?? []).contains { place in
                    prefixes.contains { place.hasPrefix($0) }
                }
            }),
        Fact("accused_named", .flag { facts, _ in facts.accusedCount > 0 }),
        // At least one allegation has a category that the policy has.
        Fact(
            "allegation_categorised",
            .flag { facts, rulebook in facts.categories.contains { rulebook.categories[$0] != nil } }),
        Fact("real_name", .flag { facts, _ in facts.isRealName }),
    ]

    private static let places = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.name, $0) })

    static func place(of name: String) -> Int? { places[name] }

    static let flags = all.filter { if case .flag = $0.answer { true } else { false } }.map(\.name)
}

/// When a row applies: every stated condition must hold; a condition that is absent is ignored.
public struct Condition: Codable, Hashable, Sendable {
    /// The value that a row requires for the fact at this index of `Fact.all`.
    struct Wish: Hashable, Sendable {
        let place: Int
        let wanted: Wanted

        enum Wanted: Hashable, Sendable {
            case words([String])
            case flag(Bool)
        }

        var fact: Fact { Fact.all[place] }
    }

    /// In the order of `Fact.all`.
    let wishes: [Wish]
    /// Holds if any of these words, or a word of a list named `$list`, occurs in the title or the text.
    public let anyOf: [String]?
    /// Holds if none of them occurs.
    public let noneOf: [String]?
    /// Whether the words of the text propose an authority.
    public let proposal: Bool?

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }

        static let anyOf = Key(stringValue: "any_of")
        static let noneOf = Key(stringValue: "none_of")
        static let proposal = Key(stringValue: "proposal")
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        wishes = try Fact.all.enumerated().compactMap { place, fact in
            let key = Key(stringValue: fact.name)
            switch fact.answer {
            case .words, .prefixes:
                return try container.decodeIfPresent([String].self, forKey: key).map {
                    Wish(place: place, wanted: .words($0))
                }
            case .flag:
                return try container.decodeIfPresent(Bool.self, forKey: key).map {
                    Wish(place: place, wanted: .flag($0))
                }
            }
        }
        anyOf = try container.decodeIfPresent([String].self, forKey: .anyOf)
        noneOf = try container.decodeIfPresent([String].self, forKey: .noneOf)
        proposal = try container.decodeIfPresent(Bool.self, forKey: .proposal)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for wish in wishes {
            let key = Key(stringValue: wish.fact.name)
            switch wish.wanted {
            case .words(let words): try container.encode(words, forKey: key)
            case .flag(let flag): try container.encode(flag, forKey: key)
            }
        }
        try container.encodeIfPresent(anyOf, forKey: .anyOf)
        try container.encodeIfPresent(noneOf, forKey: .noneOf)
        try container.encodeIfPresent(proposal, forKey: .proposal)
    }

    /// Whether the condition depends on the title or text.
    public var readsText: Bool { anyOf != nil || noneOf != nil || proposal != nil }

    /// The list given for a fact; `nil` if the row has no such condition.
    func words(of fact: String) -> [String]? { Fact.place(of: fact).flatMap(words(at:)) }

    /// The same, by the place of the fact in `Fact.all`.
    func words(at place: Int) -> [String]? {
        for wish in wishes where wish.place == place {
            if case .words(let words) = wish.wanted { return words }
        }
        return nil
    }

    func asksOnly(_ fact: String) -> Bool { !readsText && wishes.map(\.fact.name) == [fact] }
}
