/// The delay before the next connection attempt. It doubles (or grows by `factor`) up to a maximum; each delay is
/// drawn between half of that value and all of it, so that clients that lost the same broker do not reconnect at the
/// same moment.
public struct Backoff: Sendable {
    public let initialSeconds: Double
    public let maximumSeconds: Double
    public let factor: Double
    private var ceilingSeconds: Double

    public init(initialSeconds: Double = 0.1, maximumSeconds: Double = 10, factor: Double = 2) {
        self.initialSeconds = max(0, initialSeconds)
        self.maximumSeconds = max(self.initialSeconds, maximumSeconds)
        self.factor = max(1, factor)
        ceilingSeconds = self.initialSeconds
    }

    /// Seconds to wait before the next attempt.
    public mutating func next() -> Double {
        let ceiling = ceilingSeconds
        ceilingSeconds = min(maximumSeconds, ceiling * factor)
        return Double.random(in: ceiling / 2...ceiling)
    }

    /// Starts again with the initial delay; to be called after a success.
    public mutating func reset() {
        ceilingSeconds = initialSeconds
    }
}
