/// What went wrong between this process and PostgreSQL.
///
/// `description` may go into any log: it holds the code, the SQLSTATE, names of constraints, statement types and
/// migrations, and nothing that came out of a row. The server's own words (which quote row values) are in
/// `debugDescription` only.
public struct PostgreSQLError: Error, Sendable {
    /// The kind of failure. More may be added, so it is not an enumeration to switch over.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String { case connectFailed, connectionLost, server, decoding, invalidArgument, unexpectedResult }
        private let kind: Kind

        /// No connection came about (refused, timed out, rejected).
        public static let connectFailed = Code(kind: .connectFailed)
        /// The connection is gone; whether the last transaction was committed is unknown.
        public static let connectionLost = Code(kind: .connectionLost)
        /// The server refused a statement; `sqlState` says why.
        public static let server = Code(kind: .server)
        /// A row does not have the shape that the statement's `decode` expects.
        public static let decoding = Code(kind: .decoding)
        /// The caller passed something that cannot be sent; nothing was sent.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// The server answered in a way that the call does not provide for.
        public static let unexpectedResult = Code(kind: .unexpectedResult)

        public var description: String { kind.rawValue }
    }

    public var code: Code
    /// The five characters of the SQLSTATE, if the server sent one.
    public var sqlState: String?
    public var constraintName: String?
    public var tableName: String?
    /// The statement's type or the migration's name.
    public var operation: String?

    /// Our own words, free of data.
    var reason: String?
    /// The server's words, which may quote data.
    var primaryMessage: String?
    var detail: String?
    var hint: String?
    /// Whether the server ended the session with it.
    var isFatal = false
    let file: String
    let line: Int

    init(_ code: Code, _ reason: String? = nil, operation: String? = nil, file: String = #fileID, line: Int = #line) {
        self.code = code
        self.reason = reason
        self.operation = operation
        self.file = file
        self.line = line
    }

    /// Whether the same transaction, tried again later or on a new connection, may succeed: SQLSTATE classes
    /// 08, 40, 53, 55, 57, 58, the code 25P03, and any connection that was lost or did not come about.
    public var isTransient: Bool {
        if code == .connectionLost || code == .connectFailed { return true }
        guard let sqlState else { return false }
        return sqlState == "25P03" || Self.transientClasses.contains(String(sqlState.prefix(2)))
    }

    /// Whether the connection is of no more use.
    public var isConnectionLost: Bool { code == .connectionLost }

    private static let transientClasses: Set<String> = ["08", "40", "53", "55", "57", "58"]
}

extension PostgreSQLError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        var parts = [code.description]
        if let sqlState { parts.append("SQLSTATE \(sqlState)") }
        if let constraintName { parts.append("constraint \(constraintName)") }
        if let operation { parts.append("in \(operation)") }
        if let reason { parts.append(reason) }
        return "PostgreSQL: " + parts.joined(separator: ", ")
    }

    public var debugDescription: String {
        var lines = [description]
        if let tableName { lines.append("table: \(tableName)") }
        if let primaryMessage { lines.append("message: \(primaryMessage)") }
        if let detail { lines.append("detail: \(detail)") }
        if let hint { lines.append("hint: \(hint)") }
        lines.append("at \(file):\(line)")
        return lines.joined(separator: "\n")
    }
}
