import Basics
import CaseStore
import Casework
import PostgreSQL

/// Finds the duties whose month or quarter is over and whose clocks are not open yet.
///
/// What is found is done under the lock of the unit or the office, where it is read again: each clock is opened once,
/// whatever the number of lanes. The table `duty_opening` says up to which period all clocks are open.
struct DutyOpenings {
    /// After a long stop the clocks of at most this many periods of a duty are opened; earlier ones are skipped, which
    /// the ledger says.
    static let periodsMax = 3

    enum Task: Sendable {
        /// A debtor has no clock of this duty.
        case open(DutyKey)
        /// All clocks up to this period are open. Also the first task of a new duty, which begins with the period that
        /// is running.
        case reached(DutyOpening)
        /// The clocks up to this period, from `first` on, are not opened.
        case skipped(DutyOpening, first: DutyPeriod, rule: String)
    }

    private let times: SweepTimes
    private let aside: Set<String>
    private let countMax: Int

    init(_ times: SweepTimes, except aside: [SweepItem], countMax: Int) {
        self.times = times
        self.aside = Set(aside.map(\.id))
        self.countMax = countMax
    }

    func find(in database: Database) throws -> [Task] {
        let duties = times.rulebook.policy.duties ?? []
        guard !duties.isEmpty else { return [] }
        let openings = try database.run(ReadDutyOpenings()).rows.compactMap(\.self)
        var tasks: [Task] = []
        for row in duties {
            guard tasks.count < countMax, let last = times.rulebook.lastEnded(row, at: times.now) else { continue }
            let reached = openings.first { $0.duty == row.id && $0.period.length == row.each }?.period
            tasks += try find(row, after: reached, upTo: last, in: database)
        }
        return tasks.filter { !aside.contains($0.item.id) }
    }

    private func find(
        _ row: DutyRow, after reached: DutyPeriod?, upTo last: DutyPeriod, in database: Database
    ) throws -> [Task] {
        guard let reached else { return [.reached(DutyOpening(duty: row.id, period: last))] }
        guard reached < last else { return [] }
        if last.distance(from: reached) > Self.periodsMax {
            let skipped = DutyOpening(duty: row.id, period: last.before(by: Self.periodsMax))
            return [.skipped(skipped, first: reached.next, rule: times.rulebook.rule(of: row))]
        }
        var (tasks, isComplete) = ([Task](), true)
        for number in (0..<last.distance(from: reached)).reversed() {
            let period = last.before(by: number)
            let missing = try debtors(row, without: period, in: database)
            isComplete = isComplete && missing.isEmpty && !isAside(row, period)
            tasks += missing.map { .open($0) }
            if isComplete { tasks.append(.reached(DutyOpening(duty: row.id, period: period))) }
        }
        return tasks
    }

    private func debtors(_ row: DutyRow, without period: DutyPeriod, in database: Database) throws -> [DutyKey] {
        func key(_ debtor: Debtor) -> DutyKey { DutyKey(debtor: debtor, duty: row.id, period: period) }
        switch row.owedBy {
        case .office:
            let own = key(.office)
            let known = try database.run(ReadDuties(keys: [own.clock].compactMap(\.self))).rows
            return known.isEmpty ? [own] : []
        case .unit:
            let left = aside.compactMap { DutyKey($0) }.filter { $0.duty == row.id && $0.period == period }
            let units = ReadUnitsWithoutDuty(
                duty: row.id, period: period.description, kinds: row.unitKinds ?? [],
                except: left.compactMap { if case .unit(let unit) = $0.debtor { unit.rawValue } else { nil } },
                countMax: countMax)
            return try database.run(units).rows.map { key(.unit($0)) }
        }
    }

    /// Whether a debtor of this period is left out for now: then the period is not complete.
    private func isAside(_ row: DutyRow, _ period: DutyPeriod) -> Bool {
        aside.contains { DutyKey($0).map { $0.duty == row.id && $0.period == period } ?? false }
    }
}

extension DutyOpenings.Task {
    var key: DutyKey? {
        switch self {
        case .open(let key): key
        case .reached, .skipped: nil
        }
    }

    var item: SweepItem {
        switch self {
        case .open(let key):
            if case .unit(let unit) = key.debtor {
                SweepItem(id: key.description, subject: .unit(unit))
            } else {
                SweepItem(id: key.description, subject: .office)
            }
        case .reached(let opening), .skipped(let opening, _, _):
            SweepItem(id: "\(opening.duty) up to \(opening.period)", subject: .office)
        }
    }
}

extension [DutyOpenings.Task] {
    func chosen(by items: [SweepItem]) -> Self {
        let chosen = Set(items)
        return filter { chosen.contains($0.item) }
    }
}
