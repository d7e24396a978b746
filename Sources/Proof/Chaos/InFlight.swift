import AuditStore
import CaseStore
import Contract
import Installation
import PostgreSQL
import Workers

/// Detects whether a process of a worker holds work at this moment, so that its death leaves something half done.
///
/// The answer comes from the database: a lane's session and its rows of the outbox have the lane's name, which
/// contains the process id. Work that a dead process left, and messages that only wait in a queue, do not count.
struct InFlight {
    private let configuration: OfficeConfiguration
    private let workers: WorkerProcesses
    /// Processes that were killed; one may still look alive for a moment.
    private var dead: Set<Int32> = []
    private var database: PostgreSQL.Connection?

    init(_ office: LocalOffice) { (configuration, workers) = (office.configuration, office.workers) }

    /// A process of the worker that holds work. If the database cannot be asked the answer is nil, and the caller
    /// asks again.
    mutating func processInFlight(at worker: Worker) -> Int32? {
        workers.running.shuffled().first {
            $0.worker == worker && !dead.contains($0.processID)
                && holdsWork(lanePrefix: LaneName.prefix(worker, $0.processID))
        }?.processID
    }

    mutating func struck(_ processID: Int32) { dead.insert(processID) }

    mutating func close() {
        database?.close()
        database = nil
    }

    /// Uses a connection without a proxy, which is renewed when the server was restarted.
    private mutating func holdsWork(lanePrefix: String) -> Bool {
        do {
            let connection =
                try database ?? PostgreSQL.Connection(configuration.databaseSettings("bihuan-lab chaos"))
            database = connection
            return try connection.run(ReadWorkInHand(lanePrefix: lanePrefix)).rows.first ?? false
        } catch {
            close()
            return false
        }
    }
}
