public import Basics
import CaseStore
import Casework
public import PostgreSQL

// The queries of `bench`, which measure the cost of a report in the database server.

/// The settings that durability depends on, with the values of the querying connection.
public struct ReadDurabilitySettings: Statement {
    public init() {}
    public static let sql = """
        SELECT name, setting FROM pg_settings
        WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version') ORDER BY name
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (name: String, value: String) {
        (try row.text(), try row.text())
    }
}

/// The writes to one table since its counters started, and the number of its indexes.
public struct TableWrites: Sendable, Hashable {
    public let table: String
    public let indexes: Int
    public let inserted: Int
    public let updated: Int
    /// The updates that needed no new index entries (HOT updates).
    public let updatedInPlace: Int
    public let deleted: Int

    public init(table: String, indexes: Int, inserted: Int, updated: Int, updatedInPlace: Int, deleted: Int) {
        self.table = table
        self.indexes = indexes
        self.inserted = inserted
        self.updated = updated
        self.updatedInPlace = updatedInPlace
        self.deleted = deleted
    }
}

/// The writes to each table. A backend publishes its counts when it ends, or some seconds after it became idle.
public struct ReadTableWrites: Statement {
    public init() {}
    public static let sql = """
        SELECT relname::text, (SELECT count(*) FROM pg_index WHERE indrelid = relid), n_tup_ins, n_tup_upd,
            n_tup_hot_upd, n_tup_del
        FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> TableWrites {
        TableWrites(
            table: try row.text(), indexes: try row.int(), inserted: try row.int(), updated: try row.int(),
            updatedInPlace: try row.int(), deleted: try row.int())
    }
}

/// The number of bytes of write-ahead log written since the cluster was created.
public struct ReadLogPosition: Statement {
    public init() {}
    public static let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int64 { try row.int8() }
}

/// The submission that each handoff belongs to.
public struct ReadSubmissionsOfHandoffs: Statement {
    public var handoffs: [HandoffID]
    public init(handoffs: [HandoffID]) { self.handoffs = handoffs }
    public static let sql =
        """
        SELECT h.id, h.unit, r.source_id FROM handoff h JOIN report r ON r.id = h.report_id
        WHERE h.id = ANY ($1::uuid[])
        """
    public var parameters: [Parameter] { [.ids(handoffs)] }
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (handoff: HandoffID, unit: UnitID, submissionID: String) {
        (try row.id(), try row.name(), try row.text())
    }
}
