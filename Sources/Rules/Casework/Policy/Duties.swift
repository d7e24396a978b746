public import Basics
public import Foundation

/// A calendar month or quarter for which a duty is owed: `2026-11`, `2026-Q3`. Those of one length are ordered.
public struct DutyPeriod: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let length: DutyRow.Length
    /// Periods since the year 0.
    private let number: Int

    private init(_ length: DutyRow.Length, number: Int) { (self.length, self.number) = (length, number) }

    /// The period that a moment is in, by the calendar of a zone.
    public init(_ length: DutyRow.Length, containing instant: Instant, in zone: TimeZone) {
        let (year, month, _) = CivilDate(of: instant, in: zone).components
        self.init(length, number: year * length.perYear + (month - 1) / length.months)
    }

    /// Reads the written form; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 4, let year = Int(parts[0]) else { return nil }
        let length: DutyRow.Length = parts[1].hasPrefix("Q") ? .quarter : .month
        let part = Int(parts[1].drop { $0 == "Q" })
        guard let part, (1...length.perYear).contains(part) else { return nil }
        self.init(length, number: year * length.perYear + part - 1)
        guard description == text else { return nil }
    }

    public var next: DutyPeriod { DutyPeriod(length, number: number + 1) }
    public var previous: DutyPeriod { DutyPeriod(length, number: number - 1) }
    /// The number of periods from another to this one.
    public func distance(from earlier: DutyPeriod) -> Int { number - earlier.number }
    public func before(by count: Int) -> DutyPeriod { DutyPeriod(length, number: number - count) }

    /// The moment at which it is over: the first of the next period's first day in the zone.
    public func end(in zone: TimeZone) -> Instant {
        let (year, part) = (next.number / length.perYear, next.number % length.perYear)
        guard let day = CivilDate(year: year, month: part * length.months + 1, day: 1) else {
            return Instant(microsecondsSinceEpoch: .max)
        }
        return zone.start(of: day)
    }

    public var description: String {
        let (year, part) = (number / length.perYear, number % length.perYear + 1)
        func padded(_ number: Int, _ width: Int) -> String {
            String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
        }
        return padded(year, 4) + "-" + (length == .quarter ? "Q\(part)" : padded(part, 2))
    }

    public static func < (left: DutyPeriod, right: DutyPeriod) -> Bool { left.number < right.number }
}

extension DutyRow.Length {
    fileprivate var months: Int {
        switch self {
        case .month: 1
        case .quarter: 3
        }
    }
    fileprivate var perYear: Int { 12 / months }
}

extension CivilDate {
    /// The day that a moment is in, by the calendar of a zone.
    public init(of instant: Instant, in zone: TimeZone) {
        let local = instant.adding(wholeSeconds: Int64(zone.offset(at: instant))).microsecondsSinceEpoch
        self.init(daysSinceEpoch: Int((local >= 0 ? local : local - 86_399_999_999) / 86_400_000_000))
    }
}

extension TimeZone {
    fileprivate func offset(at instant: Instant) -> Int {
        secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant.microsecondsSinceEpoch) / 1_000_000))
    }

    /// The first moment of a day. Where the clocks go forward at midnight, the day begins later by that much; where
    /// they go back to before midnight, it begins when midnight comes for the first time.
    public func start(of day: CivilDate) -> Instant {
        let midnight = Instant(startOf: day)
        let around: Int64 = 25 * 3_600
        let (before, after) = (
            offset(at: midnight.adding(wholeSeconds: -around)), offset(at: midnight.adding(wholeSeconds: around))
        )
        let candidates = [before, after].map { midnight.adding(wholeSeconds: -Int64($0)) }
        let real = zip(candidates, [before, after]).filter { offset(at: $0) == $1 }.map(\.0)
        // No clock shows this midnight: the gap begins at it, counted by the clocks before the change.
        return real.min() ?? candidates[0]
    }
}

/// What a unit or the office owes for one period, in its written form: `office/duty-summary/2026-10`,
/// `unit.d1/duty-return/2026-Q3`. Messages about it have this as their subject.
public struct DutyKey: Hashable, Sendable, CustomStringConvertible {
    public let debtor: Debtor
    /// The id of the row of the policy.
    public let duty: String
    public let period: DutyPeriod

    public init(debtor: Debtor, duty: String, period: DutyPeriod) {
        (self.debtor, self.duty, self.period) = (debtor, duty, period)
    }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let debtor = Debtor(parts[0]), UnitID(parts[1]) != nil,
            let period = DutyPeriod(String(parts[2]))
        else { return nil }
        self.init(debtor: debtor, duty: String(parts[1]), period: period)
    }

    public var description: String { "\(debtor)/\(duty)/\(period)" }

    /// The key of its clock; `nil`: only units and the office owe duties.
    public var clock: Clock.Key? {
        switch debtor {
        case .unit(let unit): Clock.Key(nil, nil, unit, duty: duty, period: period.description)
        case .office: Clock.Key(nil, nil, nil, duty: duty, period: period.description)
        case .person: nil
        }
    }
}

extension Clock {
    /// The duty that it watches; `nil` for a clock of a handoff, and for one whose words cannot be read.
    public var dutyKey: DutyKey? {
        guard key.handoffID == nil, let debtor = Debtor(owedBy), let period = DutyPeriod(key.period) else { return nil }
        return DutyKey(debtor: debtor, duty: key.duty, period: period)
    }
}

extension Rulebook {
    /// The office's zone, in which months and quarters begin; `nil`: the policy has no duties.
    public var zone: TimeZone? { policy.timeZone.flatMap { TimeZone(identifier: $0) } }

    /// The last period of a duty that is over.
    public func lastEnded(_ row: DutyRow, at now: Instant) -> DutyPeriod? {
        zone.map { DutyPeriod(row.each, containing: now, in: $0).previous }
    }

    /// The clock of a duty: it starts when the period is over.
    public func plan(_ row: DutyRow, for period: DutyPeriod) -> ClockPlan? {
        zone.map { plan(row, startedAt: period.end(in: $0)) }
    }

    public func duty(_ id: String) -> DutyRow? { policy.duties?.first { $0.id == id } }

    /// The written reference to the row of a duty.
    public func rule(of row: DutyRow) -> String { reference(row).description }
}
