extension Connection {
    public func begin() throws(PostgreSQLError) {
        if isInTransaction { throw PostgreSQLError(.invalidArgument, "a transaction is already open") }
        try run(Begin())
    }

    public func commit() throws(PostgreSQLError) {
        try run(Commit())
    }

    /// Does nothing if no transaction is open, or if the connection is lost and the transaction with it.
    public func rollback() throws(PostgreSQLError) {
        guard isInTransaction else { return }
        do throws(PostgreSQLError) {
            try run(Rollback())
        } catch  where error.isConnectionLost {
            return
        }
    }

    /// Commits when `body` returns; rolls back and rethrows when it throws.
    public func transaction<T>(_ body: (Connection) throws -> T) throws -> T {
        try begin()
        do {
            let value = try body(self)
            try commit()
            return value
        } catch {
            // The first error is the cause; an error of the rollback is dropped.
            try? rollback()
            throw error
        }
    }

    /// Runs `body`, such as a migration, without `statement_timeout` and without the limit on idle transactions.
    /// `lock_timeout` stays, so that a waiting `ALTER TABLE` does not block all others behind it. A transaction that
    /// `body` leaves open is rolled back.
    public func withoutStatementTimeout<T>(_ body: (Connection) throws -> T) throws -> T {
        if isInTransaction { throw PostgreSQLError(.invalidArgument, "a transaction is already open") }
        if isWithoutLimits { return try body(self) }
        try execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        patienceMilliseconds = nil
        isWithoutLimits = true
        defer {
            isWithoutLimits = false
            patienceMilliseconds = Self.patience(settings)
            try? rollback()
            try? execute("RESET statement_timeout; RESET idle_in_transaction_session_timeout")
        }
        return try body(self)
    }
}
