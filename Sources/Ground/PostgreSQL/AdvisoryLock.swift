/// Advisory locks: numbers that sessions agree upon. They guard whatever their users say they guard, and are known
/// within one database only.
///
/// A lock of the session lasts until it is released or the connection ends, rolled-back transactions notwithstanding;
/// taken twice, it must be released twice. A lock of a transaction ends with it. Both kinds exclude each other.
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

    /// Waits for the lock and takes it for the open transaction, under the same limit.
    public func advisoryTransactionLock(_ key: Int64) throws(PostgreSQLError) {
        try requireTransaction()
        try run(AdvisoryTransactionLock(key: key))
    }

    /// Without one, the lock would be gone by the time the call returns.
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
