import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Sending what would otherwise stay in the outbox: what dead lanes left, what a lane committed without learning it,
/// and what was kept back while its queue took no messages. The rows stay in the database until there is room for them
/// in memory.
extension LaneStore {
    /// Takes the leases of lanes of this worker that died, and gives those up whose rows are out.
    ///
    /// One relay at a time has a dead lane's lease. Rows under a name that nobody has a lease on are a lane's that was
    /// stopped for longer than its lease in the middle of a transaction.
    /// - Returns: the lanes that were taken now.
    func adoptDeadLanes() throws -> [String] {
        let (leases, late) = try database.pipeline(
            ReadLeases(worker: desk.worker.rawValue),
            ReadLateLanes(worker: desk.worker.rawValue, createdBefore: Instant.wall().adding(seconds: -1)))
        let known = Set(leases.rows.map(\.lane))
        let held = Set(leases.rows.filter { $0.holder == lease.name && $0.lane != lease.name }.map(\.lane))
        let free =
            leases.rows.filter { $0.isFree && $0.holder != lease.name }.map(\.lane)
            + late.rows.filter { !known.contains($0) }
        let taken = free.isEmpty ? [] : try lease.take(free, in: database)
        adopted = held.union(taken)
        return taken
    }

    /// The leases of adopted lanes are given up once no row of theirs is left.
    func endAdoption() throws {
        guard !adopted.isEmpty else { return }
        try database.run(EndLeases(lanes: adopted.sorted(), holder: lease.name))
    }

    /// At the lane's end. Where rows are left, the lease ends with the session, and they are the relay's at once.
    func endLease() throws {
        guard database.isOpen else { return }
        try database.run(EndLeases(lanes: [lease.name] + adopted, holder: lease.name))
    }

    /// Rows of the lanes that this one does not hold in memory, as many as may come at once.
    func unsent(_ lanes: [String], _ choice: ReadOutbox.Choice, notAmong known: Set<UUID>) throws -> [OutboxRow] {
        if case .only(let keys) = choice, keys.isEmpty { return [] }
        guard !lanes.isEmpty else { return [] }
        return try database.run(
            ReadOutbox(
                lanes: lanes, choice: choice, known: known, countMax: LaneSettings.relayedRowsMax,
                bytesMax: settings.batchBytesMax)
        ).rows
    }

    /// The oldest row of one queue, to find out whether it takes messages again.
    func oldestUnsent(for key: String, notAmong known: Set<UUID>) throws -> OutboxRow? {
        try database.run(
            ReadOutbox(
                lanes: ownLanes, choice: .only([key]), known: known, countMax: 1, bytesMax: settings.batchBytesMax)
        ).rows.first
    }

    /// Those of these rows whose addressee the barrier keeps them from by now.
    func barred(among ids: [UUID]) throws -> Set<UUID> { Set(try database.run(ReadBarredOutbox(eventIDs: ids)).rows) }

    /// Those whose rows this lane sends.
    var ownLanes: [String] { [lease.name] + adopted }
}
