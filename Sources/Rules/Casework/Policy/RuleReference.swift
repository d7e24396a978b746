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

/// One thing in a policy that must be mended or looked at, and where.
public struct PolicyProblem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// Keys and indices from the top, such as `routing.rows[3].to.unit_kinds[0]`.
    public let path: String
    public let message: String
    /// Line of the file, counted from 1, where it is known.
    public let line: Int?
    /// Asks for a look; all others are faults, which keep a policy from being used.
    public let isWarning: Bool

    public init(path: String, message: String, line: Int? = nil, isWarning: Bool = false) {
        self.path = path
        self.message = message
        self.line = line
        self.isWarning = isWarning
    }

    /// Bounded, whatever the file holds: names of word lists and ids are its writer's.
    public var description: String {
        let place = [line.map { "line \($0)" }, path.isEmpty ? nil : String(path.prefix(100))].compactMap(\.self)
            .joined(separator: ", ")
        return (isWarning ? "warning: " : "") + (place.isEmpty ? "" : place + ": ") + message.prefix(400)
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
