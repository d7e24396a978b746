import CPostgreSQL
import Foundation

/// One connection to PostgreSQL. Every call blocks its thread until the server has answered; a connection belongs to one
/// thread at a time.
///
/// A lost connection is noticed by the call that meets it, which throws `.connectionLost`, as does every later one; whoever
/// owns it makes a new one. Everything here goes through one exchange: send, receive while sending, wait by `poll`.
public final class Connection {
    /// nil once the connection was closed or lost.
    var handle: OpaquePointer?
    /// How long one statement may take before the peer is held to be gone; nil for no limit.
    var patienceMilliseconds: Int?
    /// The names of the statements prepared on this connection.
    var prepared: [PreparedKey: String] = [:]
    /// Names are never used twice, so a statement that is prepared anew cannot collide with its former self.
    var preparedCount = 0
    private let notices = NoticeSink()
    private let settings: ConnectionSettings

    /// Connects; tries each host of the URL for at most `connectTimeoutSeconds`.
    public init(_ settings: ConnectionSettings) throws(PostgreSQLError) {
        self.settings = settings
        self.handle = try Self.connect(settings, notices)
        self.patienceMilliseconds = Self.patience(settings)
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

    /// Receives the server's notices and warnings, which may quote data. Without it they are dropped.
    public var onNotice: ((String) -> Void)? {
        get { notices.receive }
        set { notices.receive = newValue }
    }

    /// Runs one statement and reads its rows.
    @discardableResult
    public func run<S: Statement>(_ statement: S) throws(PostgreSQLError) -> QueryResult<S.Row> {
        let results = try exchange([Query(statement)])
        return try results[0].decode(for: statement)
    }

    /// Runs several statements in one round trip. Outside a transaction they form one: all of them take effect or none.
    ///
    /// When one fails, those after it are not run, and its error is thrown once the server has answered for all; the
    /// connection stays usable. A transaction begun before or within the pipeline is then a failed one, to be rolled back.
    /// Rows are read after all statements have run, so a `.decoding` error does not undo them.
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
    /// semicolons, form one transaction unless they say otherwise. COPY is refused.
    public func execute(_ sql: String) throws(PostgreSQLError) {
        if sql.utf8.contains(0) { throw PostgreSQLError(.invalidArgument, "the SQL holds a NUL character") }
        try exchangeSimple(sql)
    }

    /// A round trip to the server and back.
    public func ping() throws(PostgreSQLError) {
        try run(Ping())
    }

    /// Closes at once; what was not committed is rolled back by the server.
    public func close() {
        PQfinish(handle)
        handle = nil
        prepared = [:]
    }
}

/// It is single-threaded by contract: libpq's handles have no lock.
@available(*, unavailable)
extension Connection: Sendable {}

// MARK: Transactions and locks

extension Connection {
    public func begin() throws(PostgreSQLError) {
        if isInTransaction { throw PostgreSQLError(.invalidArgument, "a transaction is already open") }
        try run(Begin())
    }

    public func commit() throws(PostgreSQLError) {
        try run(Commit())
    }

    /// Does nothing when no transaction is open, or when the connection is gone and the transaction with it.
    public func rollback() throws(PostgreSQLError) {
        guard isInTransaction else { return }
        do throws(PostgreSQLError) {
            try run(Rollback())
        } catch where error.isConnectionLost {
            return
        }
    }

    /// Commits when `body` returns, rolls back when it throws, and passes its error on.
    public func transaction<T>(_ body: (Connection) throws -> T) throws -> T {
        try begin()
        do {
            let value = try body(self)
            try commit()
            return value
        } catch {
            // The first error is the one that tells what happened.
            try? rollback()
            throw error
        }
    }

    /// Takes the advisory lock `key` for this session, unless another session holds it. Taken twice, it must be
    /// released twice.
    public func tryAdvisoryLock(_ key: Int64) throws(PostgreSQLError) -> Bool {
        try run(TryAdvisoryLock(key: key)).rows.first ?? false
    }

    /// Releases it; false if this session did not hold it.
    @discardableResult
    public func advisoryUnlock(_ key: Int64) throws(PostgreSQLError) -> Bool {
        try run(AdvisoryUnlock(key: key)).rows.first ?? false
    }

