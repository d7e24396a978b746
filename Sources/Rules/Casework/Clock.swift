public import Basics
import Crypto
import Foundation

/// Who owes what a clock watches (责任主体).
public enum Debtor: Hashable, Sendable, CustomStringConvertible {
    case unit(UnitID)
    case person(PersonID)
    case office

    /// Reads `unit.d1`, `person.li` or `office`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("office", 1): self = .office
        case ("unit", 2): if let id = UnitID(parts[1]) { self = .unit(id) } else { return nil }
        case ("person", 2): if let id = PersonID(parts[1]) { self = .person(id) } else { return nil }
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .unit(let id): "unit.\(id)"
        case .person(let id): "person.\(id)"
        case .office: "office"
        }
    }
}

/// What the dates of a clock follow from. They are stored; the dates are derived (`Rulebook.plan(of:)`).
public struct ClockInputs: Hashable, Sendable {
    /// The row of the policy, with the policy's version: `cn-discipline@1/clock-sign`.
    public let rule: String
    public let startedAt: Instant
    /// The edition of the calendar; `nil`: the row counts days of 24 hours.
    public let calendar: String?
    /// Times that do not count (中止), in their order: `2026-03-02T08:00:00Z/2026-03-05T08:00:00Z`.
    public var pauses: [String]
    /// Lengths by which the limit was extended (延期): `30 day`.
    public var extensions: [String]

    public init(
        rule: String, startedAt: Instant, calendar: String? = nil, pauses: [String] = [], extensions: [String] = []
    ) {
        self.rule = rule
        self.startedAt = startedAt
        self.calendar = calendar
        self.pauses = pauses
        self.extensions = extensions
    }
}

/// A clock (时限): what a debtor owes, and until when. It belongs to one subject: a report, a unit or the office.
public struct Clock: Hashable, Sendable {
    /// What a clock is about. There is one clock for a key.
    public struct Key: Hashable, Sendable {
        /// The report of a handoff's clock.
        public let reportID: ReportID?
        public let handoffID: HandoffID?
        /// The unit whose own duty it is. Without report and unit, the duty is the office's.
        public let unit: UnitID?
        /// `sign`, `feedback` or `overdue`; or the id of a row of the policy's duties.
        public let duty: String
        /// The round of a handoff's clock, counted from 1: a conclusion that was sent back starts its clocks again.
        /// The period of a duty: `2026-11`, `2026-Q3`.
        public let period: String

        public init(of handoff: HandoffID, in report: ReportID, duty: String, round: Int) {
            (handoffID, reportID, unit) = (handoff, report, nil)
            (self.duty, period) = (duty, String(round))
        }

        public init(_ reportID: ReportID?, _ handoffID: HandoffID?, _ unit: UnitID?, duty: String, period: String) {
            (self.reportID, self.handoffID, self.unit) = (reportID, handoffID, unit)
            (self.duty, self.period) = (duty, period)
        }

        public var round: Int { Int(period) ?? 1 }

        /// What is locked before the clock is touched, and has the chain in which its steps are entered.
        public var subject: LedgerSubject {
            if let reportID { return .report(reportID) }
            return unit.map { .unit($0) } ?? .office
        }

        /// The id of the clock with this key: the same wherever it is made, and in the order of the starts.
        public func id(startingAt start: Instant) -> ClockID {
            let words = [reportID?.description, handoffID?.description, unit?.rawValue, duty, period]
            let hash = SHA256.hash(data: Array(words.map { $0 ?? "" }.joined(separator: "|").utf8))
            return ClockID(.version7(at: start, filledFrom: Array(hash)))
        }
    }

