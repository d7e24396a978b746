import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// The trial that shows whether a failing message is to blame, and the recovery after a fault.
extension LaneStore {
    /// Tries whether the database works while a message fails: writes an invented report with the statements for
    /// real ones, rolls it back, and commits one row.
    /// - Throws: the error of the trial, if it fails.
    func tryOut(like model: Model) throws {
        try ensureOpen()
        do {
            try database.begin()
            let (likeness, known) = try likeness(of: model)
            let dryRun = try dryRun(on: known)
            try database.run(dryRun.claim)
            try database.pipeline(commands: try dryRun.commands(like: likeness))
            let (locked, handoffs, clocks, held) = dryRun.reading
            try database.pipeline(locked, handoffs, clocks, held)
            try database.execute("SET CONSTRAINTS ALL IMMEDIATE")
            try settings.interrupt?(.beforeCommit)
            try database.rollback()
            try database.run(RecordProbe(worker: desk.worker.rawValue, at: dryRun.office.wall))
            try settings.interrupt?(.afterCommit)
        } catch {
            rollBack()
            throw error
        }
    }

    /// The work in question: a message, or reports of a sweep.
    enum Model {
        case inbound(InboundMessage)
        case reports([ReportID])
    }

    /// The likeness of the report in question, which is about to be registered or already stored.
    private func likeness(of model: Model) throws -> (DryRun.Likeness, Report?) {
        var targets = Targets()
        switch model {
        case .reports(let ids): targets.reports = Array(ids.prefix(1))
        case .inbound(let inbound):
            if case .message(let message) = inbound.content, case .submitted(.report(let submission)) = message.body {
                return (DryRun.Likeness(submission, from: inbound.sender), nil)
            }
            targets = desk.targets(of: inbound)
        }
        guard !targets.reports.isEmpty || !targets.handoffs.isEmpty else { return (DryRun.Likeness(), nil) }
        let reports = try database.run(LockReports(reports: targets.reports, handoffs: targets.handoffs)).rows
        return (reports.first.map { DryRun.Likeness($0) } ?? DryRun.Likeness(), reports.first)
    }

    /// - Parameter known: a report that is locked.
    func dryRun(on known: Report? = nil) throws -> DryRun {
        let office = office(atWall: .wall())
        if desk.worker == .intake {
            return DryRun(in: office, serial: try database.run(TakeReportNumbers(count: 1)).rows.first ?? 0)
        }
        let report = try known ?? database.run(LockAnyFreeReport()).rows.first
        guard let report else { return DryRun(in: office, serial: 0) }
        let (handoffs, barred) = try database.pipeline(
            ReadHandoffs(reports: [report.id]), ReadBarredUnits(reports: [report.id]))
        return DryRun(
            in: office, serial: 0,
            on: .init(report: report, handoffs: handoffs.rows, barred: Set(barred.rows.map(\.1))))
    }

    /// Prepares the connection for the next attempt after a fault.
    func recover(from fault: Fault) {
        switch fault {
        case .readOnly: database.close()
        case .stale: do { try database.prepareAnew() } catch { database.close() }
        case .away, .installation, .suspicion, .costly, .lane: return
        }
    }
}
