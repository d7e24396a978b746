import Basics

/// The queues that take no messages now. Rows for them stay in the database; one row at a time tests whether the
/// queue takes messages again.
///
/// Pure: it gets the time and returns decisions. A queue is identified by its routing key.
struct ParkedQueues {
    /// Why a queue is parked.
    enum Cause: String {
        /// It confirms nothing, while the broker confirms messages for other queues: it has no majority, or hangs.
        case silent = "it confirms nothing"
        /// It refused a message: it is full.
        case refusing = "it refuses messages"
    }

    /// A change that the operator should know, reported once each time.
    enum News: Equatable {
        case parked(key: String, Cause)
        case freed(key: String)
    }

    private struct Parking {
        var cause: Cause
        /// Seconds until the next trial.
        var interval = ParkedQueues.firstTrialSeconds
        var triesAt: ContinuousClock.Instant
        var isTrying = false
    }

    static let firstTrialSeconds = 1.0
    static let lastTrialSeconds = 60.0

    private var parkings: [String: Parking] = [:]
    /// Queues that take messages again, and whose rows must be read back.
    private(set) var freed: Set<String> = []
    private var news: [News] = []

    var keys: Set<String> { Set(parkings.keys) }
    func contains(_ key: String) -> Bool { parkings[key] != nil }

    /// Parks a queue that takes no messages. If it was parked and a trial failed, the interval to the next trial
    /// is doubled.
    mutating func park(_ key: String, _ cause: Cause, at now: ContinuousClock.Instant) {
        freed.remove(key)
        guard var parking = parkings[key] else {
            parkings[key] = Parking(cause: cause, triesAt: now + .seconds(ParkedQueues.firstTrialSeconds))
            return news.append(.parked(key: key, cause))
        }
        // Only a trial gives new information; other rows were sent before the queue was parked.
        guard parking.isTrying else { return }
        parking.isTrying = false
        parking.cause = cause
        parking.interval = min(2 * parking.interval, ParkedQueues.lastTrialSeconds)
        parking.triesAt = now + .seconds(parking.interval)
        parkings[key] = parking
    }

    /// Frees a queue: it took a message, or does not exist, or no row waits for it.
    mutating func free(_ key: String) {
        guard parkings.removeValue(forKey: key) != nil else { return }
        freed.insert(key)
        news.append(.freed(key: key))
    }

    /// Records that the queue took a message that was sent before it was parked. A silent queue is then freed. A
    /// full queue may have taken the message before it refused others, because the broker settles in any order.
    mutating func tookEarlier(_ key: String) {
        if parkings[key]?.cause == .silent { free(key) }
    }

    /// The queues that are due for a trial with one row each.
    func due(at now: ContinuousClock.Instant) -> [String] {
        parkings.filter { !$0.value.isTrying && $0.value.triesAt <= now }.keys.sorted()
    }

    mutating func trying(_ key: String) { parkings[key]?.isTrying = true }

    /// Ends all trials, because their connections are closed; they are made again when they are due.
    mutating func forgetTrials() {
        for key in parkings.keys { parkings[key]?.isTrying = false }
    }

    /// Records that no rows for these queues are left to be read back.
    mutating func readBack(_ keys: Set<String>) { freed.subtract(keys) }

    mutating func takeNews() -> [News] {
        defer { news = [] }
        return news
    }
}
