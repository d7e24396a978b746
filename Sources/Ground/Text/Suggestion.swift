/// Suggestions for misspelt words. The only place where words are compared by their distance.
package enum Suggestion {
    /// `; did you mean "region"?`, or an empty text if no known word is near.
    package static func phrase(for word: String, among known: some Sequence<String>) -> String {
        let limit = max(1, min(3, word.count / 3))
        let nearest = known.map { (distance: distance(word, $0, limit: limit), word: $0) }
            .filter { $0.distance <= limit }
            .min { ($0.distance, $0.word) < ($1.distance, $1.word) }
        return nearest.map { "; did you mean \"\($0.word)\"?" } ?? ""
    }

    /// A bounded list of the known words: `; it knows a, b, c`.
    package static func known(_ words: [String]) -> String {
        if words.isEmpty { return "; it knows none" }
        let shown = words.prefix(wordsShownMax).map { String($0.prefix(wordLengthMax)) }.joined(separator: ", ")
        return "; it knows " + shown + (words.count > wordsShownMax ? " and \(words.count - wordsShownMax) more" : "")
    }

    private static let wordsShownMax = 40
    private static let wordLengthMax = 40

    /// The number of characters to insert, delete, change or swap with a neighbour, ignoring case. A distance beyond
    /// `limit` is `limit + 1`.
    static func distance(_ left: String, _ right: String, limit: Int) -> Int {
        let left = Array(left.prefix(64).lowercased().unicodeScalars.prefix(64))
        let right = Array(right.prefix(64).lowercased().unicodeScalars.prefix(64))
        guard abs(left.count - right.count) <= limit else { return limit + 1 }
        var (beforeLast, last) = ([Int](), Array(0...right.count))
        for (row, scalar) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let change = last[column] + (scalar == other ? 0 : 1)
                var cost = min(change, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, scalar == right[column - 1], left[row - 1] == other {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            (beforeLast, last) = (last, current)
        }
        return min(last[right.count], limit + 1)
    }
}
