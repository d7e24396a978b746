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

/// The entries that no checkpoint covers yet, likewise. Only their places and hashes: that is what a checkpoint is made
/// from.
public struct ReadUncoveredEntries: Statement {
    public var after: (chain: UUID, sequence: Int)?
    public var countMax: Int
    public init(after: (chain: UUID, sequence: Int)?, countMax: Int) {
        self.after = after
        self.countMax = countMax
    }

    public static let sql = """
        SELECT e.chain, e.sequence, e.hash FROM ledger_entry e
        WHERE ($1::uuid IS NULL OR (e.chain, e.sequence) > ($1, $2))
            AND e.sequence > coalesce((
                SELECT last_sequence FROM ledger_checkpoint_range r
                WHERE r.chain = e.chain ORDER BY first_sequence DESC LIMIT 1), 0)
        ORDER BY e.chain, e.sequence LIMIT $3
        """
    public var parameters: [Parameter] {
        [.uuid(after?.chain), .int4(after.map { Int32(clamping: $0.sequence) }), .int8(Int64(countMax))]
    }

    public struct Row: Sendable {
        public let chain: UUID
        public let sequence: Int
        public let hash: [UInt8]
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(chain: try row.uuid(), sequence: try row.int(), hash: try row.bytea())
    }
}

public struct ReadLedgerCheckpoints: Statement {
    public init() {}
    public static let sql = """
        SELECT number, signed_at, entry_count, root, previous, public_key, signature FROM ledger_checkpoint ORDER BY
            number
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> LedgerCheckpoint {
        LedgerCheckpoint(
            number: try row.int(), signedAt: try row.instant(), entryCount: try row.int(), root: try row.bytea(),
            previous: try row.bytea(), publicKey: try row.bytea(), signature: try row.bytea())
    }
}

public struct InsertLedgerCheckpoint: Command {
    public var checkpoint: LedgerCheckpoint
    public init(checkpoint: LedgerCheckpoint) { self.checkpoint = checkpoint }
    public static let sql = """
        INSERT INTO ledger_checkpoint (number, signed_at, entry_count, root, previous, public_key, signature)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """
    public var parameters: [Parameter] {
        [
            .int4(Int32(clamping: checkpoint.number)), .instant(checkpoint.signedAt),
            .int8(Int64(checkpoint.entryCount)),
            .bytea(checkpoint.root), .bytea(checkpoint.previous), .bytea(checkpoint.publicKey),
            .bytea(checkpoint.signature),
        ]
    }
}

/// What a new checkpoint covers: per chain, whatever no other does. Run in the transaction, and so on the same
/// snapshot, in which the uncovered entries were read.
public struct CoverLedgerEntries: Command {
    public var checkpoint: Int
    public init(checkpoint: Int) { self.checkpoint = checkpoint }
    public static let sql = """
        INSERT INTO ledger_checkpoint_range (chain, first_sequence, last_sequence, checkpoint)
        SELECT e.chain, min(e.sequence), max(e.sequence), $1 FROM ledger_entry e
        WHERE e.sequence > coalesce((
            SELECT last_sequence FROM ledger_checkpoint_range r
            WHERE r.chain = e.chain ORDER BY first_sequence DESC LIMIT 1), 0)
        GROUP BY e.chain
        """
    public var parameters: [Parameter] { [.int4(Int32(clamping: checkpoint))] }
}

/// Opens a transaction that sees the database as it stood at its first statement, whatever others commit meanwhile.
public struct BeginSnapshot: Command {
    public init() {}
    public static let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ"
}
