import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Takes the due steps of clocks (签收提醒, 超期预警): reminds, warns, escalates. Clocks are stored in PostgreSQL; the
/// cost of a sweep depends on the number of due clocks only.
struct DeadlineDesk: Desk {
    let worker = Worker.deadlines
    let batchSizeMax: Int

    func targets(of inbound: InboundMessage) -> Targets { Targets() }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {}

    /// Due reports are read without a lock, and their clocks are checked again under the lock.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [ReportID]) throws -> Sweep? {
        let due = try database.run(ReadDueReports(at: times.now, countMax: batchSizeMax, except: aside)).rows
        guard !due.isEmpty else { return nil }
        let hasMore = due.count * 4 >= batchSizeMax
        return Sweep(reports: due, skipsLocked: true, needs: .names, hasMore: hasMore) { unitOfWork in
            for report in unitOfWork.cases.files.keys.sorted() { unitOfWork.takeDueSteps(of: report) }
        }
    }
}

extension UnitOfWork {
    mutating func takeDueSteps(of id: ReportID) {
        guard let clocks = cases.files[id]?.clocks else { return }
        for clock in clocks {
            if clock.isAtOdds { setAside(clock, report: id) }
            var clock = clock
            while let at = clock.nextAt, at <= now {
                takeStep(of: clock, report: id)
                clock.nextStep += 1
            }
        }
    }

    private mutating func takeStep(of clock: Clock, report id: ReportID) {
        guard var file = cases.files[id], let step = LedgerEvent.ClockStep(next: clock) else { return }
        file.takeStep(of: clock.key)
        file.record(.clockStep(step), at: now, by: office.name)
        cases.files[id] = file
        cases.clockSteps.append(
            ClockStepTaken(key: clock.key, step: step.step, action: step.action.rawValue, takenAt: now))
        send(
            step.action.notice, to: .unit(clock.owedBy), subject: clock.key.handoffID.description,
            data: ClockNotice(
                clock: clock.key.kind, startedAt: clock.startedAt, dueAt: clock.dueAt, step: step.step,
                rule: clock.rule, citation: clock.citation),
            about: .reports([id]), handoff: clock.key.handoffID)
        if step.action == .escalate {
            notifySupervisors("\(clock.key.kind)_escalated", of: clock.key.handoffID, rule: clock.rule, file)
        }
    }

    /// Sets aside a clock that cannot be read. It takes no step, stops no other clock and is not found due again; the
    /// supervisors are notified.
    private mutating func setAside(_ clock: Clock, report id: ReportID) {
        guard let file = cases.files[id] else { return }
        cases.files[id]?.rewrite(clock.key)
        answers.report("the steps of clock \(clock.key.kind) of handoff \(clock.key.handoffID) cannot be read")
        notifySupervisors("\(clock.key.kind)_set_aside", of: clock.key.handoffID, rule: clock.rule, file)
    }
}

extension ClockPlan.Step.Action {
    var notice: MessageType {
        switch self {
        case .remind: .noticeSignDue
        case .warn: .noticeDueSoon
        case .overdue: .noticeOverdue
        case .escalate: .noticeEscalated
        }
    }
}
