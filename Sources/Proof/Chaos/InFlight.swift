import AuditStore
import CaseStore
import Contract
import Installation
import PostgreSQL

/// Tells whether a process of a worker holds work at this moment, so that its death leaves something half done.
///
/// The database tells: a lane's session and its rows of the outbox bear the lane's name, in which the process's id
/// stands. What a dead process left behind, and what merely waits in a queue, do not count.
struct InFlight {
    private let configuration: OfficeConfiguration
    private let workers: WorkerProcesses
    /// One process dies once: it may still look alive for a moment.
    private var dead: Set<Int32> = []
    private var database: PostgreSQL.Connection?

    init(_ office: LocalOffice) { (configuration, workers) = (office.configuration, office.workers) }

    /// The worker's process. What cannot be asked now counts as nothing: then one waits, and asks again.
    mutating func processInFlight(at worker: Worker) -> Int32? {
        guard let processID = workers.running.first(where: { $0.worker == worker })?.processID,
            !dead.contains(processID),
            holdsWork(lanePrefix: "\(worker.rawValue)-\(processID)-")
        else { return nil }
        return processID
    }

    mutating func struck(_ processID: Int32) { dead.insert(processID) }

    mutating func close() {
        database?.close()
        database = nil
    }

    /// Over a connection that no proxy disturbs, made anew when the server was restarted.
    private mutating func holdsWork(lanePrefix: String) -> Bool {
        do {
            let connection =
                try database ?? PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan-lab chaos"))
            database = connection
            return try connection.run(ReadWorkInHand(lanePrefix: lanePrefix)).rows.first ?? false
        } catch {
            close()
            return false
        }
    }
}
