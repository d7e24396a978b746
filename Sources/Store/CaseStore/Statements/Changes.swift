import Basics
package import PostgreSQL

/// The number of a transaction (`xid8`), in decimal digits. It is given when a transaction first writes, counts in the
/// whole cluster, and is never used twice.
public struct TransactionID: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init?(rawValue: String) {
        guard UInt64(rawValue) != nil else { return nil }
        self.rawValue = rawValue
    }
}

/// Pieces of SQL that all who ask about the log share.
package enum ChangeLog {
    /// This database of this cluster: the same after a restart, another after a dump was restored.
    package static let incarnation = """
        (SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
            FROM pg_control_system())
        """

    /// All transactions below it have ended, in all databases of the cluster.
    package static let horizon = "pg_snapshot_xmin(pg_current_snapshot())"

    /// Who has the transaction whose number is `xid`: a session other than this one, or nobody's session if it was
    /// prepared for a two-phase commit. Other sessions of the server show their number to everybody, but only their own
    /// role how long they have had it.
    package static func holder(of xid: String) -> String {
        """
        SELECT pid, application_name AS name, datname::text AS database, xact_start AS since
        FROM pg_stat_activity WHERE backend_xid = (\(xid))::xid AND pid <> pg_backend_pid()
        UNION ALL SELECT NULL, gid, database::text, prepared FROM pg_prepared_xacts WHERE transaction = (\(xid))::xid
        """
    }
}

extension RowReader {
    /// The four columns of `ChangeLog.holder`.
    package mutating func holderOrNil() throws(PostgreSQLError) -> HorizonHolder? {
        let (processID, name, database, since) = (try intOrNil(), try textOrNil(), try textOrNil(), try instantOrNil())
        guard let database else { return nil }
        return HorizonHolder(processID: processID, name: name ?? "", database: database, since: since)
    }
}

/// Whether a reader stands in the log of this database.
struct IsChangeReader: Statement {
    let name: String
    static let sql = "SELECT FROM change_reader WHERE name = $1 AND incarnation = \(ChangeLog.incarnation)"
    var parameters: [Parameter] { [.text(name)] }
    func decode(_ row: inout RowReader) {}
}

/// Nobody enters as a reader meanwhile, and none moves on.
struct LockChangeReaders: Command {
    static let sql = "LOCK TABLE change_reader IN SHARE ROW EXCLUSIVE MODE"
}

/// Rows from before this database was this one: while it has no reader, nobody needs a row, since each begins with the
/// whole ledger.
struct DropUnreadableChanges: Command {
    let countMax: Int
    static let sql = """
        DELETE FROM change_log WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM change_log
            WHERE NOT EXISTS (SELECT FROM change_reader WHERE incarnation = \(ChangeLog.incarnation)) LIMIT $1))
        """
    var parameters: [Parameter] { [.int8(Int64(countMax))] }
}

/// Enters a reader that has read nothing. From now on the log is kept for it.
struct EnterChangeReader: Command {
    let name: String
    let instant: Instant
    static let sql = """
        INSERT INTO change_reader (name, incarnation, horizon, starts_anew, read_at)
        VALUES ($1, \(ChangeLog.incarnation), \(ChangeLog.horizon), true, $2)
        ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, horizon = excluded.horizon,
            starts_anew = true, read_at = excluded.read_at
        """
    var parameters: [Parameter] { [.text(name), .instant(instant)] }
}

/// Where a reader stands; nobody else reads under its name until the transaction ends.
struct LockChangeReader: Statement {
    let name: String
    static let sql = "SELECT horizon::text, starts_anew FROM change_reader WHERE name = $1 FOR UPDATE"
    var parameters: [Parameter] { [.text(name)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (horizon: TransactionID, startsAnew: Bool) {
        (try row.word(), try row.bool())
    }
}

struct ReadChangeHorizon: Statement {
    static let sql = "SELECT \(ChangeLog.horizon)::text"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TransactionID { try row.word() }
}

/// How many rows of the log wait above a horizon, and for whom.
struct ReadChangeLag: Statement {
    let horizon: TransactionID
    static let sql = """
        SELECT waiting.count, holder.* FROM (SELECT count(*) FROM change_log WHERE xid >= $1::text::xid8) AS waiting
        LEFT JOIN LATERAL (\(ChangeLog.holder(of: "$1::text::xid8"))) AS holder ON waiting.count > 0
        """
    var parameters: [Parameter] { [.text(horizon.rawValue)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ChangeLag {
        ChangeLag(waiting: try row.int(), holder: try row.holderOrNil())
    }
}

/// A reader has read everything below the horizon.
struct MoveChangeReader: Command {
    let name: String
    let horizon: TransactionID
    let instant: Instant
    static let sql = """
        UPDATE change_reader SET horizon = $2::text::xid8, starts_anew = false, read_at = $3 WHERE name = $1
        """
    var parameters: [Parameter] { [.text(name), .text(horizon.rawValue), .instant(instant)] }
}

/// Some of the rows that every reader has read.
struct PruneChanges: Command {
    let countMax: Int
    static let sql = """
        DELETE FROM change_log WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM change_log
            WHERE xid < (
                SELECT horizon FROM change_reader WHERE incarnation = \(ChangeLog.incarnation)
                ORDER BY horizon LIMIT 1)
            ORDER BY xid LIMIT $1))
        """
    var parameters: [Parameter] { [.int8(Int64(countMax))] }
}
