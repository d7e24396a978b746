/// An hour of an office, as one process saw it.
public struct OfficeHistory: Sendable {
    /// What is kept of a sample.
    enum Measure: CaseIterable, Hashable, Sendable {
        case submit, routing, inbox, acts, notice, command
        case outbox, unsigned, overdue
        /// Rows a minute that came into a table. Acts are what parties sent and the office decided on, without the
        /// reports that were registered; commands and refused reports are among them.
        case reportRate, handoffRate, actRate, outboxRate, stepRate
    }

    struct Point: Sendable {
        /// When the first of its samples was taken, and when the last.
        fileprivate let start: Double
        let time: Double
        /// What is not known is not in it.
        var values: [Measure: Double]
        fileprivate var insertions: [String: Int]?
        fileprivate var insertionsAt: Double?
    }

    static let secondsMax = 3_600.0
    static let pointsMax = 360
    /// Samples within so many seconds make one point: the last one's.
    static let pointSeconds = secondsMax / Double(pointsMax)

    private(set) var points: [Point] = []

    public init() {}

    public mutating func add(_ view: OfficeView) {
        guard let time = [view.databaseAt, view.queuesAt].compactMap(\.self).max() else { return }
        // A wall clock that was set back begins anew where it stands.
        while let last = points.last, last.time > time { points.removeLast() }
        var start = time
        if let last = points.last, time - last.start < Self.pointSeconds {
            start = last.start
            points.removeLast()
        }
        var point = Point(
            start: start, time: time, values: Self.values(of: view), insertions: nil,
            insertionsAt: view.databaseAt)
        point.insertions = view.database.map {
            Dictionary($0.insertions.map { ($0.name, $0.count) }) { first, _ in first }
        }
        if let previous = points.last { point.addRates(since: previous) }
        points.append(point)
        let old = points.prefix { $0.time < time - Self.secondsMax }.count
        points.removeFirst(max(old, points.count - Self.pointsMax))
    }

    private static func values(of view: OfficeView) -> [Measure: Double] {
        var values: [Measure: Double] = [:]
        if let queues = view.queues {
            let depths = StageDepths(queues)
            for stage in OfficeStage.allCases { values[stage.measure] = depths[stage].atLeast.map(Double.init) }
        }
        if let database = view.database {
            values[.outbox] = Double(database.outbox)
            values[.unsigned] = Double(database.unsigned.reduce(0) { $0 + $1.count })
            values[.overdue] = Double(database.overdue)
        }
        return values
    }

    /// The mean over the minute before this sample, which is the last one; `nil` if it is not known.
    func rate(_ measure: Measure, at view: OfficeView) -> Double? {
        guard view.database != nil, let last = points.last else { return nil }
        let known = points.reversed().prefix { $0.time >= last.time - 60 }.compactMap { $0.values[measure] }
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }
}

extension OfficeHistory.Point {
    /// A counter that fell began anew: how much came is not known then.
    fileprivate mutating func addRates(since previous: Self) {
        guard let now = insertions, let before = previous.insertions, let insertionsAt,
            let beforeAt = previous.insertionsAt, insertionsAt > beforeAt
        else { return }
        func perMinute(_ table: String) -> Double? {
            guard let new = now[table], let old = before[table], new >= old else { return nil }
            return Double(new - old) * 60 / (insertionsAt - beforeAt)
        }
        values[.reportRate] = perMinute("report")
        values[.handoffRate] = perMinute("handoff")
        values[.outboxRate] = perMinute("outbox")
        values[.stepRate] = perMinute("clock_step")
        // Each act of a unit leaves a note, except a signature: one for each handoff.
        if let notes = perMinute("handoff_note") { values[.actRate] = notes }
    }
}

extension OfficeStage {
    var measure: OfficeHistory.Measure {
        switch self {
        case .submit: .submit
        case .routing: .routing
        case .inbox: .inbox
        case .acts: .acts
        case .notice: .notice
        case .command: .command
        }
    }
}
