import Foundation

/// Wall time in microseconds since 1970, and waiting for it.
package enum Wall {
    package static var now: Int64 { Instant.wall().microsecondsSinceEpoch }

    package static func pause(seconds: Double) {
        if seconds > 0 { usleep(UInt32(min(seconds, 60) * 1_000_000)) }
    }
}

extension Instant {
    /// Wall time, for what is transport.
    package static func wall() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
