import AMQP
import Basics
import BrokerTopology
import CaseStore
import Contract
import Foundation
import Observability
import PostgreSQL

/// The queues of parties that this lane reads.
///
/// Each party has a queue of its own, so that a party that floods it delays only itself. One lane at a time reads it:
/// the queue has a single active consumer, so the messages of a party are decided in their order. The lanes of all
/// processes share the queues by leases in the database (`queue_lease`). A lane gives a queue up in three steps: its
/// consumer ends, everything that was delivered is settled, the lease is freed. A lane that ends, or stands still for
/// longer than its lease, loses its queues to the others.
extension Lane {
    /// Aims at this lane's share. Also frees the queues that it gave up before.
    func shareQueues() throws {
        guard desk.worker.readsParties, let store, let consumer else { return }
        // Moved on before anything can fail: the lane sleeps until then, also after a fault.
        let isDue = sharing.secondsUntilNext <= 0
        if isDue { sharing.nextAt = .now + .seconds(LaneSettings.shareIntervalSeconds) }
        try attempt(watchedBy: \.queueWatch) {
            let ended = consumer.takeEnded()
            if !ended.isEmpty { try store.free(ended) }
            if isDue { try aimAtShare(store, consumer) }
        }
        metrics.holds(consumer.held.count, lane: name)
    }

    /// How long the lane may sleep until it looks after its queues again.
    var secondsUntilShare: Double { desk.worker.readsParties ? sharing.secondsUntilNext : .infinity }

    private func aimAtShare(_ store: LaneStore, _ consumer: LaneConsumer) throws {
        sharing.note(missing: consumer.takeVanished())
        try readRetired(store, consumer)
        let wanted =
            sharing.readsRetired
            ? [desk.worker.retiredQueue].compactMap(\.self) : sharing.present(among: try store.partyQueues())
        try consumer.giveUp(consumer.held.filter { !wanted.contains($0) })

        let lanes = try store.shares()
        // Another lane took queues of this one while its session was lost: it begins again.
        guard lanes.first(where: { $0.lane == store.lease.name })?.held == consumer.leased else {
            throw LaneFault(reason: "other lanes have taken queues of this one")
        }
        let share = QueueShare(of: wanted.count, among: lanes, for: store.lease.name)
        let held = consumer.held
        if held.count > share.target, share.othersLack {
            try consumer.giveUp(held.suffix(held.count - share.target))
        } else if held.count < share.target {
            // What another lane gives up for this one waits no longer than that.
            sharing.nextAt = .now + .seconds(LaneSettings.shareIntervalWhileLackingSeconds)
            try take(upTo: share.target - held.count, of: wanted, store, consumer)
        }
        if !sharing.hasBegun {
            sharing.hasBegun = true
            listens()
        }
    }

    /// Takes queues that no lane holds, and reads those that exist.
    private func take(upTo count: Int, of wanted: [String], _ store: LaneStore, _ consumer: LaneConsumer) throws {
        let claimed = try store.claim(wanted, upTo: count)
        guard !claimed.isEmpty else { return }
        let existing: [String]
        do {
            existing = try messages(in: claimed).keys.sorted()
        } catch {
            try store.free(claimed)
            throw error
        }
        let missing = claimed.filter { !existing.contains($0) }
        if !missing.isEmpty {
            try store.free(missing)
            sharing.note(missing: missing)
            // Nobody needs the queue of a party that is no longer active.
            let needed = missing.filter(store.isActive)
            if !needed.isEmpty { logger.log(.queuesMissing(needed)) }
        }
        for queue in existing { if case .unit(let unit)? = Party(ownerOf: queue) { listening[unit] = nil } }
        try consumer.hold(existing)
    }

    /// The ready messages in those of these queues that exist. Asked over a connection of its own: over the lane's, the
    /// answer would come after all deliveries.
    private func messages(in queues: [String]) throws -> [String: Int] {
        var settings = settings.brokerNow
        settings.connectionName = "\(store?.lease.name ?? "") asking for queues"
        let connection = try Broker(settings)
        defer { connection.close() }
        var messages: [String: Int] = [:]
        for queue in queues {
            try consumer?.serve()
            messages[queue] = try connection.messages(in: queue)
        }
        return messages
    }

