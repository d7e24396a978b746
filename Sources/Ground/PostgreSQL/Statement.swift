/// One query as one type: its SQL, its parameters and the reading of its rows, side by side.
///
/// It is prepared once per connection, when it is first run, and again after a change of connection. The SQL must be
/// one statement, and constant: what varies is a parameter.
public protocol Statement: Sendable {
    /// What one row becomes.
    associatedtype Row: Sendable

    /// The SQL, with `$1`, `$2`, … for the parameters.
    static var sql: String { get }

    /// The values for `$1`, `$2`, … in order.
    var parameters: [Parameter] { get }

    /// Reads one row, column by column in the order of the SQL's list.
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row
}

extension Statement {
    public var parameters: [Parameter] { [] }
}

/// A statement that returns no rows; what it did is `QueryResult.affected`.
public protocol Command: Statement where Row == Never {}

extension Command {
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Never {
        throw PostgreSQLError(.unexpectedResult, "a command returned rows")
    }
}

/// What a statement brought: its rows in order, and how many rows it wrote (or, for a SELECT, read).
public struct QueryResult<Row: Sendable>: Sendable {
    public let rows: [Row]
    public let affected: Int
}

/// Opens a transaction; may stand first in a pipeline.
public struct Begin: Command {
    public static let sql = "BEGIN"
    public init() {}
}

/// Commits; may stand last in a pipeline. On a transaction that has failed it throws: the server, asked to commit such
/// a transaction, rolls back and reports success.
public struct Commit: Command {
    public static let sql = "COMMIT"
    public init() {}
}

/// Rolls back.
public struct Rollback: Command {
    public static let sql = "ROLLBACK"
    public init() {}
}
