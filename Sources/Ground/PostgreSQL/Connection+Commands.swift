extension Connection {
    /// Runs commands of any types in one round trip, in order and under the rules of every pipeline; returns how many
    /// rows each wrote.
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
    /// Runs many statements of one type in one round trip and tells of each what became of it: its result, its error,
    /// or `.aborted` if it was not run because one before it failed. Throws only what concerns all of them, such as a
    /// lost connection.
    ///
    /// Results before a failure are what the server answered then; outside a transaction their effects are undone.
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
