/// How long to wait before connecting again: doubling (or `factor`) up to a maximum, each wait drawn between half of
/// that and all of it, so that clients that lost one broker do not come back in step.
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

    /// After success: the next wait is the first again.
    public mutating func reset() {
        ceilingSeconds = initialSeconds
    }
}
