public import Basics

/// A row that starts clocks.
protocol TimedRow: PolicyRow {
    /// What its clocks watch: see `Clock.Key.duty`.
    var duty: String { get }
    var within: Span { get }
    var steps: [LadderRow] { get }
}

extension ClockRow: TimedRow {
    var duty: String { kind.rawValue }
}

extension DutyRow: TimedRow {
    var duty: String { id }
}

extension ApprovalRow: TimedRow {
    var duty: String { ApprovalRow.clock }
}

extension Rulebook {
    /// The clocks that an event of a handoff starts, with every step of their ladders.
    public func clocks(startedBy start: ClockStart, handoffKind: String, at instant: Instant) -> [ClockPlan] {
        policy.clocks.filter { $0.starts == start && $0.handoffKinds.contains(handoffKind) }.map {
            plan($0, startedAt: instant)
        }
    }

    /// Derives a clock from its inputs: the same plan whenever it is asked. The rulebook must be the version that the
    /// inputs name. So the row, its citation and the start explain each due date (invariant 8). There is no calendar
    /// yet: no day is skipped.
    /// - Returns: `nil` if an input cannot be read, or names a row or a calendar that is not here.
    public func plan(of inputs: ClockInputs) -> ClockPlan? {
        let pauses = inputs.pauses.map { ClockPause($0) }
        let extensions = inputs.extensions.map { Span($0)?.seconds }
        guard let id = RuleReference.row(of: inputs.rule, in: policy), let row = timedRows[id],
            inputs.calendar == nil, !pauses.contains(nil), !extensions.contains(nil)
        else { return nil }
        return plan(
            row, startedAt: inputs.startedAt, pauses: pauses.compactMap(\.self),
            extendedBy: extensions.compactMap(\.self).reduce(0, +))
    }

    func plan(
        _ row: some TimedRow, startedAt start: Instant, pauses: [ClockPause] = [], extendedBy extension: Int64 = 0
    ) -> ClockPlan {
        func counted(_ span: Span) -> Instant { start.adding(span).after(pauses) }
        let due = counted(row.within).adding(wholeSeconds: `extension`)
        return ClockPlan(
            duty: row.duty, startedAt: start, dueAt: due, rule: reference(row),
            steps: ClockPlan.ladder(row.steps, due: due, afterStart: counted))
    }

    /// Why no clock runs after the signature of an open handoff of this kind (invariant 8).
    public func noClockReason(handoffKind: String) -> String? { handoffKinds[handoffKind]?.noClockReason }
}

/// A time that does not count for a clock.
struct ClockPause: Equatable {
    let from: Instant
    let until: Instant

    /// Reads `2026-03-02T08:00:00Z/2026-03-05T08:00:00Z`.
    init?(_ text: String) {
        let ends = text.split(separator: "/").map { Instant(String($0)) }
        guard ends.count == 2, let from = ends[0], let until = ends[1], from <= until else { return nil }
        (self.from, self.until) = (from, until)
    }
}

extension ClockPlan {
    /// The highest number of steps of one ladder; validation refuses more.
    static let stepsMax = 32

    /// - Parameter afterStart: the time that is a span after the start.
    static func ladder(_ rows: [LadderRow], due: Instant, afterStart: (Span) -> Instant) -> [Step] {
        var rungs: [(at: Instant, order: Int, action: Step.Action)] = []
        for row in rows {
            let first = row.first(due: due, afterStart: afterStart)
            let distance = row.every?.seconds ?? 0
            for index in 0..<(row.times ?? 1) {
                rungs.append((first.adding(wholeSeconds: Int64(index) * distance), rungs.count, row.action))
            }
        }
        rungs.sort { ($0.at, $0.order) < ($1.at, $1.order) }
        return rungs.enumerated().map { Step(number: $0.offset + 1, at: $0.element.at, action: $0.element.action) }
    }
}

extension LadderRow {
    func first(due: Instant, afterStart place: (Span) -> Instant) -> Instant {
        if let afterStart { return place(afterStart) }
        if let beforeDue { return due.adding(wholeSeconds: -(beforeDue.seconds ?? 0)) }
        return due.adding(wholeSeconds: afterDue?.seconds ?? 0)
    }
}

extension RuleReference {
    /// The id of the row of a written reference, if it names this version of the policy.
    static func row(of written: String, in policy: Policy) -> String? {
        let version = policy.versionName + "/"
        return written.hasPrefix(version) ? String(written.dropFirst(version.count)) : nil
    }

    /// The version that a written reference names: `cn-discipline@1`.
    public static func version(of written: String) -> (name: String, number: Int)? {
        let parts = written.prefix { $0 != "/" }.split(separator: "@")
        guard parts.count == 2, let number = Int(parts[1]) else { return nil }
        return (String(parts[0]), number)
    }
}

extension Instant {
    func adding(_ span: Span) -> Instant { adding(wholeSeconds: span.seconds ?? 0) }

    /// Adds whole seconds, exact at any distance.
    func adding(wholeSeconds seconds: Int64) -> Instant {
        Instant(microsecondsSinceEpoch: microsecondsSinceEpoch + seconds * 1_000_000)
    }

    /// The same time if each pause that begins before it does not count.
    fileprivate func after(_ pauses: [ClockPause]) -> Instant {
        pauses.reduce(self) { time, pause in
            guard pause.from < time else { return time }
            let micros = pause.until.microsecondsSinceEpoch - pause.from.microsecondsSinceEpoch
            return Instant(microsecondsSinceEpoch: time.microsecondsSinceEpoch + micros)
        }
    }
}
