public import Basics
import Casework
public import PostgreSQL

/// Writes a row only to check that a transaction commits; one row for each kind of worker.
public struct RecordProbe: Command {
    public var worker: String
    public var at: Instant
    public init(worker: String, at: Instant) {
        self.worker = worker
        self.at = at
    }

    public static let sql = """
        INSERT INTO probe (worker, probed_at) VALUES ($1, $2) ON CONFLICT (worker) DO UPDATE SET probed_at =
            excluded.probed_at
        """
    public var parameters: [Parameter] { [.text(worker), .instant(at)] }
}
