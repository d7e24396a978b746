/// An error between this process and PostgreSQL.
///
/// `description`, `debugDescription` and a dump are safe in any log: they contain the code, the SQLSTATE and the
/// names of tables, columns, constraints, statement types and migrations, but nothing from a row or from the URL. The
/// server's own message, which may quote row values, is in `debugDetail` only.
public struct PostgreSQLError: Error, Sendable {
    /// The kind of failure. Not an enumeration, because more kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case connectFailed, connectionLost, server, decoding, invalidArgument, unexpectedResult, aborted, unsuitable
        }
        private let kind: Kind

        /// No connection was made (refused, timed out, rejected).
        public static let connectFailed = Code(kind: .connectFailed)
        /// The connection is lost; whether the last transaction was committed is unknown.
        public static let connectionLost = Code(kind: .connectionLost)
        /// The server refused a statement; `sqlState` is the reason.
        public static let server = Code(kind: .server)
        /// A row does not have the shape that the statement's `decode` expects.
        public static let decoding = Code(kind: .decoding)
        /// The caller passed a value that cannot be sent, or called at the wrong moment; nothing was sent.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// The server's answer is not one that the call expects.
        public static let unexpectedResult = Code(kind: .unexpectedResult)
        /// The statement was not run, because one before it in the pipeline failed.
        public static let aborted = Code(kind: .aborted)

        /// A session was made, but must not be used; `explanation` gives the reason and the remedy.
        public static let unsuitable = Code(kind: .unsuitable)

        public var description: String { kind.rawValue }
    }

    /// Whether the server refused the user, the password or the certificate.
    public var isLoginRefused: Bool { code == .connectFailed && ["28P01", "28000"].contains(sqlState) }

    public var code: Code
    /// The five characters of the SQLSTATE, if the server sent one.
    public var sqlState: String?
    public var constraintName: String?
    public var tableName: String?
    /// The column that the server named, as for a NULL that is not allowed.
    public var columnName: String?
    /// The statement's type or the migration's name.
    public var operation: String?

    /// Our own explanation, free of data.
    var reason: String?
    /// The server's message, which may quote data.
    var primaryMessage: String?
    var detail: String?
    var hint: String?
    /// True if the server ended the session with this error.
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

    /// True if the same transaction may succeed later or on a new connection: SQLSTATE classes 08, 40, 53, 55, 57,
    /// 58, the code 25P03, and any connection that was lost or could not be made.
    public var isTransient: Bool {
        if code == .connectionLost || code == .connectFailed { return true }
        guard let sqlState else { return false }
        return sqlState == "25P03" || Self.transientClasses.contains(String(sqlState.prefix(2)))
    }

    /// True if the connection can no longer be used.
    public var isConnectionLost: Bool { code == .connectionLost }

    /// True if the server cancelled the statement: requested by a `Canceller` or an administrator, or after
    /// `statement_timeout`. PostgreSQL has one SQLSTATE, 57014, for all of these.
    public var isCancelled: Bool { sqlState == Self.cancelledState }

    /// Our own explanation, free of data; nil if the codes are enough.
    public var explanation: String? { reason }

    /// The full message of the server, libpq or OpenSSL. It may quote rows, hosts and users, so show it to a
    /// developer only and write it to no log.
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

    /// The description with the table and the place in this library.
    public var debugDescription: String {
        description + (tableName.map { ", table \($0)" } ?? "") + " [\(file):\(line)]"
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": debugDescription]) }
}
