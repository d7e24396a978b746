/// The row of a policy that made a decision (invariant 9). It is stored with every decision in the ledger.
public struct RuleReference: Codable, Hashable, Sendable, CustomStringConvertible {
    /// Name of the policy, such as `cn-discipline`.
    public let policy: String
    public let version: Int
    /// Id of the row, such as `scope-breach`; unique within the policy.
    public let row: String
    /// The source of the row, in words, and how far it may be trusted.
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

/// One problem of a policy that must be corrected or reviewed, with its place.
public struct PolicyProblem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// Keys and indices from the top, such as `routing.rows[3].to.unit_kinds[0]`.
    public let path: String
    public let message: String
    /// Line of the file, counted from 1, if known.
    public let line: Int?
    /// Whether it only asks for a review. All other problems are faults: a policy with a fault cannot be used.
    public let isWarning: Bool

    public init(path: String, message: String, line: Int? = nil, isWarning: Bool = false) {
        self.path = path
        self.message = message
        self.line = line
        self.isWarning = isWarning
    }

    /// Bounded for any file content: the writer of the file chooses names of word lists and ids.
    public var description: String {
        let place = [line.map { "line \($0)" }, path.isEmpty ? nil : String(path.prefix(100))].compactMap(\.self)
            .joined(separator: ", ")
        return (isWarning ? "warning: " : "") + (place.isEmpty ? "" : place + ": ") + message.prefix(400)
    }
}

/// A policy cannot be used. The error has all problems at once, so that one round of correction is enough.
public struct PolicyError: Error, Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String { case unreadable, invalid }
        private let base: Base
        /// The file is not YAML that this reader accepts.
        public static let unreadable = Code(base: .unreadable)
        /// The file was read, but its content violates the rules for policies.
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
