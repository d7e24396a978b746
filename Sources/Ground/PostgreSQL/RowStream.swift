import CPostgreSQL

/// What the reader of a row wants next.
public enum RowStep: Sendable {
    case next
    case stop
}

extension Connection {
    /// Runs a statement and hands over its rows one by one, while they come: memory holds one row and what the socket
    /// brought, however many there are. Returns how many rows `body` took.
    ///
    /// When `body` stops or throws, or a row cannot be decoded, the statement is cancelled, what is under way is read
    /// and dropped, and the connection is usable again. In an open transaction a savepoint goes before it, so that the
    /// transaction survives this. Outside one, the effects of a statement that also writes may stay or not.
    ///
    /// When the statement itself fails midway, `body` has had the rows before, and its error is thrown.
    /// `statement_timeout` counts while `body` works; long reads belong into `withoutStatementTimeout`.
    @discardableResult
    public func forEachRow<S: Statement>(of statement: S, _ body: (S.Row) throws -> RowStep) throws -> Int {
        let query = try Query(statement)
        let handle = try openHandle()
        let isGuarded = PQtransactionStatus(handle) == PQTRANS_INTRANS
        if isGuarded { try run(SetSavepoint()) }
        try send(query)
        occupation = "rows are being read"
        defer { occupation = nil }
        var (count, isStopped) = (0, false)
        do {
            while !isStopped, let result = try nextOfStream() {
                count += 1
                isStopped = try body(try result.decodeRow(for: statement)) == .stop
            }
        } catch let failed as StatementFailed {
            throw failed.error.inside(S.self)
        } catch {
            // Whoever lost the connection has nothing to drain.
            if isOpen { try? abandon(isGuarded: isGuarded) }
            throw error
        }
        if isStopped {
            try abandon(isGuarded: isGuarded)
            return count
        }
        occupation = nil
        if isGuarded { try run(ReleaseSavepoint()) }
        return count
    }

    /// In a pipeline of one, as everything else: after single-row mode outside of pipelines, libpq 15 would leave the
    /// next pipeline in that mode.
    private func send(_ query: Query) throws(PostgreSQLError) {
        let handle = try liveHandle()
        let oids = query.parameters.oids
        guard PQenterPipelineMode(handle) == 1 else { throw lose("the connection is busy") }
        let sent = query.parameters.withPointers { count, values, lengths, formats in
            PQsendQueryParams(handle, query.type.sql, count, oids, values, lengths, formats, 1)
        }
        guard sent == 1, PQsetSingleRowMode(handle) == 1, PQpipelineSync(handle) == 1 else {
            throw lose("sending failed")
        }
    }

    /// The next row; nil after the last. Throws `StatementFailed` when the statement did, and nothing is under way
    /// then.
    private func nextOfStream() throws -> ServerResult? {
        while true {
            // Between the statement and the end of the pipeline libpq says once that there is nothing.
            guard let result = try nextResult() else { continue }
            switch result.status {
            case PGRES_SINGLE_TUPLE: return result
            case PGRES_PIPELINE_SYNC:
                guard PQexitPipelineMode(try liveHandle()) == 1 else { throw lose("the pipeline did not end") }
                return nil
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // libpq would offer this result for ever.
                throw lose("COPY goes through copyIn only")
            case _ where result.isSuccess: continue
            default:
                let error = result.error(operation: nil)
                while try nextOfStream() != nil {}
                throw StatementFailed(error: error)
            }
        }
    }

    /// Cancels the statement under way and takes what it still sends. If the server does not hear, the connection is
    /// lost.
    private func abandon(isGuarded: Bool) throws {
        do {
            try canceller().cancel()
        } catch {
            throw lose("the statement could not be cancelled")
        }
        do {
            while try nextOfStream() != nil {}
        } catch is StatementFailed {
            // The cancellation that was asked for.
        }
        occupation = nil
        if isGuarded { _ = try pipeline(RollbackToSavepoint(), ReleaseSavepoint()) }
    }
}

/// Tells the statement's own failure, after which nothing is under way, from that of its reader.
private struct StatementFailed: Error {
    let error: PostgreSQLError
}

private struct SetSavepoint: Command {
    static let sql = "SAVEPOINT row_stream"
}

private struct ReleaseSavepoint: Command {
    static let sql = "RELEASE SAVEPOINT row_stream"
}

private struct RollbackToSavepoint: Command {
    static let sql = "ROLLBACK TO SAVEPOINT row_stream"
}
