import CPostgreSQL

/// Whether to continue after a row.
public enum RowStep: Sendable {
    case next
    case stop
}

extension Connection {
    /// Runs a statement and passes its rows to `body` one by one as they arrive; memory holds one row and the
    /// received data, however many rows there are. Returns how many rows `body` received.
    ///
    /// If `body` stops or throws, or a row cannot be decoded, the statement is cancelled, the remaining data is read
    /// and dropped, and the connection is usable again. In an open transaction a savepoint is set before, so that the
    /// transaction survives this. Outside a transaction, the writes of such a statement may or may not stay.
    ///
    /// If the statement itself fails midway, `body` has received the rows before, and the statement's error is
    /// thrown. `statement_timeout` also counts while `body` works; run long reads in `withoutStatementTimeout`.
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
            // On a lost connection there is nothing to drain.
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

    /// Sends the query in a pipeline of one: after single-row mode outside a pipeline, libpq 15 would leave the next
    /// pipeline in that mode.
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

    /// The next row; nil after the last. Throws `StatementFailed` if the statement failed; nothing is under way then.
    private func nextOfStream() throws -> ServerResult? {
        while true {
            // Between the statement and the end of the pipeline libpq returns nil once.
            guard let result = try nextResult() else { continue }
            switch result.status {
            case PGRES_SINGLE_TUPLE: return result
            case PGRES_PIPELINE_SYNC:
                guard PQexitPipelineMode(try liveHandle()) == 1 else { throw lose("the pipeline did not end") }
                return nil
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // libpq would return this result for ever.
                throw lose("COPY goes through copyIn only")
            case _ where result.isSuccess: continue
            default:
                let error = result.error(operation: nil)
                while try nextOfStream() != nil {}
                throw StatementFailed(error: error)
            }
        }
    }

    /// Cancels the running statement and reads what it still sends. If the server cannot be reached, the connection
    /// is lost.
    private func abandon(isGuarded: Bool) throws {
        do {
            try canceller().cancel()
        } catch {
            throw lose("the statement could not be cancelled")
        }
        do {
            while try nextOfStream() != nil {}
        } catch is StatementFailed {
            // The expected cancellation.
        }
        occupation = nil
        if isGuarded { _ = try pipeline(RollbackToSavepoint(), ReleaseSavepoint()) }
    }
}

/// Distinguishes the statement's own failure, after which nothing is under way, from an error of `body`.
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
