import CRabbitMQ
import Glibc

/// A deadline on the monotonic clock.
struct Deadline {
    private let at: Double

    init(in seconds: Double) {
        at = Deadline.now + max(0, seconds)
    }

    var secondsLeft: Double { max(0, at - Deadline.now) }
    var secondsPast: Double { max(0, Deadline.now - at) }
    /// The time left for `poll`: rounded up, at most a day.
    var millisecondsLeft: Int32 { Int32(min(secondsLeft * 1_000, 86_400_000).rounded(.up)) }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension timeval {
    /// At most a day, because the library adds it to its own clock.
    init(seconds: Double) {
        let bounded = min(max(0, seconds), 86_400)
        let whole = bounded.rounded(.down)
        self.init(tv_sec: Int(whole), tv_usec: Int((bounded - whole) * 1e6))
    }
}
