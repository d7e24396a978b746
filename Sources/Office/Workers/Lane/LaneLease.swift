import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// A lane's lease of its name: only the holder of the lease sends the outbox rows under that name.
///
/// A running lane renews it. A lane that was stopped for longer than the lease may find it taken; then it
/// continues under a new name, and a relay sends its unsent rows.
struct LaneLease {
    /// The name, as in the outbox rows. A new name keeps the first 40 characters of the old one and has at most
    /// 60, so that it stays readable in the session's name in PostgreSQL.
    private(set) var name: String
    /// Whether the name was lost since `takeLoss` was last called.
    private(set) var wasLost = false
    private let worker: Worker
    private let seconds: Double
    private var renewAt = ContinuousClock.now
    /// Whether the lane reads queues of parties, and so has a share of them.
    private(set) var reads = false

    /// Takes the lease of a name, or of a new name if another lane, running or dead, has that one.
    init(_ name: String, of worker: Worker, seconds: Double, in database: Database) throws {
        (self.name, self.worker, self.seconds) = (name, worker, seconds)
        let taken = try database.run(ReadLeases(worker: worker.rawValue)).rows.contains { $0.lane == name }
        if taken { self.name = Self.fresh(after: name) }
        try take(in: database)
        wasLost = false
    }

    private static func fresh(after name: String) -> String {
        let moment = UUID.version7(at: .wall()).lowercased.prefix(18).suffix(13)
        return "\(name.prefix(40))-\(moment)-\(UInt16.random(in: 0 ... .max))"
    }

    /// Renews the lease if a quarter of its time is over, so that a single renewal may fail.
    mutating func renewIfDue(in database: Database) throws {
        if ContinuousClock.now >= renewAt { try renew(in: database) }
    }

    /// Renews the lease for its whole time and ties it to this session, or takes a new name if another lane has
    /// taken this one.
    mutating func renew(in database: Database) throws {
        let now = ContinuousClock.now
        if try database.run(RenewLeases(holder: name, seconds: seconds, reads: reads)).rows.contains(name) {
            renewAt = now + .seconds(seconds / 4)
        } else {
            name = Self.fresh(after: name)
            try take(in: database)
        }
    }

    /// Stores whether the lane reads queues of parties.
    mutating func renew(reads: Bool, in database: Database) throws {
        guard reads != self.reads else { return }
        self.reads = reads
        try renew(in: database)
    }

    /// Whether the name was lost since the last call.
    mutating func takeLoss() -> Bool {
        defer { wasLost = false }
        return wasLost
    }

    /// Takes the leases of these lanes.
    /// - Returns: those that were taken: this lane sends their rows from now on.
    func take(_ lanes: [String], in database: Database) throws -> [String] {
        try database.run(TakeLeases(lanes: lanes, worker: worker.rawValue, holder: name, seconds: seconds)).rows
    }

    private mutating func take(in database: Database) throws {
        (wasLost, reads) = (true, false)
        let now = ContinuousClock.now
        guard try take([name], in: database) == [name] else {
            throw LaneFault(reason: "the name \(name) is another lane's")
        }
        renewAt = now + .seconds(seconds / 4)
    }
}
