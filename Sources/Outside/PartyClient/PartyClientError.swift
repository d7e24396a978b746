/// An error of a party's client: with the broker, with a journal or with a password.
///
/// `description` may be logged anywhere; `debugDescription` adds the full cause.
public struct PartyClientError: Error, Sendable {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String { case journalUnwritable, journalUnreadable, brokerRefused, brokerAway, noPassword }
        private let kind: Kind

        /// A journal file cannot be opened or written.
        public static let journalUnwritable = Code(kind: .journalUnwritable)
        /// A journal file cannot be read.
        public static let journalUnreadable = Code(kind: .journalUnreadable)
        /// The broker refuses this user the operation; another attempt would not help.
        public static let brokerRefused = Code(kind: .brokerRefused)
        /// No broker answered before the time limit.
        public static let brokerAway = Code(kind: .brokerAway)
        /// A party has no password.
        public static let noPassword = Code(kind: .noPassword)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// A text of this program, free of content and passwords.
    public let reason: String
    public let cause: (any Error)?
    public let file: String
    public let line: Int

    package init(_ code: Code, _ reason: String, cause: (any Error)? = nil, file: String = #fileID, line: Int = #line) {
        self.code = code
        self.reason = reason
        self.cause = cause
        self.file = file
        self.line = line
    }
}

extension PartyClientError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { cause.map { "\(reason) (\($0))" } ?? reason }

    public var debugDescription: String {
        let cause = cause.map { "; cause: \(String(reflecting: $0))" } ?? ""
        return "\(code): \(reason)\(cause) [\(file):\(line)]"
    }
}
