import CPostgreSQL
import Foundation

/// One connection to PostgreSQL. Every call blocks its thread until the server has answered; only one thread at a
/// time may use a connection.
///
/// The call that finds the connection lost throws `.connectionLost`, and so does every later one; the owner must then
/// make a new connection. Once connected, nothing waits inside libpq: the connection sends, receives while it sends,
/// and waits with `poll`.
///
/// During `copyIn`, during `forEachRow` and in a notice handler no other call is possible: it throws
/// `.invalidArgument`.
public final class Connection {
    /// nil once the connection is closed or lost.
    var handle: OpaquePointer?
    /// How long one statement may take before the peer counts as gone; nil for no limit.
    var patienceMilliseconds: Int?
    /// True while `withoutStatementTimeout` runs.
    var isWithoutLimits = false
    /// The names of the statements prepared on this connection.
    var prepared: [PreparedKey: String] = [:]
    /// Numbers the statement names. A name is never used twice, so a statement prepared anew cannot collide with its
    /// old name.
    var preparedCount = 0
    /// Why other calls are refused at present, as the text of their error.
    var occupation: String?
    let notices = NoticeSink()
    let settings: ConnectionSettings

    /// Connects; tries each host of the URL for at most `connectTimeoutSeconds`.
    public init(_ settings: ConnectionSettings) throws(PostgreSQLError) {
        self.settings = settings
        self.patienceMilliseconds = Self.patience(settings)
        guard settings.isGuarded else {
            self.handle = try Self.connect(settings, notices)
            return
        }
        do throws(PostgreSQLError) {
            self.handle = try Self.connect(settings, notices)
        } catch  where error.reason?.contains(ConnectFailure.readOnly) == true {
            var second = settings
            second.admitsReadOnlyRole = true
            self.handle = try Self.connect(second, notices)
            if try !overrideReadOnlyRole() {
                close()
                throw error
            }
        }
        try guardSession()
    }

    deinit {
        PQfinish(handle)
    }

    /// True if the connection was usable at its last use.
    public var isOpen: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

    /// The process id of the server's backend, as in `pg_stat_activity`; 0 when closed.
    public var backendProcessID: Int32 { handle.map { PQbackendPID($0) } ?? 0 }

    /// The socket, to be polled but not read; -1 when closed.
    public var fileDescriptor: Int32 { handle.map { PQsocket($0) } ?? -1 }

    /// True while a transaction is open, also a failed one.
    public var isInTransaction: Bool {
        switch handle.map({ PQtransactionStatus($0) }) {
        case PQTRANS_INTRANS, PQTRANS_INERROR, PQTRANS_ACTIVE: true
        default: false
        }
    }

    /// The handler of the server's notices and warnings, called by the thread and within the call that receive them.
    /// Without it they are dropped. It must not hold the connection strongly, because the connection holds it.
    public var onNotice: ((ServerNotice) -> Void)? {
        get { notices.receive }
        set { notices.receive = newValue }
    }

    /// Called about once a second during a wait for the server, so that the caller can serve other connections. If it
    /// returns false, this connection is given up. It must not use the connection, nor hold it strongly.
    public var whileWaiting: (() -> Bool)?

    /// Runs one statement and reads its rows.
    @discardableResult
    public func run<S: Statement>(_ statement: S) throws(PostgreSQLError) -> QueryResult<S.Row> {
        try pipeline(statement)
    }

    /// Runs several statements in one round trip. Outside a transaction they form one: all of them take effect or
    /// none.
    ///
    /// When one fails, later ones do not run, and its error is thrown once the server has answered for all; the
    /// connection stays usable. A transaction begun before or within the pipeline has then failed and must be rolled
    /// back. `outcomes` returns the outcome of each statement. Rows are decoded after all statements have run, so a
    /// `.decoding` error does not undo them.
    @discardableResult
    public func pipeline<each S: Statement>(
        _ statement: repeat each S
    ) throws(PostgreSQLError) -> (repeat QueryResult<(each S).Row>) {
        var queries: [Query] = []
        for statement in repeat each statement {
            if !statement.isNeedless { queries.append(try Query(statement)) }
        }
        let results = try exchange(queries)
        var index = -1
        func next<Next: Statement>(_ statement: Next) throws(PostgreSQLError) -> QueryResult<Next.Row> {
            if statement.isNeedless { return QueryResult(rows: [], affected: 0) }
            index += 1
            return try results[index].decode(for: statement)
        }
        return (repeat try next(each statement))
    }

    /// Runs many statements of one type in one round trip, under the same rules.
    @discardableResult
    public func pipeline<S: Statement>(all statements: [S]) throws(PostgreSQLError) -> [QueryResult<S.Row>] {
        var queries: [Query] = []
        queries.reserveCapacity(statements.count)
        for statement in statements { queries.append(try Query(statement)) }
        let results = try exchange(queries)
        var decoded: [QueryResult<S.Row>] = []
        decoded.reserveCapacity(statements.count)
        for (statement, result) in zip(statements, results) { decoded.append(try result.decode(for: statement)) }
        return decoded
    }

    /// Sends SQL unchanged, without parameters and without reading rows. Several statements, separated by semicolons,
    /// form one transaction unless they contain transaction commands. A COPY from or to the client ends the
    /// connection.
    public func execute(_ sql: String) throws(PostgreSQLError) {
        if sql.utf8.contains(0) { throw PostgreSQLError(.invalidArgument, "the SQL holds a NUL character") }
        try exchangeSimple(sql)
    }

    /// Makes one round trip to the server.
    public func ping() throws(PostgreSQLError) {
        try run(Ping())
    }

    /// Drops every prepared statement, on both sides: after a change of the tables, old plans no longer fit. Not
    /// allowed in a failed transaction.
    public func prepareAnew() throws(PostgreSQLError) {
        try execute("DEALLOCATE ALL")
        prepared = [:]
    }

    /// Closes at once; the server rolls back an open transaction. Does nothing in a notice handler.
    public func close() {
        if notices.isDelivering { return }
        PQfinish(handle)
        handle = nil
        prepared = [:]
    }
}

/// Not sendable: libpq's handles have no lock, so the connection is for one thread.
@available(*, unavailable)
extension Connection: Sendable {}

private struct Ping: Statement {
    static let sql = "SELECT 1"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
