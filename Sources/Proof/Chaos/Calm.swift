import Basics
import CaseStore
import Foundation
import Installation
import Terminal
import Witness

/// The end of a run: nothing is submitted any more, and the office works off what it has.
struct Calm {
    let configuration: OfficeConfiguration
    let journals: URL
    let daysPerSecond: Double

    /// The business days after which even the slowest simulated unit has concluded.
    private static let slowestUnitDays = 110.0

    /// Waits until no act is owed, nothing moves any more, or the time is over.
    /// - Parameter depths: the ready and unacknowledged messages by queue.
    /// - Returns: whether queues, outbox and deferred messages are empty.
    func wait(reports: Int, stop: StopSignal, depths: () throws -> [String: Int]) throws -> Bool {
        Output.note("calm again: waiting until everything has settled …")
        let witness = Witness(
            database: configuration.databaseSettings("bihuan-lab witness"), journals: journals,
            digestKey: try DigestKey(keyFile: configuration.digestKeyFile))
        let slowestSeconds = Self.slowestUnitDays / daysPerSecond + 2
        let end = ContinuousClock.now + .seconds(slowestSeconds + max(90, Double(reports) / 50))
        var movedAt = ContinuousClock.now
        while ContinuousClock.now < end, !stop.isStopped {
            let settling = try witness.settling(queueDepths: [:])
            if !settling.isSettled { movedAt = .now }
            // A state that has not changed for longer than the slowest unit takes will not change.
            if settling.isFinished || ContinuousClock.now - movedAt > .seconds(slowestSeconds),
                try witness.settling(queueDepths: try depths()).isSettled
            {
                return true
            }
            usleep(500_000)
        }
        return false
    }
}
