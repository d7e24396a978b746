import Basics

/// A lane's share of the queues of parties. The lanes of all processes of a worker have equal shares, up to one queue.
/// Each lane computes its own from the same rows, so that no lane assigns queues to another.
struct QueueShare: Equatable {
    /// The number of queues that this lane should read.
    let target: Int
    /// Whether another lane has less than its share: only then is a queue given up.
    let othersLack: Bool

    /// - Parameters:
    ///   - count: the number of all queues of parties.
    ///   - lanes: the lanes that read such queues, with the number of queues that each holds.
    init(of count: Int, among lanes: [(lane: String, held: Int)], for name: String) {
        let sorted = lanes.sorted { $0.lane < $1.lane }
        func share(_ place: Int) -> Int {
            count / sorted.count + (place < count % sorted.count ? 1 : 0)
        }
        target = sorted.firstIndex { $0.lane == name }.map(share) ?? 0
        othersLack = sorted.enumerated().contains { $0.element.lane != name && $0.element.held < share($0.offset) }
    }
}

/// What a lane knows of the queues of parties, beside those that it reads.
struct QueueSharing {
    var nextAt = ContinuousClock.now
    /// Queues that do not exist at the broker, and when they are tried again.
    private var missing: [String: ContinuousClock.Instant] = [:]
    /// Whether the lane has had a share since it connected.
    var hasBegun = false
    /// Whether the queue that all parties once shared must be read to its end first.
    var readsRetired = false

    /// How long until the lane compares its queues with its share again.
    var secondsUntilNext: Double { max(0, (nextAt - .now).inSeconds) }

    mutating func note(missing queues: [String]) {
        for queue in queues { missing[queue] = .now + .seconds(LaneSettings.missingSeconds) }
    }

    /// Those of these queues that are not known to be missing.
    mutating func present(among queues: [String]) -> [String] {
        missing = missing.filter { $0.value > .now }
        return queues.filter { missing[$0] == nil }
    }
}