    /// Frees the queues when the connection to the broker is gone, so that other lanes read them. If the database does
    /// not answer either, they are free because the session is gone.
    func leaveQueues() {
        metrics.holds(0, lane: name)
        guard consumer != nil, desk.worker.readsParties, let store, store.database.isOpen else { return }
        do {
            try store.free(nil)
            try store.reads(false)
        } catch {
            store.disconnect()
        }
    }

    // MARK: Markers

    /// Sends a marker through the queue of each of these units that this lane reads; see `Listening`.
    func markQueues(of units: [UnitID]) throws {
        let held = Set(consumer?.held ?? [])
        for unit in units where held.contains(Topology.Queue.acts(unit)) {
            guard let marker = listening[unit, default: Listening()].nextMarker(at: .wall()) else { continue }
            try outboxPublisher.send(marker: marker, to: Topology.Queue.acts(unit))
        }
    }

    func hear(_ markers: [(queue: String, id: String)]) {
        for (queue, id) in markers {
            guard case .unit(let unit)? = Party(ownerOf: queue) else { continue }
            listening[unit]?.heard([id], at: .wall())
        }
    }

    // MARK: The queue that all parties once shared

    /// While messages are in it, only that queue is read: they came before those in the queues of the parties. The lane
    /// that holds it says when it is at its end.
    private func readRetired(_ store: LaneStore, _ consumer: LaneConsumer) throws {
        guard sharing.readsRetired, let queue = desk.worker.retiredQueue else { return }
        if consumer.held.contains(queue), consumer.isSettled(queue), try messages(in: [queue])[queue] ?? 0 == 0 {
            try store.markReadToEnd(queue, true)
        }
        // Before the broker has the queues of parties, everything still comes to the old one.
        let parties = sharing.present(among: try store.partyQueues())
        guard !parties.isEmpty, try store.isReadToEnd(queue) else { return }
        if try messages(in: Array(parties.prefix(1))).isEmpty {
            sharing.note(missing: parties)
            logger.log(.queuesMissing(parties))
        } else {
            sharing.readsRetired = false
        }
    }

    /// Begins with no queue of a party. Messages in the queue that all parties once shared come first.
    func beginSharing() throws {
        sharing = QueueSharing()
        // Lanes that start together know one another before they take queues, and need not give them up again.
        sharing.nextAt = .now + .seconds(LaneSettings.shareIntervalWhileLackingSeconds)
        listening = [:]
        guard let store, let queue = desk.worker.retiredQueue else { return listens() }
        try store.free(nil)
        if let messages = consumer?.retiredMessages {
            if messages > 0 { try store.markReadToEnd(queue, false) }
            sharing.readsRetired = try !store.isReadToEnd(queue)
        }
        try store.reads(true)
    }
}

/// The database side.
extension LaneStore {
    /// The queues of all parties of this worker, as they are in the directory.
    func partyQueues() throws -> [String] {
        try refreshDirectory()
        let parties = directory.units.keys.map { Party.unit($0) } + directory.sources.keys.map { .source($0) }
        return parties.compactMap(desk.worker.queue(of:))
    }

    /// Whether the owner of a queue still works with the office.
    func isActive(_ queue: String) -> Bool {
        guard case .unit(let unit)? = Party(ownerOf: queue) else { return true }
        return directory.units[unit]?.active ?? false
    }

    func shares() throws -> [(lane: String, held: Int)] {
        try database.run(ReadShares(worker: desk.worker.rawValue)).rows
    }

    func claim(_ queues: [String], upTo count: Int) throws -> [String] {
        try database.run(
            ClaimQueues(queues: queues, worker: desk.worker.rawValue, lane: lease.name, countMax: count)
        ).rows
    }

    /// Frees queues of this lane; all if `nil`.
    func free(_ queues: [String]?) throws { try database.run(FreeQueues(lane: lease.name, queues: queues)) }

    func isReadToEnd(_ queue: String) throws -> Bool { try database.run(IsReadToEnd(queue: queue)).rows.first ?? false }

    func markReadToEnd(_ queue: String, _ isReadToEnd: Bool) throws {
        try database.run(MarkReadToEnd(queue: queue, isReadToEnd: isReadToEnd))
    }
}
