/// One query as one type: its SQL, its parameters and the decoding of its rows, side by side.
///
/// It is prepared once per connection, at its first run. The SQL must be one statement, and constant: variable values
/// are parameters.
public protocol Statement: Sendable {
    /// The value of one row.
    associatedtype Row: Sendable

    /// The SQL, with `$1`, `$2`, … for the parameters.
    static var sql: String { get }

    /// The values for `$1`, `$2`, … in order.
    var parameters: [Parameter] { get }

    /// Whether the caller knows that no row is read or written, as for an empty list of keys: then nothing is sent, and
    /// the result is empty.
    var isNeedless: Bool { get }

    /// Decodes one row, column by column in the order of the SQL's list.
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row
}

extension Statement {
    public var parameters: [Parameter] { [] }
    public var isNeedless: Bool { false }
}

/// A statement that returns no rows; `QueryResult.affected` is its result.
public protocol Command: Statement where Row == Never {}

extension Command {
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Never {
        throw PostgreSQLError(.unexpectedResult, "a command returned rows")
    }
}

/// The result of a statement: its rows in order, and how many rows it wrote (or, for a SELECT, read).
public struct QueryResult<Row: Sendable>: Sendable {
    public let rows: [Row]
    public let affected: Int
}

/// Opens a transaction; may be the first in a pipeline.
public struct Begin: Command {
    public static let sql = "BEGIN"
    public init() {}
}

/// Commits; may be the last in a pipeline. Throws for a failed transaction, which the server rolls back while it
/// reports success.
public struct Commit: Command {
    public static let sql = "COMMIT"
    public init() {}
}

/// Rolls the transaction back.
public struct Rollback: Command {
    public static let sql = "ROLLBACK"
    public init() {}
}
