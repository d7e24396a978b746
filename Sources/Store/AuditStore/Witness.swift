public import Basics
import CaseStore
public import Casework
public import Foundation
public import PostgreSQL

// The queries of a rehearsal's witness: the office's tables, read-only, page by page.

/// The most rows in one page.
public let witnessPageRowsMax = 20_000

/// Reports in the order of their ids.
public struct ReadReportPage: Statement {
    public var after: ReportID?
    public init(after: ReportID?) { self.after = after }

    public static let sql = """
        SELECT \(reportColumns) FROM report WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Report { try Report(&row) }
}

/// A handoff with the columns that a witness checks.
public struct WitnessedHandoff: Sendable, Hashable {
    public let id: HandoffID
    public let reportID: ReportID
    public let attempt: Int
    public let unit: UnitID
    public let state: HandoffState
    public let releasedAt: Instant?
    public let dispatchedAt: Instant?
    public let signedAt: Instant?
    public let disposition: String?
    public let wasCaseFiled: Bool
    public let outcome: String?
    public let timesSentBack: Int
    public let endedBecause: String?
    public let noClockReason: String?
    /// Whether its message is still in the outbox.
    public let isInOutbox: Bool
}

/// Handoffs in the order of their ids.
public struct ReadHandoffPage: Statement {
    public var after: HandoffID?
    public init(after: HandoffID?) { self.after = after }

    public static let sql = """
        SELECT id, report_id, attempt, unit, state, released_at, dispatched_at, signed_at, disposition,
               case_filed_on IS NOT NULL, outcome, times_sent_back, ended_because, no_clock_reason,
               EXISTS (SELECT FROM outbox o WHERE o.handoff_id = handoff.id AND o.type = 'bihuan.handoff.dispatched.v1')
        FROM handoff WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(after?.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedHandoff {
        WitnessedHandoff(
            id: try row.id(), reportID: try row.id(), attempt: try row.int(), unit: try row.name(),
            state: try row.word(), releasedAt: try row.instantOrNil(), dispatchedAt: try row.instantOrNil(),
            signedAt: try row.instantOrNil(), disposition: try row.textOrNil(), wasCaseFiled: try row.bool(),
            outcome: try row.textOrNil(), timesSentBack: try row.int(), endedBecause: try row.textOrNil(),
            noClockReason: try row.textOrNil(), isInOutbox: try row.bool())
    }
}

/// One entry of the ledger, with its chain.
public struct ChainedEntry: Sendable {
    public let chain: UUID
    public let entry: LedgerEntry
}

/// The whole ledger, chain by chain.
public struct ReadLedgerPage: Statement {
    public var afterChain: UUID?
    public var afterSequence: Int
    public init(after last: ChainedEntry?) {
        afterChain = last?.chain
        afterSequence = last?.entry.sequence ?? 0
    }

    public static let sql = """
        SELECT chain, sequence, bytes, hash FROM ledger_entry
        WHERE $1::uuid IS NULL OR (chain, sequence) > ($1, $2::int)
        ORDER BY chain, sequence LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.uuid(afterChain), .int4(Int32(clamping: afterSequence))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ChainedEntry {
        ChainedEntry(
            chain: try row.uuid(),
            entry: LedgerEntry(sequence: try row.int(), bytes: try row.bytea(), hash: try row.bytea()))
    }
}

/// The heads of the chains that belong to no report: those of the units and of the office.
public struct ReadStandingHeads: Statement {
    public init() {}
    public static let sql = """
        SELECT chain, head, entry_count, head_at FROM unit UNION ALL SELECT chain, head, entry_count, head_at FROM
            office
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (chain: UUID, head: LedgerHead) {
        (try row.uuid(), try LedgerHead(&row))
    }
}

/// An act in the inbox with its digest and verdict.
public struct WitnessedClaim: Sendable, Hashable {
    public let sender: String
    public let eventID: String
    public let digest: [UInt8]
    /// `taken`, `refused`, `held` or `dead`.
    public let verdict: String
}

/// The inbox in the order of its key.
public struct ReadInboxPage: Statement {
    public var after: WitnessedClaim?
    public init(after: WitnessedClaim?) { self.after = after }

    public static let sql = """
        SELECT sender, event_id, digest, verdict FROM inbox
        WHERE $1::text IS NULL OR (sender, event_id) > ($1, $2::text)
        ORDER BY sender, event_id LIMIT \(witnessPageRowsMax)
        """
    public var parameters: [Parameter] { [.text(after?.sender), .text(after?.eventID)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> WitnessedClaim {
        WitnessedClaim(
            sender: try row.text(), eventID: try row.text(), digest: try row.bytea(), verdict: try row.text())
    }
}

/// Open dead letters.
public struct ReadOpenDeadLetters: Statement {
    public init() {}
    public static let sql =
        "SELECT coalesce(sender, ''), coalesce(event_id, ''), reason FROM dead_letter WHERE state = 'open'"
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (sender: String, eventID: String, reason: String) {
        (try row.text(), try row.text(), try row.text())
    }
}

/// The number of rows that are not yet finished.
public struct CountUnderWay: Statement {
    public init() {}
    public static let sql = """
        SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM held_message),
               (SELECT count(*) FROM report WHERE state = 'registered'),
               (SELECT count(*) FROM handoff
                WHERE state IN ('released', 'dispatched', 'signed', 'in_hand', 'case_filed', 'concluded'))
        """
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (outbox: Int, held: Int, unrouted: Int, liveHandoffs: Int) {
        (try row.int(), try row.int(), try row.int(), try row.int())
    }
}
