import CPostgreSQL
import Foundation

/// One connection to PostgreSQL. Every call blocks its thread until the server has answered; a connection belongs to
/// one thread at a time.
///
/// A lost connection is noticed by the call that meets it, which throws `.connectionLost`, as does every later one;
/// whoever owns it makes a new one. Once connected, nothing here waits in libpq: it sends, receives while sending, and
/// waits by `poll`.
///
/// While rows go out by `copyIn` or come in by `forEachRow`, and while a notice is handed over, the connection does
/// nothing else: other calls throw `.invalidArgument`.
public final class Connection {
    /// nil once the connection was closed or lost.
    var handle: OpaquePointer?
    /// How long one statement may take before the peer is held to be gone; nil for no limit.
    var patienceMilliseconds: Int?
    /// Whether `withoutStatementTimeout` is under way.
    var isWithoutLimits = false
    /// The names of the statements prepared on this connection.
    var prepared: [PreparedKey: String] = [:]
    /// Names are never used twice, so a statement that is prepared anew cannot collide with its former self.
    var preparedCount = 0
    /// What keeps the connection from other work, in words for the error that says so.
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

    /// Whether the connection was usable when it was last used.
    public var isOpen: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

    /// The process id of the server's side, as in `pg_stat_activity`; 0 when closed.
    public var backendProcessID: Int32 { handle.map { PQbackendPID($0) } ?? 0 }

    /// The socket, to be watched but not read; -1 when closed.
    public var fileDescriptor: Int32 { handle.map { PQsocket($0) } ?? -1 }

    /// Whether a transaction is open, be it a failed one.
    public var isInTransaction: Bool {
        switch handle.map({ PQtransactionStatus($0) }) {
        case PQTRANS_INTRANS, PQTRANS_INERROR, PQTRANS_ACTIVE: true
        default: false
        }
    }

    /// Receives the server's notices and warnings, on the thread and within the call that meets them. Without it they
    /// are dropped. It must not hold the connection strongly, which holds it.
    public var onNotice: ((ServerNotice) -> Void)? {
        get { notices.receive }
        set { notices.receive = newValue }
    }

    /// Called about once a second while the server is waited for, for whoever has other connections to keep. False
    /// gives this one up. It must not touch the connection, nor hold it strongly.
    public var whileWaiting: (() -> Bool)?

    /// Runs one statement and reads its rows.
    @discardableResult
    public func run<S: Statement>(_ statement: S) throws(PostgreSQLError) -> QueryResult<S.Row> {
        let results = try exchange([Query(statement)])
        return try results[0].decode(for: statement)
    }

    /// Runs several statements in one round trip. Outside a transaction they form one: all of them take effect or none.
    ///
    /// When one fails, those after it are not run, and its error is thrown once the server has answered for all; the
    /// connection stays usable. A transaction begun before or within the pipeline is then a failed one, to be rolled
    /// back. `outcomes` tells of each statement what became of it. Rows are read after all statements have run, so a
    /// `.decoding` error does not undo them.
    @discardableResult
    public func pipeline<each S: Statement>(
        _ statement: repeat each S
    ) throws(PostgreSQLError) -> (repeat QueryResult<(each S).Row>) {
        var queries: [Query] = []
        for statement in repeat each statement { queries.append(try Query(statement)) }
        let results = try exchange(queries)
        var index = -1
        func next() -> ServerResult {
            index += 1
            return results[index]
        }
        return (repeat try next().decode(for: each statement))
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

    /// Sends SQL as it stands, without parameters and without reading rows; several statements, separated by
    /// semicolons, form one transaction unless they say otherwise. A COPY from or to the client ends the connection.
    public func execute(_ sql: String) throws(PostgreSQLError) {
        if sql.utf8.contains(0) { throw PostgreSQLError(.invalidArgument, "the SQL holds a NUL character") }
        try exchangeSimple(sql)
    }

    /// A round trip to the server and back.
    public func ping() throws(PostgreSQLError) {
        try run(Ping())
    }

    /// Forgets every prepared statement, on both sides: after the tables have changed, plans of before fit no more. Not
    /// within a transaction that has failed.
    public func prepareAnew() throws(PostgreSQLError) {
        try execute("DEALLOCATE ALL")
        prepared = [:]
    }

    /// Closes at once; what was not committed is rolled back by the server. Within a notice's handler it does nothing.
    public func close() {
        if notices.isDelivering { return }
        PQfinish(handle)
        handle = nil
        prepared = [:]
    }
}

/// It is single-threaded by contract: libpq's handles have no lock.
@available(*, unavailable)
extension Connection: Sendable {}

private struct Ping: Statement {
    static let sql = "SELECT 1"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
