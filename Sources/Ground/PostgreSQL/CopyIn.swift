import CPostgreSQL
import Foundation

extension Connection {
    /// Writes rows by COPY in binary format until `next` returns nil; returns how many the server wrote. Memory use
    /// is 64 KiB or one row, whichever is more.
    ///
    /// All rows are written or none. None are written if the server refuses one (its error names table, constraint
    /// and column), if `next` throws (the error is rethrown), or if a value does not fit its column
    /// (`.invalidArgument`). The connection stays usable; an open transaction has then failed and must be rolled
    /// back.
    ///
    /// A COPY in a pipeline and a use of this connection in `next` are programming errors: `.invalidArgument`.
    /// `statement_timeout` applies to the COPY as a whole; run a long one in `withoutStatementTimeout`.
    @discardableResult
    public func copyIn<Row: CopyRow>(_ type: Row.Type = Row.self, _ next: () throws -> Row?) throws -> Int {
        var stream: CopyStream
        do throws(PostgreSQLError) {
            var plan = CopyPlan(Row.self)
            plan.take(try run(CopyColumns(table: plan.table)).rows)
            try beginCopy(plan)
            stream = CopyStream(connection: self, plan: plan)
        } catch {
            throw error.inside(Row.self)
        }
        occupation = "a COPY is under way"
        defer { occupation = nil }
        do {
            while !stream.serverHasEnded, let row = try next() { try stream.append(row.parameters) }
            try stream.end()
        } catch {
            // A lost connection has no COPY to end.
            if isOpen { try? stream.abort() }
            throw (error as? PostgreSQLError)?.inside(Row.self) ?? error
        }
        do throws(PostgreSQLError) {
            return try remainingResults().get()?.affectedCount ?? 0
        } catch {
            throw error.inside(Row.self)
        }
    }

    /// Writes the rows of a sequence by COPY, with the same rules.
    @discardableResult
    public func copyIn<Rows: Sequence>(_ rows: Rows) throws -> Int where Rows.Element: CopyRow {
        var rows = rows.makeIterator()
        return try copyIn(Rows.Element.self) { rows.next() }
    }
}

extension Connection {
    private func beginCopy(_ plan: CopyPlan) throws(PostgreSQLError) {
        guard PQsendQuery(try openHandle(), plan.sql) == 1 else { throw lose("sending failed") }
        guard let result = try nextResult() else { throw lose("an answer is missing") }
        if result.status == PGRES_COPY_IN { return }
        _ = try remainingResults()
        throw result.error(operation: nil)
    }
}

/// The rows being sent.
///
/// During a COPY the server sends only notices, which libpq removes by itself, or the error that ended the COPY,
/// which libpq holds back until the end of the rows. Input that stays unexplained for a while is taken as that error,
/// so that a long or endless COPY ends early. If it is something else, the rows are rolled back all the same.
private struct CopyStream {
    private static let chunkBytes = 65536
    private static let flushInterval = Duration.milliseconds(100)
    private static let hearingTime = Duration.milliseconds(200)

    private let connection: Connection
    private let plan: CopyPlan
    /// Bytes not yet passed to libpq; they start with the signature, no flags and no header extension.
    private var bytes: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)
    private var lastFlush = ContinuousClock.now
    private var noticeCount: Int
    private var unexplainedSince: ContinuousClock.Instant?

    init(connection: Connection, plan: CopyPlan) {
        self.connection = connection
        self.plan = plan
        noticeCount = connection.notices.count
    }

    var serverHasEnded: Bool { unexplainedSince.map { $0.duration(to: .now) > Self.hearingTime } ?? false }

    mutating func append(_ values: [Parameter]) throws(PostgreSQLError) {
        guard values.count == plan.columns.count else {
            throw PostgreSQLError(
                .invalidArgument, "a row has \(values.count) values for \(plan.columns.count) columns")
        }
        Parameter.putInteger(Int16(values.count), &bytes)
        for (index, value) in values.enumerated() {
            try plan.check(value, at: index)
            try value.encodeWithLength(into: &bytes)
        }
        if bytes.count >= Self.chunkBytes || lastFlush.duration(to: .now) >= Self.flushInterval { try flush() }
    }

    /// Ends the rows with the trailer; the server may then answer.
    mutating func end() throws(PostgreSQLError) {
        if serverHasEnded { return try finish("the server ended the COPY") }
        Parameter.putInteger(Int16(-1), &bytes)
        try flush()
        try finish(nil)
    }

    /// Makes the server drop the rows, and reads its answer.
    mutating func abort() throws(PostgreSQLError) {
        try finish("the rows ended with an error")
        _ = try connection.remainingResults()
    }

    private func finish(_ message: String?) throws(PostgreSQLError) {
        while true {
            switch PQputCopyEnd(try connection.liveHandle(), message) {
            case 1: return
            case 0: try drain()
            default: throw connection.lose("sending failed")
            }
        }
    }

    /// Passes the bytes to libpq in pieces, so that libpq's own buffer stays small too.
    private mutating func flush() throws(PostgreSQLError) {
        var start = 0
        while start < bytes.count {
            let count = min(Self.chunkBytes, bytes.count - start)
            let handle = try connection.liveHandle()
            let put = bytes.withUnsafeBytes { buffer in
                PQputCopyData(
                    handle, buffer.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self), Int32(count))
            }
            if put < 0 { throw connection.lose("sending failed") }
            if put == 1 { start += count }
            try drain()
        }
        // The memory of a row far larger than a chunk is released.
        bytes = bytes.capacity > 16 * Self.chunkBytes ? [] : bytes
        bytes.removeAll(keepingCapacity: true)
        lastFlush = .now
        try listen()
    }

    private func drain() throws(PostgreSQLError) {
        while true {
            let unsent = PQflush(try connection.liveHandle())
            if unsent == 0 { return }
            if unsent < 0 { throw connection.lose("sending failed") }
            if try connection.waitForSocket(writing: true, statements: 1) { try connection.consumeInput(because: nil) }
        }
    }

    private mutating func listen() throws(PostgreSQLError) {
        if try connection.pollSocket(POLLIN, withinMilliseconds: 0) != 0 {
            try connection.consumeInput(because: nil)
            unexplainedSince = unexplainedSince ?? .now
        }
        if connection.notices.count != noticeCount {
            noticeCount = connection.notices.count
            unexplainedSince = nil
        }
    }
}
