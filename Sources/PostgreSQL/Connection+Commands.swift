extension Connection {
    /// Runs commands of any types in one round trip, in order and under the rules of every pipeline; returns how many rows
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
