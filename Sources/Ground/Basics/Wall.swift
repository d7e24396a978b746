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

/// CPU time.
package enum CPUTime {
    /// The CPU time that the calling thread has used, in seconds.
    package static var ofThread: Double { seconds(CLOCK_THREAD_CPUTIME_ID) }
    /// The CPU time that the process has used, in seconds.
    package static var ofProcess: Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// The CPU time that another process has used, in seconds; `nil` if there is no such process.
    package static func ofProcess(_ processID: Int32) -> Double? {
        var clock = clockid_t()
        return clock_getcpuclockid(processID, &clock) == 0 ? seconds(clock) : nil
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
