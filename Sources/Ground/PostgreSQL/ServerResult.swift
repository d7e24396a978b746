import CPostgreSQL

/// One answer of the server, held by libpq; freed with the object.
final class ServerResult {
    private let handle: OpaquePointer
    private let isOwned: Bool

    /// - Parameter isOwned: false for a result that still belongs to libpq, as in the receiver of a notice.
    init(_ handle: OpaquePointer, isOwned: Bool = true) {
        self.handle = handle
        self.isOwned = isOwned
    }

    deinit {
        if isOwned { PQclear(handle) }
    }

    var status: ExecStatusType { PQresultStatus(handle) }

    var isSuccess: Bool {
        switch status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: true
        default: false
        }
    }

    /// The tag of the finished command, such as `COMMIT` or `INSERT 0 3`.
    var commandTag: String { PQcmdStatus(handle).map { String(cString: $0) } ?? "" }

    func decode<S: Statement>(for statement: S) throws(PostgreSQLError) -> QueryResult<S.Row> {
        let rowCount = PQntuples(handle)
        let columnCount = PQnfields(handle)
        var rows: [S.Row] = []
        rows.reserveCapacity(Int(rowCount))
        do throws(PostgreSQLError) {
            for row in 0..<rowCount {
                var reader = RowReader(handle, row: row, columnCount: columnCount)
                rows.append(try statement.decode(&reader))
            }
        } catch {
            throw error.inside(S.self)
        }
        return QueryResult(rows: rows, affected: affectedCount)
    }

    /// The error in this result, from the server or (without SQLSTATE) from libpq.
    func error(operation: String?) -> PostgreSQLError {
        var error = PostgreSQLError(.server, operation: operation)
        error.sqlState = field(diagnosticSQLState)
        error.constraintName = field(diagnosticConstraintName)
        error.tableName = field(diagnosticTableName)
        error.columnName = field(diagnosticColumnName)
        error.primaryMessage = field(diagnosticMessage) ?? PQresultErrorMessage(handle).map { String(cString: $0) }
        error.detail = field(diagnosticDetail)
        error.hint = field(diagnosticHint)
        error.isFatal = ["FATAL", "PANIC"].contains(field(diagnosticSeverity))
        return error
    }

    /// The notice in this result.
    var notice: ServerNotice {
        ServerNotice(
            severity: field(diagnosticSeverity) ?? "", sqlState: field(diagnosticSQLState) ?? "",
            debugDetail: field(diagnosticMessage) ?? "")
    }

    /// Reads the one row of a result in single-row mode.
    func decodeRow<S: Statement>(for statement: S) throws(PostgreSQLError) -> S.Row {
        var reader = RowReader(handle, row: 0, columnCount: PQnfields(handle))
        do throws(PostgreSQLError) {
            return try statement.decode(&reader)
        } catch {
            throw error.inside(S.self)
        }
    }

    private func field(_ code: Int32) -> String? {
        PQresultErrorField(handle, code).map { String(cString: $0) }
    }
}

extension ServerResult {
    /// How many rows the statement wrote or, for a SELECT, read.
    var affectedCount: Int { PQcmdTuples(handle).flatMap { Int(String(cString: $0)) } ?? 0 }
}

extension PostgreSQLError {
    /// The same error with a statement as its operation, unless it already has one.
    func inside(_ type: Any.Type) -> PostgreSQLError {
        var error = self
        if error.operation == nil { error.operation = String(describing: type) }
        return error
    }
}
