import Text

/// Finds several hundred words in a text in one pass, in every spelling of their characters (see `FoldedText`).
///
/// Each word belongs to groups; a scan counts the different words of each group that it found.
struct WordMatcher: Sendable {
    /// The most bytes that all words together may have.
    static let wordBytesMax = 60_000

    /// How far apart the characters of a word may be in the text.
    enum Reach: Hashable, Sendable {
        /// Any punctuation or symbol may be between them (受*贿, 受·贿, 受，贿): for words that lead away from an automatic
        /// refusal. A false match costs a review; a missed match costs the report.
        case wide
        /// Only ASCII white space and invisible characters: for words that lead towards a refusal.
        case near
    }

    let groupCount: Int
    private let finder: TextFinder
    private let reaches: [Reach]
    /// The groups of each word.
    private let groups: [[Int]]

    /// - Parameter groups: the words of each group, in total at most `wordBytesMax` bytes; empty words are ignored.
    init(groups wordGroups: [(words: [String], reach: Reach)]) {
        var groupsOfWord: [[UInt32]: Set<Int>] = [:]
        for (group, entry) in wordGroups.enumerated() {
            for word in entry.words { groupsOfWord[WordMatcher.folded(word), default: []].insert(group) }
        }
        groupsOfWord[[]] = nil
        let words = groupsOfWord.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        finder = TextFinder(words.map(\.key))
        groups = words.map { $0.value.sorted() }
        reaches = wordGroups.map(\.reach)
        groupCount = wordGroups.count
    }

    /// Adds `weight` to the score of each group for each different word of the group that occurs in the text.
    func scan(_ text: String, weight: Int32, into scores: inout [Int32]) {
        guard !finder.isEmpty, !text.isEmpty else { return }
        let folded = FoldedText(text, for: .words)
        /// 0: not found; 1: found with wide reach only; 2: found with both.
        var seen = [UInt8](repeating: 0, count: groups.count)
        finder.scan(folded) { word, range in
            guard seen[word] < 2 else { return true }
            let isNear = folded.gap(within: range) <= .blank
            if !isNear, seen[word] == 1 { return true }
            for group in groups[word] where reaches[group] == .wide ? seen[word] == 0 : isNear {
                scores[group] += weight
            }
            seen[word] = isNear ? 2 : 1
            return true
        }
    }

    /// The characters that are compared.
    static func folded(_ word: String) -> [UInt32] { FoldedText(word, for: .words).scalars }
}
