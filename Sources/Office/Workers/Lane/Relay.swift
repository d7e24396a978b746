import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// The relay sends rows that would otherwise stay in the outbox: rows of dead lanes, rows that a lane committed
/// without learning it, and rows whose queue took no messages. The rows stay in the database until there is room
/// for them in memory.
extension LaneStore {
    /// Takes the leases of dead lanes of this worker.
    ///
    /// Only one relay at a time has the lease of a dead lane. Rows under a name without a lease belong to a lane
    /// that was stopped for longer than its lease within a transaction.
    /// - Returns: the lanes whose leases were taken now.
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

    /// Ends the leases of adopted lanes that have no rows left.
    func endAdoption() throws {
        guard !adopted.isEmpty else { return }
        try database.run(EndLeases(lanes: adopted.sorted(), holder: lease.name))
    }

    /// Ends the lane's leases when the lane ends. If rows are left, a lease ends with the session, and a relay
    /// takes the rows at once.
    func endLease() throws {
        guard database.isOpen else { return }
        if desk.worker.readsParties { try free(nil) }
        try database.run(EndLeases(lanes: [lease.name] + adopted, holder: lease.name))
    }

    /// Outbox rows of these lanes that are not in memory, up to `LaneSettings.relayedRowsMax` and `batchBytesMax`.
    func unsent(_ lanes: [String], _ choice: ReadOutbox.Choice, notAmong known: Set<UUID>) throws -> [OutboxRow] {
        if case .only(let keys) = choice, keys.isEmpty { return [] }
        guard !lanes.isEmpty else { return [] }
        return try read(lanes, choice, notAmong: known, countMax: LaneSettings.relayedRowsMax)
    }

    /// The oldest row for a queue, for a trial whether the queue takes messages again.
    func oldestUnsent(for key: String, notAmong known: Set<UUID>) throws -> OutboxRow? {
        try read(ownLanes, .only([key]), notAmong: known, countMax: 1).first
    }

    /// Reads rows back, with the bodies that are stored with their handoffs. The bytes are those that were sent first.
    private func read(
        _ lanes: [String], _ choice: ReadOutbox.Choice, notAmong known: Set<UUID>, countMax: Int
    ) throws -> [OutboxRow] {
        try database.run(
            ReadOutbox(
                lanes: lanes, choice: choice, known: known.union(unreadable),
                opensHandoffs: settings.boxes.id(of: .handoffs) != nil, countMax: countMax,
                bytesMax: settings.batchBytesMax)
        ).rows.compactMap { row, box in
            guard let box, let handoff = row.handoffID else { return row }
            do {
                return row.with(body: try settings.boxes.open(box, of: .handoff(handoff)))
            } catch {
                // It stops no other row.
                unreadable.insert(row.eventID)
                logger.log(.setAside("the stored body of handoff \(handoff) cannot be opened, so it is not sent"))
                return nil
            }
        }
    }

    /// The rows among these whose addressee the barrier excludes by now.
    func barred(among ids: [UUID]) throws -> Set<UUID> { Set(try database.run(ReadBarredOutbox(eventIDs: ids)).rows) }

    /// The names of the lanes whose rows this lane sends.
    var ownLanes: [String] { [lease.name] + adopted }
}
