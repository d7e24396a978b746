import CPostgreSQL

/// A statement ready to be sent, with its parameters checked and encoded.
struct Query {
    let type: any Statement.Type
    let key: PreparedKey
    let parameters: ParameterBuffer

    init<S: Statement>(_ statement: S) throws(PostgreSQLError) {
        type = S.self
        if Self.isClientCopy(S.sql) {
            throw PostgreSQLError(.invalidArgument, "COPY goes through copyIn", operation: String(describing: S.self))
        }
        do throws(PostgreSQLError) {
            parameters = try ParameterBuffer(statement.parameters)
        } catch {
            throw error.inside(S.self)
        }
        key = PreparedKey(statement: ObjectIdentifier(S.self), oids: parameters.oids)
    }

    var operation: String { String(describing: type) }

    /// True for a COPY from or to the client: it has its own protocol and cannot run in a pipeline.
    private static func isClientCopy(_ sql: String) -> Bool {
        guard let first = sql.utf8.first, first | 0x20 == UInt8(ascii: "c"), sql.prefix(4).lowercased() == "copy" else {
            return false
        }
        let upper = sql.uppercased()
        return upper.contains("STDIN") || upper.contains("STDOUT")
    }
}

/// The key of a prepared statement: one for each list of parameter types that a statement is used with (`.null`
/// leaves a type open).
struct PreparedKey: Hashable {
    let statement: ObjectIdentifier
    let oids: [UInt32]
}

extension Connection {
    /// Runs the queries in one round trip and returns one result each; throws the first failure after the server has
    /// answered everything.
    func exchange(_ queries: [Query]) throws(PostgreSQLError) -> [ServerResult] {
        let (results, failure) = try exchangeKeepingResults(queries)
        if let failure { throw failure }
        return results
    }

    /// Does the same, but returns the results before the first failure, and that failure.
    func exchangeKeepingResults(
        _ queries: [Query]
    ) throws(PostgreSQLError) -> (results: [ServerResult], failure: PostgreSQLError?) {
        guard !queries.isEmpty else { return ([], nil) }
        var exchange = Exchange(connection: self, handle: try openHandle(), queries: queries)
        return try exchange.run()
    }
}

/// One exchange with the server, in libpq's pipeline mode even for a single statement: prepares what is not yet
/// prepared, executes, and ends with one Sync.
///
/// The socket does not block, and received data is read while data is still being sent: if both sides only wrote,
/// they would deadlock.
private struct Exchange {
    /// A request that the server has to answer.
    private enum Step {
        case prepare(query: Int, name: String)
        case execute(query: Int)
        case sync
    }

    /// Bytes after which libpq must send; with a lower value it would send a packet for each statement.
    private static let flushThresholdBytes = 65536

    let connection: Connection
    let handle: OpaquePointer
    let queries: [Query]
    private var steps: [Step] = []
    /// How many steps have been answered in full.
    private var answered = 0
    private var results: [ServerResult] = []
    private var firstError: PostgreSQLError?

    init(connection: Connection, handle: OpaquePointer, queries: [Query]) {
        self.connection = connection
        self.handle = handle
        self.queries = queries
    }

    mutating func run() throws(PostgreSQLError) -> ([ServerResult], PostgreSQLError?) {
        guard PQenterPipelineMode(handle) == 1 else { throw connection.lose("the connection is busy") }
        try sendAll()
        try takeAnswers()
        while answered < steps.count { try waitAndReceive() }
        guard PQexitPipelineMode(handle) == 1 else { throw connection.lose("the pipeline did not end") }
        guard firstError != nil || results.count == queries.count else { throw connection.lose("answers are missing") }
        return (results, firstError)
    }

    // MARK: Sending

    private mutating func sendAll() throws(PostgreSQLError) {
        // A name is known here once sent; the connection knows it once the server reports success.
        var names = connection.prepared
        var unsentBytes = 0
        for (index, query) in queries.enumerated() {
            if names[query.key] == nil { names[query.key] = try sendPrepare(index) }
            try sendExecute(index, name: names[query.key] ?? "")
            unsentBytes += query.parameters.bytes.count + 64
            if unsentBytes > Self.flushThresholdBytes {
                try flush()
                unsentBytes = 0
            }
        }
        guard PQpipelineSync(handle) == 1 else { throw connection.lose("sending failed") }
        steps.append(.sync)
        try flush()
    }

    private mutating func sendPrepare(_ index: Int) throws(PostgreSQLError) -> String {
        let query = queries[index]
        connection.preparedCount += 1
        // The type's name is for readers of `pg_prepared_statements`; the number makes it unique.
        let name = "\(query.operation.prefix(40)) \(connection.preparedCount)"
        let oids = query.key.oids
        guard PQsendPrepare(handle, name, query.type.sql, Int32(oids.count), oids) == 1 else {
            throw connection.lose("sending failed")
        }
        steps.append(.prepare(query: index, name: name))
        return name
    }

    private mutating func sendExecute(_ index: Int, name: String) throws(PostgreSQLError) {
        let sent = queries[index].parameters.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
        }
        guard sent == 1 else { throw connection.lose("sending failed") }
        steps.append(.execute(query: index))
    }

    private mutating func flush() throws(PostgreSQLError) {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1: try waitAndReceive()
            default: throw connection.lose("sending failed", because: firstError)
            }
        }
    }

    // MARK: Receiving

    private mutating func waitAndReceive() throws(PostgreSQLError) {
        // Called with unsent bytes (it then waits for reading or writing) and with everything sent.
        let writing = PQflush(handle) == 1
        if try connection.waitForSocket(writing: writing, statements: queries.count) {
            try connection.consumeInput(because: firstError)
            try takeAnswers()
        }
    }

    /// Takes all complete answers.
    private mutating func takeAnswers() throws(PostgreSQLError) {
        while answered < steps.count, PQstatus(handle) == CONNECTION_OK, PQisBusy(handle) == 0 {
            let result = PQgetResult(handle).map { ServerResult($0) }
            switch (steps[answered], result?.status) {
            case (.sync, PGRES_PIPELINE_SYNC):
                answered += 1
            case (_, PGRES_COPY_IN), (_, PGRES_COPY_OUT), (_, PGRES_COPY_BOTH):
                // libpq would return this result for ever.
                throw connection.lose("COPY goes through copyIn only")
            case (.sync, nil):
                continue
            case (_, nil):
                answered += 1
            default:
                if let result { take(result, for: steps[answered]) }
            }
        }
    }

    private mutating func take(_ result: ServerResult, for step: Step) {
        // After a failure the server answers the rest with "aborted".
        if firstError != nil || result.status == PGRES_PIPELINE_ABORTED { return }
        switch step {
        case .prepare(let index, let name) where result.isSuccess:
            connection.prepared[queries[index].key] = name
        case .execute(let index) where result.isSuccess:
            // A COMMIT of a failed transaction rolls back, and the server reports success.
            if queries[index].type == Commit.self, result.commandTag == "ROLLBACK" {
                firstError = PostgreSQLError(
                    .unexpectedResult, "the transaction had failed and was rolled back", operation: "Commit")
            }
            results.append(result)
        case .prepare(let index, _):
            firstError = result.error(operation: queries[index].operation)
        case .execute(let index):
            let error = result.error(operation: queries[index].operation)
            firstError = error
            // The statement no longer exists, or its row type has changed: it must be prepared again.
            if error.sqlState == "26000" || error.sqlState == "0A000" { connection.prepared[queries[index].key] = nil }
        case .sync:
            // The implicit transaction failed at its commit, as by a deferred constraint.
            firstError = result.error(operation: nil)
        }
    }
}
