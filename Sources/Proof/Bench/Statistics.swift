import Histogram

/// The median and the range of several rounds. Machines are noisy, and a mean would include the noise.
package struct Spread: Equatable, Sendable {
    let median: Double
    let min: Double
    let max: Double

    /// `values` must not be empty. For an even number the median is the mean of the two middle values.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}

enum BenchArithmetic {
    /// Messages a second from the `first`-th arrival to the last, without the start of the workers, and true. If
    /// no time lies between the two: from `started` to the last arrival, and false.
    /// - Parameter arrivals: monotonic nanoseconds, in order, at least one.
    static func perSecond(_ arrivals: [Int64], from first: Int, started: Int64) -> (rate: Double, isWithoutStart: Bool)
    {
        let last = arrivals[arrivals.count - 1]
        let begin = min(max(first, 1), arrivals.count)
        let seconds = Monotonic.seconds(from: arrivals[begin - 1], to: last)
        if seconds > 0 { return (Double(arrivals.count - begin) / seconds, true) }
        return (Double(arrivals.count) / max(Monotonic.seconds(from: started, to: last), 1e-9), false)
    }
}

/// The times between an intended sending and an arrival, in nanoseconds, to three digits and up to an hour.
struct Latencies: Sendable {
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)

    var count: Int { Int(histogram.totalCount) }

    mutating func record(nanoseconds: Int64) {
        histogram.record(min(UInt64(max(0, nanoseconds)), histogram.highestTrackableValue))
    }

    mutating func add(_ others: Latencies) { histogram.add(others.histogram) }

    /// The time within which `percent` of the messages arrived, in milliseconds; 0 if none did.
    func milliseconds(percentile percent: Double) -> Double {
        count == 0 ? 0 : Double(histogram.valueAtPercentile(percent)) / 1e6
    }

    var maximumMilliseconds: Double { count == 0 ? 0 : Double(histogram.maxRecorded) / 1e6 }
}
