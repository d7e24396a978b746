/// Advisory locks: locks on numbers whose meaning the sessions agree on. Each is valid within one database only.
///
/// A session lock lasts until it is released or the connection ends; a rollback does not release it. A lock taken
/// twice must be released twice. A transaction lock ends with its transaction. The two kinds exclude each other.
extension Connection {
    /// Takes the lock `key` for this session, unless another session holds it.
    public func tryAdvisoryLock(_ key: Int64) throws(PostgreSQLError) -> Bool {
        try run(TryAdvisoryLock(key: key)).rows.first ?? false
    }

    /// Waits for the lock and takes it for this session. Throws SQLSTATE 55P03, which is transient, after
    /// `lock_timeout`.
    public func advisoryLock(_ key: Int64) throws(PostgreSQLError) {
        try run(AdvisoryLock(key: key))
    }

    /// Releases a lock of the session; false if this session did not hold it.
    @discardableResult
    public func advisoryUnlock(_ key: Int64) throws(PostgreSQLError) -> Bool {
        try run(AdvisoryUnlock(key: key)).rows.first ?? false
    }

    /// Takes the lock `key` for the open transaction, unless another session holds it.
    public func tryAdvisoryTransactionLock(_ key: Int64) throws(PostgreSQLError) -> Bool {
        try requireTransaction()
        return try run(TryAdvisoryTransactionLock(key: key)).rows.first ?? false
    }

    /// Waits for the lock and takes it for the open transaction. Throws like `advisoryLock`.
    public func advisoryTransactionLock(_ key: Int64) throws(PostgreSQLError) {
        try requireTransaction()
        try run(AdvisoryTransactionLock(key: key))
    }

    /// Throws if no transaction is open: the lock would end before the call returns.
    private func requireTransaction() throws(PostgreSQLError) {
        _ = try openHandle()
        if !isInTransaction { throw PostgreSQLError(.invalidArgument, "no transaction is open") }
    }
}

private struct TryAdvisoryLock: Statement {
    static let sql = "SELECT pg_try_advisory_lock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct AdvisoryLock: Statement {
    static let sql = "SELECT pg_advisory_lock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) {}
}

private struct AdvisoryUnlock: Statement {
    static let sql = "SELECT pg_advisory_unlock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct TryAdvisoryTransactionLock: Statement {
    static let sql = "SELECT pg_try_advisory_xact_lock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

private struct AdvisoryTransactionLock: Statement {
    static let sql = "SELECT pg_advisory_xact_lock($1)"
    let key: Int64
    var parameters: [Parameter] { [.int8(key)] }
    func decode(_ row: inout RowReader) {}
}
