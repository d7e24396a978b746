import Text

/// Finds several hundred words in a text in one pass, however their characters are written (see `FoldedText`).
///
/// Each word belongs to groups; a scan tells how many different words of each group it found.
struct WordMatcher: Sendable {
    /// The words together may have this many bytes.
    static let wordBytesMax = 60_000

    /// How far apart the characters of a word may stand in the text.
    enum Reach: Hashable, Sendable {
        /// Also beside any punctuation or symbol (受*贿, 受·贿, 受，贿): for words whose finding leads away from an automatic
        /// refusal. One found too much costs a look; one missed costs the report.
        case wide
        /// White space of ASCII and what is invisible: for words whose finding leads towards a refusal.
        case near
    }

    let groupCount: Int
    private let finder: TextFinder
    private let reaches: [Reach]
    /// The groups of each word.
    private let groups: [[Int]]

    /// - Parameter groups: the words of each group, in total at most `wordBytesMax` bytes; empty words are left out.
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

    /// Adds `weight` to the score of each group for each different word of it that stands in the text.
    func scan(_ text: String, weight: Int32, into scores: inout [Int32]) {
        guard !finder.isEmpty, !text.isEmpty else { return }
        let folded = FoldedText(text, for: .words)
        /// 0: not found; 1: by those of wide reach; 2: by all.
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
