/// The conditions of a row as sets, so that rows can be compared: whether an earlier row takes every report of a
/// later one.
struct RowConditions {
    enum Ask {
        case oneOf(Set<String>)
        case beginsWith(Set<String>)
        case atMost(Int)
        case atLeast(Int)
        /// `wide`: found at any distance between its characters, see `WordMatcher.Reach`.
        case anyWord(WordSet, wide: Bool)
        case noWord(WordSet, wide: Bool)

        /// Whether everything that meets this condition also meets the other.
        func isWithin(_ other: Ask) -> Bool {
            switch (self, other) {
            case (.oneOf(let own), .oneOf(let others)): own.isSubset(of: others)
            case (.beginsWith(let own), .beginsWith(let others)):
                own.count * others.count <= RowConditions.comparisonsMax
                    && own.allSatisfy { place in others.contains { place.hasPrefix($0) } }
            case (.atMost(let own), .atMost(let others)): own <= others
            case (.atLeast(let own), .atLeast(let others)): own >= others
            case (.anyWord(let own, let isWide), .anyWord(let others, let reachesWide)):
                (reachesWide || !isWide) && own.isSubset(of: others)
            case (.noWord(let own, let isWide), .noWord(let others, let reachesWide)):
                (isWide || !reachesWide) && others.isSubset(of: own)
            default: false
            }
        }
    }

    let id: String
    let path: String
    /// By the name of the fact; a fact that is absent is ignored.
    private(set) var asks: [String: Ask] = [:]

    private static let comparisonsMax = 100_000
    /// With more rows than this, only single rows are compared.
    private static let partedRowsMax = 500
    private static let flags =
        Fact.flags + ["proposal", "disposition_given", "summary_given", "real_name_answered"]

    init(_ row: some PolicyRow, _ path: String) {
        id = row.id
        self.path = path
    }

    subscript(fact: String) -> Ask? {
        get { asks[fact] }
        set { asks[fact] = newValue }
    }

    mutating func ask(_ fact: String, oneOf words: [String]?) { if let words { asks[fact] = .oneOf(Set(words)) } }
    mutating func ask(_ fact: String, _ flag: Bool?) { if let flag { asks[fact] = .oneOf(["\(flag)"]) } }

    /// Adds every condition except words of the text.
    mutating func ask(_ when: Condition) {
        for wish in when.wishes {
            switch (wish.fact.answer, wish.wanted) {
            case (.prefixes, .words(let prefixes)): asks[wish.fact.name] = .beginsWith(Set(prefixes))
            case (_, .words(let words)): ask(wish.fact.name, oneOf: words)
            case (_, .flag(let flag)): ask(wish.fact.name, flag)
            }
        }
        ask("proposal", when.proposal)
    }

    /// The ids of earlier rows that together take every report of this row; `nil` if there are none.
    func takers(among earlier: [RowConditions]) -> [String]? {
        func taker(of row: RowConditions) -> String? {
            earlier.first { $0.asks.allSatisfy { fact, ask in row.asks[fact]?.isWithin(ask) ?? false } }?.id
        }
        if let one = taker(of: self) { return [one] }
        guard !asks.isEmpty, earlier.count <= Self.partedRowsMax else { return nil }
        // The row is split by one fact: each part may have its own taker.
        for (fact, words) in facets {
            var takers: [String] = []
            for word in words {
                var part = self
                part.asks[fact] = .oneOf([word])
                guard let found = taker(of: part) else { break }
                takers.append(found)
            }
            if takers.count == words.count { return Array(Set(takers)).sorted() }
        }
        return nil
    }

    /// The facts by which a row can be split, each with the values that this row accepts.
    private var facets: [(fact: String, words: [String])] {
        let lists = asks.compactMap { fact, ask -> (String, [String])? in
            guard case .oneOf(let words) = ask, words.count > 1 else { return nil }
            return (fact, words.sorted())
        }
        return lists.sorted { $0.0 < $1.0 } + Self.flags.filter { asks[$0] == nil }.map { ($0, ["false", "true"]) }
    }

    /// Why nothing can meet all conditions at once; `nil` if something can.
    var contradiction: String? {
        func asks(_ fact: String, for values: Set<String>) -> Bool {
            if case .oneOf(let words) = self.asks[fact] { words == values } else { false }
        }
        if asks("matter_kind", for: []) { return "none of its matter kinds is accepted" }
        if asks("proposal", for: []) {
            return "it goes by the authority that the text proposes, and asks for no proposal"
        }
        if asks("accused_named", for: ["false"]), self.asks["level"] != nil {
            return "where nobody is accused there is no level"
        }
        if asks("allegation_categorised", for: ["false"]), self.asks["category"] != nil {
            return "it asks for a category and for none"
        }
        if case .anyWord(let any, _) = self.asks["any_of"], case .noWord(let none, _) = self.asks["none_of"],
            any.isSubset(of: none)
        {
            return "each word of any_of stands in none_of too"
        }
        return nil
    }
}

/// A set of words of a policy, by number.
struct WordSet {
    private var bits: [UInt64] = []

    mutating func insert(_ number: Int) {
        while bits.count <= number / 64 { bits.append(0) }
        bits[number / 64] |= 1 << UInt64(number % 64)
    }

    mutating func formUnion(_ other: WordSet) {
        while bits.count < other.bits.count { bits.append(0) }
        for index in other.bits.indices { bits[index] |= other.bits[index] }
    }

    func isSubset(of other: WordSet) -> Bool {
        bits.indices.allSatisfy { bits[$0] & ~($0 < other.bits.count ? other.bits[$0] : 0) == 0 }
    }

    /// The lowest number that is in both sets.
    func first(in other: WordSet) -> Int? {
        zip(bits, other.bits).enumerated().first { $0.element.0 & $0.element.1 != 0 }.map { index, pair in
            index * 64 + (pair.0 & pair.1).trailingZeroBitCount
        }
    }
}

/// Numbers the words of a policy in the form in which they are compared.
struct WordNumbers {
    private(set) var words: [String] = []
    private var numbers: [[UInt32]: Int] = [:]
    private var lists: [String: WordSet] = [:]

    init(lists: [String: [String]]) {
        for (name, words) in lists { self.lists[name] = set(of: words) }
    }

    /// - Parameter entries: words, and lists as `$name`.
    mutating func set(of entries: [String]) -> WordSet {
        entries.reduce(into: WordSet()) { set, entry in
            if entry.hasPrefix("$") { return set.formUnion(lists[String(entry.dropFirst())] ?? WordSet()) }
            let folded = WordMatcher.folded(entry)
            let number = numbers[folded] ?? words.count
            if number == words.count {
                words.append(entry)
                numbers[folded] = number
            }
            set.insert(number)
        }
    }
}
