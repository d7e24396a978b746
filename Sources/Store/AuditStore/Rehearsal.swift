public import Basics
import Casework
public import PostgreSQL

/// Handoffs that their units have and have not answered, oldest first: candidates for a recall.
public struct ReadHandoffsInHand: Statement {
    public var countMax: Int
    public init(countMax: Int) { self.countMax = countMax }
    public static let sql = """
        SELECT h.id FROM handoff h JOIN report r ON r.id = h.report_id
        WHERE h.state IN ('dispatched', 'signed', 'in_hand') AND r.state IN ('routed', 'in_hand') ORDER BY h.id LIMIT $1
        """
    public var parameters: [Parameter] { [.int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> HandoffID { HandoffID(try row.uuid()) }
}

/// A fault that a superuser can cause in a database, as SQL, and the SQL that repairs it; for rehearsals.
public struct RehearsedTrouble: Sendable {
    public let begin: String
    public let end: String

    /// No report can be registered.
    public static let revokedRight = RehearsedTrouble(
        begin: "REVOKE INSERT ON report FROM bihuan_intake", end: "GRANT INSERT ON report TO bihuan_intake")

    /// The server reports a full disk for every new report.
    public static let fullDisk = RehearsedTrouble(
        begin: """
            CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER disk_full BEFORE INSERT ON report FOR EACH STATEMENT EXECUTE FUNCTION disk_full();
            """,
        end: "DROP TRIGGER IF EXISTS disk_full ON report; DROP FUNCTION IF EXISTS disk_full()")

    /// Cancels the statements that the workers' sessions run at this moment.
    public static let cancellation = """
        SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'bihuan %' AND state <> 'idle'
        """
}
