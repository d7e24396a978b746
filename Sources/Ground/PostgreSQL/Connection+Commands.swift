extension Connection {
    /// Runs commands of any types in one round trip, in order, with the rules of `pipeline`; returns how many rows
    /// each wrote.
    @discardableResult
    public func pipeline(commands: [any Command]) throws(PostgreSQLError) -> [Int] {
        var queries: [Query] = []
        queries.reserveCapacity(commands.count)
        for command in commands { queries.append(try Query(command)) }
        let results = try exchange(queries)
        var written: [Int] = []
        written.reserveCapacity(results.count)
        for result in results { written.append(result.affectedCount) }
        return written
    }
}

extension Connection {
    /// Runs many statements of one type in one round trip and returns the outcome of each: its result, its error, or
    /// `.aborted` if it did not run because an earlier one failed. Throws only for a failure of all of them, such as
    /// a lost connection.
    ///
    /// Results before a failure are as the server returned them; outside a transaction their effects are rolled back.
    public func outcomes<S: Statement>(
        all statements: [S]
    ) throws(PostgreSQLError) -> [Result<QueryResult<S.Row>, PostgreSQLError>] {
        var queries: [Query] = []
        queries.reserveCapacity(statements.count)
        for statement in statements { queries.append(try Query(statement)) }
        let (results, failure) = try exchangeKeepingResults(queries)
        return statements.enumerated().map { index, statement in
            if index < results.count {
                return Result { () throws(PostgreSQLError) in try results[index].decode(for: statement) }
            }
            if index == results.count, let failure { return .failure(failure) }
            return .failure(PostgreSQLError(.aborted, "one before it failed", operation: String(describing: S.self)))
        }
    }
}
