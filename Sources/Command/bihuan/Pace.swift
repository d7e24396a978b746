import Basics
import PartyClient

/// At most so many a second: each comes no sooner than its share of a second after the one before. What a pause cost is
/// not made up for, so that no second sees more.
struct Pace {
    private let interval: Duration
    private var earliest: ContinuousClock.Instant?

    init(perSecond rate: Double) { interval = .seconds(1 / rate) }

    /// Whether it is time for the next one; if so, it counts.
    mutating func take(at now: ContinuousClock.Instant) -> Bool {
        if let earliest, now < earliest { return false }
        earliest = now + interval
        return true
    }

    /// Until it is time; 0 if it is.
    func secondsLeft(at now: ContinuousClock.Instant) -> Double { max(0, ((earliest ?? now) - now).inSeconds) }
}
