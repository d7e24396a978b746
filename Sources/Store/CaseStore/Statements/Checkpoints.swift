import Foundation
import PostgreSQL

extension RowReader {
    mutating func checkpoint() throws(PostgreSQLError) -> LedgerCheckpoint {
        LedgerCheckpoint(
            number: try int(), signedAt: try instant(), entryCount: try int(), root: try bytea(),
            previous: try bytea(), publicKey: try bytea(), signature: try bytea())
    }
}

struct ReadLastLedgerCheckpoint: Statement {
    static let sql = """
        SELECT number, signed_at, entry_count, root, previous, public_key, signature FROM ledger_checkpoint
        ORDER BY number DESC LIMIT 1
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> LedgerCheckpoint { try row.checkpoint() }
}

/// What came of looking at chains for a new checkpoint.
struct Coverage: Sendable {
    let chainsLookedAt: Int
    let chainsCovered: Int

    /// - Parameter chains: a query for the chains to look at, each once; it may use `$2` and `$3`.
    /// - Returns: SQL that covers with checkpoint `$1` whatever of these chains no other covers, and counts.
    static func sql(of chains: String) -> String {
        """
        WITH named AS MATERIALIZED (\(chains)), covered AS (
            INSERT INTO ledger_checkpoint_range (chain, first_sequence, last_sequence, checkpoint)
            SELECT named.chain, new.first, new.last, $1
            FROM named CROSS JOIN LATERAL (
                SELECT min(e.sequence) AS first, max(e.sequence) AS last FROM ledger_entry e
                WHERE e.chain = named.chain AND e.sequence > coalesce((
                    SELECT r.last_sequence FROM ledger_checkpoint_range r
                    WHERE r.chain = named.chain ORDER BY r.first_sequence DESC LIMIT 1), 0)
            ) AS new
            WHERE new.first IS NOT NULL
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM named), (SELECT count(*) FROM covered)
        """
    }

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        chainsLookedAt = try row.int()
        chainsCovered = try row.int()
    }
}

/// Covers what is new in the chains that the log names. All of such a chain that is committed is covered, also what the
/// log has above the horizon: the next checkpoint will look at the chain again and find less.
struct CoverNewEntries: Statement {
    let checkpoint: Int
    let since: TransactionID
    let below: TransactionID

    static let sql = Coverage.sql(
        of: """
            SELECT DISTINCT subject AS chain FROM change_log, unnest(subjects) AS subject
            WHERE xid >= $2::text::xid8 AND xid < $3::text::xid8
            """)
    var parameters: [Parameter] {
        [.int4(Int32(clamping: checkpoint)), .text(since.rawValue), .text(below.rawValue)]
    }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Coverage { try Coverage(&row) }
}

/// Covers whatever no checkpoint covers, in all chains.
struct CoverAllEntries: Statement {
    let checkpoint: Int
    static let sql = Coverage.sql(of: "SELECT DISTINCT chain FROM ledger_entry")
    var parameters: [Parameter] { [.int4(Int32(clamping: checkpoint))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Coverage { try Coverage(&row) }
}

/// The leaves of a checkpoint's tree: the entries that it covers, in the order of chain and sequence.
struct ReadCheckpointLeaves: Statement {
    let checkpoint: Int
    static let sql = """
        SELECT r.chain, e.sequence, e.hash FROM ledger_checkpoint_range r
        CROSS JOIN LATERAL (
            SELECT sequence, hash FROM ledger_entry
            WHERE chain = r.chain AND sequence BETWEEN r.first_sequence AND r.last_sequence
            -- Keeps the entries from being read as a whole: each range is looked up.
            OFFSET 0
        ) AS e
        WHERE r.checkpoint = $1 ORDER BY r.chain, e.sequence
        """
    var parameters: [Parameter] { [.int4(Int32(clamping: checkpoint))] }

    struct Row: Sendable {
        let chain: UUID
        let sequence: Int
        let hash: [UInt8]
    }

    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        Row(chain: try row.uuid(), sequence: try row.int(), hash: try row.bytea())
    }
}

struct InsertLedgerCheckpoint: Command {
    let checkpoint: LedgerCheckpoint
    static let sql = """
        INSERT INTO ledger_checkpoint (number, signed_at, entry_count, root, previous, public_key, signature)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """
    var parameters: [Parameter] {
        [
            .int4(Int32(clamping: checkpoint.number)), .instant(checkpoint.signedAt),
            .int8(Int64(checkpoint.entryCount)), .bytea(checkpoint.root), .bytea(checkpoint.previous),
            .bytea(checkpoint.publicKey), .bytea(checkpoint.signature),
        ]
    }
}
