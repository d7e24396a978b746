import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// A lane's hold on its name: while it lasts, the rows of the outbox under that name are this lane's to send.
///
/// It is renewed while the lane turns. A lane that was stopped for longer finds it taken, and goes on under a new name:
/// what it had not sent is the relay's by then.
struct LaneLease {
    /// Rows of the outbox carry it. At most 60 bytes stay of the first name, so that it fits where a session shows it.
    private(set) var name: String
    /// True once after the name was lost.
    private(set) var wasLost = false
    private let worker: Worker
    private let seconds: Double
    private var renewAt = ContinuousClock.now

    /// Takes the lease of a name, or of a longer one where this is another's, also a dead one's.
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

    /// Several times within the lease, so that one renewal may fail.
    mutating func renewIfDue(in database: Database) throws {
        if ContinuousClock.now >= renewAt { try renew(in: database) }
    }

    /// Ties the lease to this session for its whole time, or goes on under a new name where another has taken it.
    mutating func renew(in database: Database) throws {
        let now = ContinuousClock.now
        if try database.run(RenewLeases(holder: name, seconds: seconds)).rows.contains(name) {
            renewAt = now + .seconds(seconds / 4)
        } else {
            name = Self.fresh(after: name)
            try take(in: database)
        }
    }

    /// Whether the name was lost since this was last asked.
    mutating func takeLoss() -> Bool {
        defer { wasLost = false }
        return wasLost
    }

    /// Of the lanes, those whose rows are this lane's to send from now on.
    func take(_ lanes: [String], in database: Database) throws -> [String] {
        try database.run(TakeLeases(lanes: lanes, worker: worker.rawValue, holder: name, seconds: seconds)).rows
    }

    private mutating func take(in database: Database) throws {
        wasLost = true
        let now = ContinuousClock.now
        guard try take([name], in: database) == [name] else {
            throw LaneFault(reason: "the name \(name) is another lane's")
        }
        renewAt = now + .seconds(seconds / 4)
    }
}
