import AMQP
import Basics
import Logging

/// One kind of work of a lane while it cannot be done: how long to wait between attempts, and what is said of it.
///
/// A fault is told once when it begins, once a minute with a count while it lasts, and once when it has ended.
struct FaultWatch {
    /// What cannot be done, in a word: `messages`, `sweep`, `relay`.
    let work: String
    private var began: (at: ContinuousClock.Instant, fault: Fault)?
    private var attempts = 0
    private var toldAt = ContinuousClock.now
    private var backoff = AMQP.Backoff(initialSeconds: 0.05, maximumSeconds: FaultWatch.secondsBetweenAttempts)

    /// What came while a fault lasted is to be in the books soon after its end.
    static let secondsBetweenAttempts = 1.0
    static let secondsBetweenReminders = 60.0

    init(_ work: String) { self.work = work }

    var isOn: Bool { began != nil }

    /// An attempt failed. Returns for how long to wait before the next, in seconds.
    mutating func met(_ fault: Fault, _ error: any Error, _ logger: Logger) -> Double {
        attempts += 1
        logger.log(.attemptFailed(work, error))
        let isNew = began == nil || began?.fault.kind != fault.kind
        if isNew || (ContinuousClock.now - toldAt).inSeconds >= Self.secondsBetweenReminders {
            logger.log(.waiting(fault, for: work, attempts: attempts, error))
            toldAt = .now
        }
        began = (began?.at ?? .now, fault)
        return backoff.next()
    }

    /// The work was done.
    mutating func over(_ logger: Logger) {
        guard let began else { return }
        let seconds = Int((ContinuousClock.now - began.at).inSeconds.rounded())
        logger.log(.faultEnded(after: seconds, work: work, attempts: attempts))
        self.began = nil
        attempts = 0
        backoff.reset()
    }
}
