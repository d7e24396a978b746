/// The row of a policy that made a decision (invariant 9): what is written beside every decision in the ledger.
public struct RuleReference: Codable, Hashable, Sendable, CustomStringConvertible {
    /// Name of the policy, such as `cn-discipline`.
    public let policy: String
    public let version: Int
    /// Id of the row, such as `scope-breach`; unique within the policy.
    public let row: String
    /// Where the row comes from, in words, with how far that may be trusted.
    public let citation: String?

    public init(policy: String, version: Int, row: String, citation: String? = nil) {
        self.policy = policy
        self.version = version
        self.row = row
        self.citation = citation
    }

    /// `cn-discipline@1/scope-breach`
    public var description: String { "\(policy)@\(version)/\(row)" }
}

/// One thing wrong in a policy, and where.
public struct PolicyProblem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// Keys and indices from the top, such as `routing.rows[3].to.unit_kinds[0]`.
    public let path: String
    public let message: String
    /// Line of the file, counted from 1, where it is known.
    public let line: Int?

    public init(path: String, message: String, line: Int? = nil) {
        self.path = path
        self.message = message
        self.line = line
    }

    public var description: String {
        let place = line.map { "line \($0), " } ?? ""
        return "\(place)\(path.isEmpty ? "(top)" : path): \(message)"
    }
}

/// A policy that may not be used; it carries all its problems at once, so that one correction round is enough.
public struct PolicyError: Error, Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String { case unreadable, invalid }
        private let base: Base
        /// The file is no YAML that this reader takes.
        public static let unreadable = Code(base: .unreadable)
        /// The file was read, and its content breaks the rules for policies.
        public static let invalid = Code(base: .invalid)
        public var description: String { base.rawValue }
    }

    public let code: Code
    /// Name of the file or of the policy.
    public let name: String
    public let problems: [PolicyProblem]
    public let file: String
    public let line: Int

    public init(_ code: Code, name: String, problems: [PolicyProblem], file: String = #fileID, line: Int = #line) {
        self.code = code
        self.name = name
        self.problems = problems
        self.file = file
        self.line = line
    }

    public var description: String {
        "the policy cannot be used (\(code)): \(problems.count) problem\(problems.count == 1 ? "" : "s")"
    }

    public var debugDescription: String {
        "\(description) in \(name), thrown at \(file):\(line)\n" + problems.map { "  \($0)" }.joined(separator: "\n")
    }
}

/// Proposes the word that was probably meant.
public enum Suggestion {
    /// `; did you mean "region"?`, or nothing where no known word is near.
    public static func phrase(for word: String, among known: some Sequence<String>) -> String {
        let limit = max(1, min(3, word.count / 3))
        let nearest = known.map { (distance: distance(word, $0, limit: limit), word: $0) }
            .filter { $0.distance <= limit }
            .min { ($0.distance, $0.word) < ($1.distance, $1.word) }
        return nearest.map { "; did you mean \"\($0.word)\"?" } ?? ""
    }

    /// The words themselves, bounded: `; it knows a, b, c`.
    public static func known(_ words: [String]) -> String {
        if words.isEmpty { return "; it knows none" }
        let shown = words.prefix(wordsShownMax).map { String($0.prefix(wordLengthMax)) }.joined(separator: ", ")
        return "; it knows " + shown + (words.count > wordsShownMax ? " and \(words.count - wordsShownMax) more" : "")
    }

    private static let wordsShownMax = 40
    private static let wordLengthMax = 40

    /// Levenshtein distance; anything beyond `limit` is `limit + 1`.
    static func distance(_ left: String, _ right: String, limit: Int) -> Int {
        let left = Array(left.unicodeScalars.prefix(64))
        let right = Array(right.unicodeScalars.prefix(64))
        guard abs(left.count - right.count) <= limit else { return limit + 1 }
        var previous = Array(0...right.count)
        for (row, scalar) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let change = previous[column] + (scalar == other ? 0 : 1)
                current.append(min(change, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return min(previous[right.count], limit + 1)
    }
}
