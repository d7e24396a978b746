public import Casework
public import Foundation
public import PostgreSQL

/// The chains with their subjects and heads, in the order of their ids, a page at a time.
public struct ReadLedgerHeads: Statement {
    public var after: UUID?
    public var countMax: Int
    public init(after: UUID?, countMax: Int) {
        self.after = after
        self.countMax = countMax
    }

    public static let sql = """
        SELECT chain, kind, id, head, entry_count FROM (
            SELECT id AS chain, 'report' AS kind, id::text AS id, head, entry_count FROM report
            UNION ALL SELECT chain, 'unit', id, head, entry_count FROM unit
            UNION ALL SELECT chain, 'office', '\(LedgerSubject.officeID)', head, entry_count FROM office
        ) AS subject
        WHERE $1::uuid IS NULL OR chain > $1 ORDER BY chain LIMIT $2
        """
    public var parameters: [Parameter] { [.uuid(after), .int8(Int64(countMax))] }

    public struct Row: Sendable {
        public let chain: UUID
        public let subject: LedgerSubject
        public let head: LedgerHead
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        let chain = try row.uuid()
        let subject = LedgerSubject(kind: try row.word(), id: try row.text())
        return Row(chain: chain, subject: subject, head: LedgerHead(hash: try row.bytea(), count: try row.int()))
    }
}

/// The entries of all chains with the checkpoint that covers each, in the order of chain and sequence, a page at a
/// time.
public struct ReadLedgerEntries: Statement {
    public var after: (chain: UUID, sequence: Int)?
    public var countMax: Int
    public init(after: (chain: UUID, sequence: Int)?, countMax: Int) {
        self.after = after
        self.countMax = countMax
    }

    public static let sql = """
        SELECT chain, sequence, bytes, hash, (
            SELECT checkpoint FROM ledger_checkpoint_range r
            WHERE r.chain = e.chain AND e.sequence BETWEEN r.first_sequence AND r.last_sequence)
        FROM ledger_entry e
        WHERE $1::uuid IS NULL OR (chain, sequence) > ($1, $2) ORDER BY chain, sequence LIMIT $3
        """
    public var parameters: [Parameter] {
        [.uuid(after?.chain), .int4(after.map { Int32(clamping: $0.sequence) }), .int8(Int64(countMax))]
    }

    public struct Row: Sendable {
        public let chain: UUID
        public let entry: LedgerEntry
        public let checkpoint: Int?
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        let chain = try row.uuid()
        let entry = LedgerEntry(sequence: try row.int(), bytes: try row.bytea(), hash: try row.bytea())
        return Row(chain: chain, entry: entry, checkpoint: try row.intOrNil())
    }
}

public struct ReadLedgerCheckpoints: Statement {
    public init() {}
    public static let sql = """
        SELECT number, signed_at, entry_count, root, previous, public_key, signature FROM ledger_checkpoint ORDER BY
            number
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> LedgerCheckpoint { try row.checkpoint() }
}

/// Opens a transaction that sees the database as it stood at its first statement, whatever others commit meanwhile.
public struct BeginSnapshot: Command {
    public init() {}
    public static let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ"
}
