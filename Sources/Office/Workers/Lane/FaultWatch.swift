import AMQP
import Basics
import Logging

/// The faults of one kind of work of a lane: how long to wait between attempts, and what to log.
///
/// A fault is logged when `FaultPace` says so, and once when it has ended.
struct FaultWatch {
    /// The kind of work: `messages`, `sweep` or `relay`.
    let work: String
    private var began: (at: ContinuousClock.Instant, fault: Fault)?
    private var pace = FaultPace()
    private var backoff = AMQP.Backoff(initialSeconds: 0.05, maximumSeconds: FaultWatch.secondsBetweenAttempts)

    /// The maximum wait between attempts. It is short, so that messages that came during a fault are stored soon
    /// after its end.
    static let secondsBetweenAttempts = 1.0

    init(_ work: String) { self.work = work }

    var isOn: Bool { began != nil }

    /// Records a failed attempt.
    /// - Returns: how long to wait before the next attempt, in seconds.
    mutating func met(_ fault: Fault, _ error: any Error, _ logger: Logger) -> Double {
        logger.log(.attemptFailed(work, error))
        if pace.tells(error, isNew: began?.fault.kind != fault.kind) {
            logger.log(.waiting(fault, for: work, attempts: pace.attempts, error))
        }
        began = (began?.at ?? .now, fault)
        return backoff.next()
    }

    /// Records a successful attempt: the fault, if there was one, has ended.
    mutating func over(_ logger: Logger) {
        guard let began else { return }
        let seconds = Int((ContinuousClock.now - began.at).inSeconds.rounded())
        logger.log(.faultEnded(after: seconds, work: work, attempts: pace.attempts))
        self.began = nil
        pace = FaultPace()
        backoff.reset()
    }
}

/// When a fault is logged: once when it begins, once a minute with a count while it lasts; a refused password or
/// certificate also when it becomes the cause.
struct FaultPace {
    private(set) var attempts = 0
    private var refusal: String?
    private var toldAt = ContinuousClock.now

    private static let secondsBetweenReminders = 60.0

    /// Counts a failed attempt, and says whether it is logged.
    mutating func tells(_ error: any Error, isNew: Bool) -> Bool {
        attempts += 1
        let isRefused = Fault.isRefusal(error) && refusal != Fault.words(error)
        if isRefused { refusal = Fault.words(error) }
        guard isNew || isRefused || (ContinuousClock.now - toldAt).inSeconds >= Self.secondsBetweenReminders else {
            return false
        }
        toldAt = .now
        return true
    }
}
