public import Basics
import Foundation
public import PostgreSQL

/// Stores originals with their keys, and the epochs' keys where they are new: lanes and batches share an epoch.
public struct InsertOriginals: Command {
    public var originals: [(ReportID, Original)]
    public init(originals: [(ReportID, Original)]) { self.originals = originals }

    public static let sql = """
        WITH epoch AS (
            INSERT INTO epoch_key (id, recipient, sealed, made_at)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[])
            ON CONFLICT DO NOTHING
        ), key AS (
            INSERT INTO report_key (report_id, epoch_id, wrapped)
            SELECT * FROM unnest($5::uuid[], $6::uuid[], $7::bytea[])
        )
        INSERT INTO vault (report_id, sealed) SELECT * FROM unnest($5::uuid[], $8::bytea[])
        """

    public var parameters: [Parameter] {
        // In one order, so that two lanes that enter the same epochs do not wait for each other.
        let epochs = Dictionary(originals.map { ($0.1.epoch.id, $0.1.epoch) }) { first, _ in first }.values.sorted {
            $0.id.uuidString < $1.id.uuidString
        }
        return [
            .uuids(epochs.map(\.id)), .texts(epochs.map(\.recipient)), .byteas(epochs.map(\.sealed)),
            .instants(epochs.map(\.madeAt)), .ids(originals.map(\.0)), .uuids(originals.map(\.1.epoch.id)),
            .byteas(originals.map(\.1.wrapped)), .byteas(originals.map(\.1.sealed)),
        ]
    }
}

/// The original of a report; no row if its key was destroyed.
public struct ReadOriginal: Statement {
    public var report: ReportID
    public init(report: ReportID) { self.report = report }

    public static let sql = """
        SELECT e.id, e.recipient, e.sealed, e.made_at, k.wrapped, v.sealed
        FROM vault v JOIN report_key k USING (report_id) JOIN epoch_key e ON e.id = k.epoch_id WHERE v.report_id = $1
        """
    public var parameters: [Parameter] { [.uuid(report.uuid)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Original {
        Original(
            epoch: EpochKey(
                id: try row.uuid(), recipient: try row.text(), sealed: try row.bytea(), madeAt: try row.instant()),
            wrapped: try row.bytea(), sealed: try row.bytea())
    }
}
