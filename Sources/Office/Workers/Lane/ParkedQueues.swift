import Basics

/// The queues that take no messages now: rows for them stay in the database, one of them at a time tries whether that
/// is over.
///
/// Pure: moments in, decisions out. Queues are known by the routing keys that lead to them.
struct ParkedQueues {
    /// Why a queue is passed over.
    enum Cause: String {
        /// It confirms nothing, while the broker confirms what goes elsewhere: it has no majority, or hangs.
        case silent = "it confirms nothing"
        /// It refused a message: it is full.
        case refusing = "it refuses messages"
    }

    /// What an operator should know, once each time.
    enum News: Equatable {
        case parked(key: String, Cause)
        case freed(key: String)
    }

    private struct Parking {
        var cause: Cause
        /// Seconds until the next row tries.
        var interval = ParkedQueues.firstTrialSeconds
        var triesAt: ContinuousClock.Instant
        var isTrying = false
    }

    static let firstTrialSeconds = 1.0
    static let lastTrialSeconds = 60.0

    private var parkings: [String: Parking] = [:]
    /// Queues that take messages again, whose rows are to be read back.
    private(set) var freed: Set<String> = []
    private var news: [News] = []

    var keys: Set<String> { Set(parkings.keys) }
    func contains(_ key: String) -> Bool { parkings[key] != nil }

    /// The queue takes nothing: it is parked, or, where it was, left alone for twice as long as before.
    mutating func park(_ key: String, _ cause: Cause, at now: ContinuousClock.Instant) {
        freed.remove(key)
        guard var parking = parkings[key] else {
            parkings[key] = Parking(cause: cause, triesAt: now + .seconds(ParkedQueues.firstTrialSeconds))
            return news.append(.parked(key: key, cause))
        }
        // Only a row that tried says something new; the others were sent before.
        guard parking.isTrying else { return }
        parking.isTrying = false
        parking.cause = cause
        parking.interval = min(2 * parking.interval, ParkedQueues.lastTrialSeconds)
        parking.triesAt = now + .seconds(parking.interval)
        parkings[key] = parking
    }

    /// The queue took a message, or is gone, or nothing waits for it.
    mutating func free(_ key: String) {
        guard parkings.removeValue(forKey: key) != nil else { return }
        freed.insert(key)
        news.append(.freed(key: key))
    }

    /// The queue took a message that was sent before it was parked. Of one that was silent that is a sign of life; a
    /// full one may have taken it before it refused others, since the broker settles in any order.
    mutating func tookEarlier(_ key: String) {
        if parkings[key]?.cause == .silent { free(key) }
    }

    /// Queues that are to be tried with one row each.
    func due(at now: ContinuousClock.Instant) -> [String] {
        parkings.filter { !$0.value.isTrying && $0.value.triesAt <= now }.keys.sorted()
    }

    mutating func trying(_ key: String) { parkings[key]?.isTrying = true }

    /// The connection over which rows tried is gone: they try again when it is time.
    mutating func forgetTrials() {
        for key in parkings.keys { parkings[key]?.isTrying = false }
    }

    /// Nothing of these is left in the database.
    mutating func readBack(_ keys: Set<String>) { freed.subtract(keys) }

    mutating func takeNews() -> [News] {
        defer { news = [] }
        return news
    }
}
