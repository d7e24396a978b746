/// What went wrong between this process and PostgreSQL.
///
/// `description`, `debugDescription` and a dump may go into any log: they hold the code, the SQLSTATE, names of tables,
/// columns, constraints, statement types and migrations, and nothing that came out of a row or out of the URL. The
/// server's own words, which quote row values, are in `debugDetail` only.
public struct PostgreSQLError: Error, Sendable {
    /// The kind of failure. More may be added, so it is not an enumeration to switch over.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case connectFailed, connectionLost, server, decoding, invalidArgument, unexpectedResult, aborted, unsuitable
        }
        private let kind: Kind

        /// No connection came about (refused, timed out, rejected).
        public static let connectFailed = Code(kind: .connectFailed)
        /// The connection is gone; whether the last transaction was committed is unknown.
        public static let connectionLost = Code(kind: .connectionLost)
        /// The server refused a statement; `sqlState` says why.
        public static let server = Code(kind: .server)
        /// A row does not have the shape that the statement's `decode` expects.
        public static let decoding = Code(kind: .decoding)
        /// The caller passed something that cannot be sent, or called at the wrong moment; nothing was sent.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// The server answered in a way that the call does not provide for.
        public static let unexpectedResult = Code(kind: .unexpectedResult)
        /// The statement was not run, because one before it in the pipeline failed.
        public static let aborted = Code(kind: .aborted)

        /// A session came about, but may not be used; the error's own words say why and what to do.
        public static let unsuitable = Code(kind: .unsuitable)

        public var description: String { kind.rawValue }
    }

    public var code: Code
    /// The five characters of the SQLSTATE, if the server sent one.
    public var sqlState: String?
    public var constraintName: String?
    public var tableName: String?
    /// Named by the server for NULLs where none may be.
    public var columnName: String?
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

    /// Whether the server stopped the statement: on the request of a `Canceller` or an administrator, or because it
    /// took longer than `statement_timeout`. PostgreSQL has one SQLSTATE, 57014, for all of them.
    public var isCancelled: Bool { sqlState == Self.cancelledState }

    /// Our own words on what happened, free of data; nil where the codes say it all.
    public var explanation: String? { reason }

    /// What the server (or libpq, or OpenSSL) said in full. It may quote rows, hosts and users, so it belongs on a
    /// developer's screen and into no log.
    public var debugDetail: String? {
        let parts = [("message", primaryMessage), ("detail", detail), ("hint", hint)]
        let lines = parts.compactMap { name, text in text.map { "\(name): \($0)" } }
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    static let cancelledState = "57014"
    private static let transientClasses: Set<String> = ["08", "40", "53", "55", "57", "58"]
}

extension PostgreSQLError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        var parts = [code.description]
        if let sqlState { parts.append("SQLSTATE \(sqlState)") }
        if let constraintName { parts.append("constraint \(constraintName)") }
        if let columnName { parts.append("column \(columnName)") }
        if let operation { parts.append("in \(operation)") }
        if let reason { parts.append(reason) } else if isCancelled { parts.append("the statement was cancelled") }
        return "PostgreSQL: " + parts.joined(separator: ", ")
    }

    /// The same with the table and the place in this library.
    public var debugDescription: String {
        description + (tableName.map { ", table \($0)" } ?? "") + " [\(file):\(line)]"
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": debugDescription]) }
}
