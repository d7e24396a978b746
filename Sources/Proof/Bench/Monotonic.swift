import Foundation

/// Nanoseconds of a clock that cannot be set. Comparable on one machine only.
enum Monotonic {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static func seconds(from start: Int64, to end: Int64) -> Double { Double(end - start) / 1e9 }

    static func sleep(seconds: Double) {
        if seconds > 0 { usleep(UInt32(min(seconds, 60) * 1_000_000)) }
    }
}