    /// Runs `body`, such as a migration, without the limits on the length of statements and on idling within a
    /// transaction. The lock time-out stays, so that a waiting `ALTER TABLE` does not hold up everyone behind it.
    /// A transaction that `body` leaves open is rolled back.
    public func withoutStatementTimeout<T>(_ body: (Connection) throws -> T) throws -> T {
        if isInTransaction { throw PostgreSQLError(.invalidArgument, "a transaction is already open") }
        try execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        patienceMilliseconds = nil
        defer {
            patienceMilliseconds = Self.patience(settings)
            try? rollback()
            try? execute("RESET statement_timeout; RESET idle_in_transaction_session_timeout")
        }
        return try body(self)
    }
}

private struct Ping: Statement {
    static let sql = "SELECT 1"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

private struct TryAdvisoryLock: Statement {
    static let sql = "SELECT pg_try_advisory_lock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct AdvisoryUnlock: Statement {
    static let sql = "SELECT pg_advisory_unlock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

// MARK: Connecting

extension Connection {
    /// The server stops a statement after `statement_timeout`; a peer that is silent for longer is frozen or gone.
    private static func patience(_ settings: ConnectionSettings) -> Int? {
        guard settings.statementTimeoutMilliseconds > 0 else { return nil }
        return min(settings.statementTimeoutMilliseconds, Int(Int32.max)) + 3000
    }

    private static func connect(
        _ settings: ConnectionSettings, _ notices: NoticeSink
    ) throws(PostgreSQLError) -> OpaquePointer {
        if settings.url.utf8.contains(0) { throw PostgreSQLError(.invalidArgument, "the URL holds a NUL character") }
        let urlOptions = try Self.urlOptions(settings.url)
        // Of two equal keywords libpq takes the later; `dbname` is where it expands a URL.
        let parameters =
            settings.parameters + [("dbname", settings.url)]
            + [("options", settings.options(urlOptions: urlOptions)), ("client_encoding", "UTF8")]
        guard let handle = start(parameters) else { throw PostgreSQLError(.connectFailed, "out of memory") }
        PQsetNoticeProcessor(handle, NoticeSink.callback, Unmanaged.passUnretained(notices).toOpaque())
        // libpq's one blocking call that keeps the time-out per host would print notices made while connecting; a reset
        // of a connection barely begun does the same and uses our processor.
        PQreset(handle)
        guard PQstatus(handle) == CONNECTION_OK, PQsetnonblocking(handle, 1) == 0 else {
            var error = PostgreSQLError(.connectFailed)
            error.primaryMessage = PQerrorMessage(handle).map { String(cString: $0) }
            PQfinish(handle)
            throw error
        }
        return handle
    }

    private static func start(_ parameters: [(keyword: String, value: String)]) -> OpaquePointer? {
        let strings = parameters.flatMap { [strdup($0.keyword), strdup($0.value)] }
        defer { for string in strings { free(string) } }
        let keywords = stride(from: 0, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        let values = stride(from: 1, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        return PQconnectStartParams(keywords, values, 1)
    }

    /// The `options` within the URL. libpq's own message for a bad URL may quote the password and is dropped.
    private static func urlOptions(_ url: String) throws(PostgreSQLError) -> String? {
        var message: UnsafeMutablePointer<CChar>?
        let parsed = PQconninfoParse(url, &message)
        defer {
            PQfreemem(message)
            PQconninfoFree(parsed)
        }
        guard var option = parsed else { throw PostgreSQLError(.invalidArgument, "the connection URL cannot be parsed") }
        while let keyword = option.pointee.keyword {
            if strcmp(keyword, "options") == 0 { return option.pointee.val.map { String(cString: $0) } }
            option += 1
        }
        return nil
    }
}

/// Where libpq delivers notices. A class, so that its address is stable.
private final class NoticeSink {
    var receive: ((String) -> Void)?

    static let callback: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?) -> Void = { sink, message in
        guard let sink, let message else { return }
        Unmanaged<NoticeSink>.fromOpaque(sink).takeUnretainedValue().receive?(String(cString: message))
    }
}
