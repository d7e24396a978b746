import Basics
import Foundation

/// What one input may cost, and what it did cost.
///
/// Time is the processor's, so that a busy machine hangs nobody. Memory is the greatest that the process had resident
/// during the call, over what it had before.
struct Gauge {
    static let secondsMax = 2.0
    static let bytesMax = 64 << 20

    private(set) var slowestSeconds = 0.0
    private(set) var largestBytes = 0

    /// Runs the reader; throws where it answers wrongly or takes too much.
    mutating func measure(_ reader: Reader, _ bytes: [UInt8]) throws(WrongAnswer) {
        let (before, peakBefore, start) = (Usage.residentBytes, Usage.peakBytes, Usage.seconds)
        try reader.read(bytes)
        let seconds = Usage.seconds - start
        let peak = Usage.peakBytes
        slowestSeconds = max(slowestSeconds, seconds)
        if seconds > Self.secondsMax { throw WrongAnswer("took \(seconds) s") }
        // The peak is of the whole life of the process; what does not move it stayed below.
        guard peak > peakBefore else { return }
        largestBytes = max(largestBytes, peak - before)
        if peak - before > Self.bytesMax { throw WrongAnswer("took \((peak - before) >> 20) MiB") }
    }

    /// The process itself.
    enum Usage {
        static var seconds: Double { CPUTime.ofProcess }

        static var peakBytes: Int {
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return Int(usage.ru_maxrss) << 10
        }

        private static let pages = open("/proc/self/statm", O_RDONLY)

        static var residentBytes: Int {
            var text = [UInt8](repeating: 0, count: 128)
            let count = pread(pages, &text, text.count, 0)
            let words = text.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
            return (words.count > 1 ? Int(String(decoding: words[1], as: UTF8.self)) ?? 0 : 0) << 12
        }

        /// Memory of its own, without files that are mapped.
        static var anonymousBytes: Int {
            let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
            return (line.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0) << 10
        }
    }
}
