public import Basics

extension Rulebook {
    /// The clocks that an event of a handoff starts, with every step of their ladders.
    public func clocks(startedBy start: ClockStart, handoffKind: String, at instant: Instant) -> [ClockPlan] {
        policy.clocks.filter { $0.starts == start && $0.handoffKinds.contains(handoffKind) }.map { row in
            let due = instant.adding(row.within)
            return ClockPlan(
                kind: row.kind.rawValue, startedAt: instant, dueAt: due, rule: reference(row),
                steps: ClockPlan.ladder(row.steps, start: instant, due: due))
        }
    }

    /// Why no clock runs after the signature of an open handoff of this kind (invariant 8).
    public func noClockReason(handoffKind: String) -> String? { handoffKinds[handoffKind]?.noClockReason }
}

extension ClockPlan {
    /// The highest number of steps of one ladder; validation refuses more.
    static let stepsMax = 32

    static func ladder(_ rows: [LadderRow], start: Instant, due: Instant) -> [Step] {
        var rungs: [(at: Instant, order: Int, action: Step.Action)] = []
        for row in rows {
            let first = row.first(start: start, due: due)
            let distance = row.every?.seconds ?? 0
            for index in 0..<(row.times ?? 1) {
                rungs.append((first.adding(seconds: Int64(index) * distance), rungs.count, row.action))
            }
        }
        rungs.sort { ($0.at, $0.order) < ($1.at, $1.order) }
        return rungs.enumerated().map { Step(number: $0.offset + 1, at: $0.element.at, action: $0.element.action) }
    }
}

extension LadderRow {
    func first(start: Instant, due: Instant) -> Instant {
        if let afterStart { return start.adding(afterStart) }
        if let beforeDue { return due.adding(seconds: -(beforeDue.seconds ?? 0)) }
        return due.adding(seconds: afterDue?.seconds ?? 0)
    }
}

extension Instant {
    fileprivate func adding(_ span: Span) -> Instant { adding(seconds: span.seconds ?? 0) }

    /// Adds whole seconds, exact at any distance.
    fileprivate func adding(seconds: Int64) -> Instant {
        Instant(microsecondsSinceEpoch: microsecondsSinceEpoch + seconds * 1_000_000)
    }
}