    public let id: ClockID
    public let key: Key
    /// The `Debtor`, as it is stored.
    public let owedBy: String
    public let inputs: ClockInputs
    public let citation: String?
    /// Derived from the inputs, like `nextAt`: kept, so that the clocks that are due can be found.
    public let dueAt: Instant
    /// Index of the next step of the ladder.
    public private(set) var nextStep: Int
    /// When the clock must be looked at: the time of the next step; after a fault, the time of the next attempt. `nil`
    /// if the clock has ended or its ladder has.
    public private(set) var nextAt: Instant?
    /// Why the clock is set aside: it cannot be worked on. It is tried again at `nextAt`.
    public private(set) var setAside: String?
    public private(set) var endedAt: Instant?
    /// The event that ended it: `signed`, `concluded`, `done`.
    public private(set) var endedBecause: String?
    /// The person who reported a duty as done.
    public private(set) var endedBy: String?

    public init(
        id: ClockID, key: Key, owedBy: String, inputs: ClockInputs, citation: String?, dueAt: Instant, nextStep: Int,
        nextAt: Instant?, setAside: String? = nil, endedAt: Instant? = nil, endedBecause: String? = nil,
        endedBy: String? = nil
    ) {
        self.id = id
        self.key = key
        self.owedBy = owedBy
        self.inputs = inputs
        self.citation = citation
        self.dueAt = dueAt
        self.nextStep = nextStep
        self.nextAt = nextAt
        self.setAside = setAside
        self.endedAt = endedAt
        self.endedBecause = endedBecause
        self.endedBy = endedBy
    }

    /// A clock that starts now, by a plan.
    public init(_ key: Key, owedBy debtor: Debtor, by plan: ClockPlan) {
        self.init(
            id: key.id(startingAt: plan.startedAt), key: key, owedBy: debtor.description,
            inputs: ClockInputs(rule: plan.rule.description, startedAt: plan.startedAt), citation: plan.rule.citation,
            dueAt: plan.dueAt, nextStep: 0, nextAt: plan.steps.first?.at)
    }

    public var isRunning: Bool { endedAt == nil }

    /// Moves to the next step of the ladder.
    public mutating func takeStep(of plan: ClockPlan) {
        nextStep += 1
        look(by: plan)
    }

    /// The clock can be worked on, and its next step is that of the plan.
    public mutating func look(by plan: ClockPlan) {
        nextAt = isRunning && nextStep < plan.steps.count ? plan.steps[nextStep].at : nil
        setAside = nil
    }

    /// Sets the clock aside until a time.
    public mutating func setAside(_ reason: String, until instant: Instant) {
        guard isRunning else { return }
        (setAside, nextAt) = (reason, instant)
    }

    public mutating func end(at instant: Instant, because event: String, by person: String? = nil) {
        (endedAt, endedBecause, endedBy, nextAt, setAside) = (instant, event, person, nil, nil)
    }

    /// Whether this event ends a handoff's clock of this kind.
    public func stops(on stop: ClockStop) -> Bool {
        switch stop {
        case .ended: true
        case .signed: key.duty == ClockRow.Kind.sign.rawValue
        case .answered: key.duty == ClockRow.Kind.feedback.rawValue
        case .concluded: key.duty == ClockRow.Kind.overdue.rawValue
        }
    }
}

/// Clocks that were loaded under the lock of their subject, and what became of them: written in bulk afterwards.
public struct ClockSet: Sendable, RandomAccessCollection {
    private var all: [Clock]
    public private(set) var new: Set<ClockID> = []
    public private(set) var changed: Set<ClockID> = []

    public init(loaded clocks: [Clock] = []) { all = clocks }

    public var startIndex: Int { 0 }
    public var endIndex: Int { all.count }
    public subscript(index: Int) -> Clock { all[index] }

    public subscript(id: ClockID) -> Clock? { all.first { $0.id == id } }

    public mutating func start(_ clock: Clock) {
        all.append(clock)
        new.insert(clock.id)
    }

    public mutating func change(where fits: (Clock) -> Bool, _ change: (inout Clock) -> Void) {
        for index in all.indices where fits(all[index]) {
            change(&all[index])
            if !new.contains(all[index].id) { changed.insert(all[index].id) }
        }
    }

    public mutating func change(_ id: ClockID, _ change: (inout Clock) -> Void) {
        self.change(where: { $0.id == id }, change)
    }
}
