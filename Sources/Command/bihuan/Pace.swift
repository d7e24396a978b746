import Basics
import PartyClient

/// A rate limit: each event comes at least one interval after the one before. Time lost in a pause is not made up
/// for, so the rate is never exceeded.
struct Pace {
    private let interval: Duration
    private var earliest: ContinuousClock.Instant?

    init(perSecond rate: Double) { interval = .seconds(1 / rate) }

    /// True if the next event may come now; it then counts.
    mutating func take(at now: ContinuousClock.Instant) -> Bool {
        if let earliest, now < earliest { return false }
        earliest = now + interval
        return true
    }

    /// Seconds until the next event may come; 0 if it may come now.
    func secondsLeft(at now: ContinuousClock.Instant) -> Double { max(0, ((earliest ?? now) - now).inSeconds) }
}
