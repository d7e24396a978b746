import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Takes the due steps of clocks (签收提醒, 超期预警): reminds, warns, escalates; and opens the clocks of duties when a
/// month or quarter is over (月汇总, 办结反馈). Clocks are stored in PostgreSQL; the cost of a sweep depends on the
/// number of due clocks only.
struct DeadlineDesk: Desk {
    let worker = Worker.deadlines
    let batchSizeMax: Int

    // MARK: Commands

    func targets(of inbound: InboundMessage) -> Targets {
        if inbound.policyVersion != nil { return Targets(office: true) }
        guard let duty = inbound.duty else { return Targets() }
        switch duty.debtor {
        case .unit(let unit): return Targets(units: [unit])
        case .office: return Targets(office: true)
        case .person: return Targets()
        }
    }

    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws {
        let keys = Set(
            received.compactMap { $0.duty?.clock } + unitOfWork.cases.approvals.values.map(\.clock))
        if !keys.isEmpty {
            unitOfWork.cases.duties = ClockSet(loaded: try database.run(ReadDuties(keys: Array(keys))).rows)
        }
        let versions = received.compactMap(\.policyVersion) + unitOfWork.approvedVersions
        guard !versions.isEmpty else { return }
        unitOfWork.cases.rulebooks = try ActivePolicy.versions(Set(versions), in: database)
        unitOfWork.cases.activePolicy = try database.run(ReadActivePolicy()).rows.first?.versionName
    }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {
        for inbound in received {
            if inbound.isCommand {
                try unitOfWork.command(inbound) { try $0.activate($1) }
                continue
            }
            do throws(Problem) { try unitOfWork.endDuty(inbound) } catch { unitOfWork.refuse(inbound, [error]) }
        }
    }

    // MARK: Sweeps

    /// Due clocks are read without a lock, and again under the locks of their subjects.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [SweepItem]) throws -> Sweep? {
        let clocks = try dueClocks(reading: database, at: times, except: aside)
        let openings = try DutyOpenings(times, except: aside, countMax: batchSizeMax).find(in: database)
        guard !clocks.isEmpty || !openings.isEmpty else { return nil }
        return Sweep(
            items: clocks.map(\.item) + openings.map(\.item), skipsLocked: true,
            // Who may see an approval depends on all that the report says.
            needs: clocks.contains(where: \.ofApproval) ? .contents : .names,
            hasMore: clocks.count * 4 >= batchSizeMax || !openings.isEmpty,
            load: { unitOfWork, items, database in
                try unitOfWork.loadClocks(of: items, opening: openings.chosen(by: items), from: database)
            },
            giveUp: { unitOfWork, item in
                if let clock = unitOfWork.clock(of: item) { unitOfWork.setAside(clock, "cannot_be_written") }
            },
            work: { unitOfWork, items in
                for item in items { try unitOfWork.takeDueSteps(of: item) }
                for opening in openings.chosen(by: items) { try unitOfWork.open(opening) }
            })
    }

    /// Each lane prefers subjects of its own among those that are longest due, so that lanes at work side by side do
    /// not wait for the same ones; where few are due, each takes them all, and the lock decides.
    private func dueClocks(
        reading database: Database, at times: SweepTimes, except aside: [SweepItem]
    ) throws -> [(item: SweepItem, ofApproval: Bool)] {
        let due = try database.run(
            ReadDueClocks(at: times.now, countMax: 4 * batchSizeMax, except: aside.compactMap(\.clock))
        ).rows.map { (item: SweepItem(clock: $0.id, of: $0.subject), ofApproval: $0.duty == ApprovalRow.clock) }
        guard due.count > batchSizeMax else { return due }
        func rank(_ item: SweepItem) -> Int {
            var hasher = Hasher()
            hasher.combine(times.lane)
            hasher.combine(item.subject)
            return hasher.finalize()
        }
        return due.map { (rank($0.item), $0) }.sorted { $0.0 < $1.0 }.prefix(batchSizeMax).map(\.1)
    }
}

extension SweepItem {
    fileprivate init(clock: ClockID, of subject: LedgerSubject) { self.init(id: clock.description, subject: subject) }

    /// The clock that it is about; `nil` for a duty that begins.
    fileprivate var clock: ClockID? { ClockID(id) }
}

extension InboundMessage {
    /// The duty that a command is about.
    fileprivate var duty: DutyKey? {
        guard case .message(let message) = content, case .dutyCommand = message.body else { return nil }
        return DutyKey(message.envelope.subject)
    }
}

extension UnitOfWork {
    /// How long a clock that cannot be worked on is left alone, in seconds of business time.
    private static let asideSeconds = 3_600.0

    // MARK: Loading

    /// Loads the clocks of units and the office, and the versions of the policy by which all these clocks started.
    fileprivate mutating func loadClocks(
        of items: [SweepItem], opening openings: [DutyOpenings.Task], from database: Database
    ) throws {
        let own = items.filter { $0.subject.kind != .report }.compactMap(\.clock)
        let opened = openings.compactMap(\.key?.clock)
        if !own.isEmpty { cases.duties = ClockSet(loaded: try database.run(ReadClocksByID(ids: own)).rows) }
        if !opened.isEmpty {
            cases.duties = ClockSet(loaded: cases.duties + (try database.run(ReadDuties(keys: opened)).rows))
        }
        if openings.contains(where: { $0.key == nil }) {
            cases.reached = try database.run(ReadDutyOpenings()).rows.compactMap(\.self)
        }
        let approvals = items.compactMap { clock(of: $0)?.approval }
        if !approvals.isEmpty { cases.load(try database.run(ReadApprovals(ids: approvals)).rows) }
        let versions = items.compactMap { clock(of: $0)?.inputs.rule }.compactMap { RuleReference.version(of: $0) }
        let active = office.rulebook.policy
        cases.rulebooks = try ActivePolicy.versions(
            Set(versions.filter { $0 != (active.name, active.version) }.map { "\($0.name)@\($0.number)" }),
            in: database)
    }

    /// The clock of an item, if its subject could be locked.
    fileprivate func clock(of item: SweepItem) -> Clock? {
        guard let id = item.clock, cases.isLoaded(item.subject) else { return nil }
        return item.subject.reportID.map { cases.files[$0]?.clocks[id] } ?? cases.duties[id]
    }

    private mutating func change(_ clock: Clock, _ change: (inout Clock) -> Void) {
        cases.change(clock.id, of: clock.key.reportID, change)
    }

    // MARK: Steps

    /// - Parameter item: a clock. It is not looked at if another lane was quicker.
    fileprivate mutating func takeDueSteps(of item: SweepItem) throws {
        guard var clock = clock(of: item), let at = clock.nextAt, at <= now else { return }
        let isKnown = clock.approval.map { cases.approvals[$0] != nil } ?? true
        guard isKnown, let debtor = Debtor(clock.owedBy), let plan = plan(of: clock), plan.dueAt == clock.dueAt else {
            return setAside(clock, "unreadable")
        }
        if let duty = clock.dutyKey, case .unit(let unit) = debtor, office.directory.units[unit]?.active != true {
            return try lapse(clock, duty)
        }
        // What was kept of the plan may differ from it: after a fault, or if somebody changed it.
        clock.look(by: plan)
        while let at = clock.nextAt, at <= now {
            try takeStep(plan.steps[clock.nextStep], of: clock, owedBy: debtor)
            clock.takeStep(of: plan)
        }
        change(clock) { $0 = clock }
    }

    private func plan(of clock: Clock) -> ClockPlan? {
        let version = RuleReference.version(of: clock.inputs.rule).map { "\($0.name)@\($0.number)" }
        return (version.flatMap { cases.rulebooks[$0] } ?? office.rulebook).plan(of: clock.inputs)
    }

    private mutating func takeStep(_ step: ClockPlan.Step, of clock: Clock, owedBy debtor: Debtor) throws {
        cases.clockSteps.append(
            ClockStepTaken(
                clock: clock.id, step: step.number, action: step.action.rawValue, takenAt: now))
        if let report = clock.key.reportID, let handoff = clock.key.handoffID {
            takeStep(step, of: clock, owedBy: debtor, handoff, report)
        } else if let duty = clock.dutyKey {
            try takeStep(step, of: clock, duty)
        } else if let approval = clock.approval.flatMap({ cases.approvals[$0] }) {
            try record(
                .approvalStep(approval.id, step.action, step: step.number, due: clock.dueAt, rule: clock.inputs.rule),
                of: clock)
            notifyApprovers("approval_\(step.action.rawValue)", of: approval)
            if step.action == .escalate { notifySupervisors("approval_escalated", of: approval) }
        }
    }

    private mutating func takeStep(
        _ step: ClockPlan.Step, of clock: Clock, owedBy debtor: Debtor, _ handoff: HandoffID, _ report: ReportID
    ) {
        guard let entry = LedgerEvent.ClockStep(step, of: clock) else { return }
        let (now, name) = (now, office.name)
        cases.files[report]?.record(.clockStep(entry), at: now, by: name)
        if case .unit(let unit) = debtor {
            send(
                step.action.notice, to: .unit(unit), subject: handoff.description,
                data: ClockNotice(
                    clock: clock.key.duty, startedAt: clock.inputs.startedAt, dueAt: clock.dueAt, step: step.number,
                    rule: clock.inputs.rule, citation: clock.citation),
                about: .reports([report]), handoff: handoff)
        }
        if step.action == .escalate, let file = cases.files[report] {
            notifySupervisors("\(clock.key.duty)_escalated", of: handoff, rule: clock.inputs.rule, file)
        }
    }

    /// A unit gets a message, and a person of the office on escalation; of the office's own duty persons get each step.
    private mutating func takeStep(_ step: ClockPlan.Step, of clock: Clock, _ duty: DutyKey) throws {
        let rule = clock.inputs.rule
        try record(.dutyStep(duty, step.action, step: step.number, due: clock.dueAt, rule: rule), of: clock)
        if case .unit(let unit) = duty.debtor {
            send(
                .noticeDuty, to: .unit(unit), subject: duty.description,
                data: DutyNotice(
                    duty: duty.duty, name: office.rulebook.duty(duty.duty)?.name ?? duty.duty,
                    period: duty.period.description, startedAt: clock.inputs.startedAt, dueAt: clock.dueAt,
                    action: step.action.rawValue, step: step.number, rule: rule, citation: clock.citation),
                about: .noCase)
        }
        if duty.debtor == .office || step.action == .escalate {
            notifySupervisors("duty_\(step.action.rawValue)", of: clock.id, rule: rule)
        }
    }

    /// Sets aside a clock that cannot be worked on. It stops no other clock, and is tried again after a while; the
    /// supervisors are notified once.
    fileprivate mutating func setAside(_ clock: Clock, _ reason: String) {
        let until = now.adding(seconds: Self.asideSeconds)
        change(clock) { $0.setAside(reason, until: until) }
        guard clock.setAside == nil else { return }
        let kind = "\(clock.key.handoffID == nil ? "duty" : clock.key.duty)_set_aside"
        let owner = clock.key.handoffID.map { "handoff \($0)" } ?? clock.key.subject.description
        answers.report("clock \(clock.key.duty) of \(owner) is set aside: \(reason)")
        if let approval = clock.approval.flatMap({ cases.approvals[$0] }) {
            notifySupervisors("approval_set_aside", of: approval)
        } else if let report = clock.key.reportID, let handoff = clock.key.handoffID, let file = cases.files[report] {
            notifySupervisors(kind, of: handoff, rule: clock.inputs.rule, file)
        } else {
            notifySupervisors(kind, of: clock.id, rule: clock.inputs.rule)
        }
    }

    // MARK: Duties

    /// The last step: a unit that is not active owes nothing any more.
    private mutating func lapse(_ clock: Clock, _ duty: DutyKey) throws {
        let now = now
        change(clock) { $0.end(at: now, because: "unit_inactive") }
        try record(.dutyLapsed(duty), of: clock)
    }

    fileprivate mutating func open(_ task: DutyOpenings.Task) throws {
        guard cases.isLoaded(task.item.subject) else { return }
        switch task {
        case .open(let duty):
            guard let row = office.rulebook.duty(duty.duty), let plan = office.rulebook.plan(row, for: duty.period),
                let key = duty.clock, !cases.duties.contains(where: { $0.key == key })
            else { return }
            let clock = Clock(key, owedBy: duty.debtor, by: plan)
            cases.duties.start(clock)
            try record(.dutyOpened(duty, due: clock.dueAt, rule: clock.inputs.rule), of: clock)
        case .reached(let opening): cases.openings.append(opening)
        case .skipped(let opening, let first, let rule):
            // Another lane may have been quicker.
            let reached = cases.reached.first { $0.duty == opening.duty && $0.period.length == first.length }
            guard let reached, reached.period < first else { return }
            cases.openings.append(opening)
            try cases.record(
                .dutiesSkipped(duty: opening.duty, first: first, last: opening.period), in: .office, at: now,
                by: office.name)
            answers.report(
                "duty \(opening.duty) is not asked for \(first) to \(opening.period): the office stood still")
            notifySupervisors("duty_skipped", of: nil, rule: rule)
        }
    }

    /// - Throws: `NotLoaded`: a clock is loaded only if its subject is locked, so that is a fault of the office.
    private mutating func record(_ event: LedgerEvent, of clock: Clock) throws {
        try cases.record(event, in: clock.key.subject, at: now, by: office.name)
    }

    /// Ends the clock of a duty, as a person said that it was done.
    fileprivate mutating func endDuty(_ inbound: InboundMessage) throws(Problem) {
        guard case .person(let id) = inbound.sender, let person = office.directory.persons[id], person.active,
            !person.roles.isDisjoint(with: PersonRole.mayReportDuties)
        else { throw Problem(code: Refusal.notAllowed.rawValue, text: "you may not report duties as done") }
        guard let duty = inbound.duty, let clock = cases.duties.first(where: { $0.key == duty.clock }),
            let chain = cases.chains[clock.key.subject]
        else {
            throw Problem(
                code: "unknown_duty", path: "subject",
                text: "no such duty is owed; one begins when its month or quarter is over")
        }
        guard clock.isRunning else {
            throw Problem(code: "duty_ended", text: "this duty is owed no more: \(clock.endedBecause ?? "ended")")
        }
        let (now, actor) = (now, Party.person(id).description)
        change(clock) { $0.end(at: now, because: "done", by: actor) }
        let act = office.commitment(toAct: inbound.key, of: chain.id)
        do {
            try cases.record(.dutyDone(duty, act: act), in: clock.key.subject, at: now, by: actor)
        } catch { throw Problem(code: "unknown_duty", path: "subject", text: "no such duty is owed") }
        answer(
            inbound.key, to: .person(id), .commandTaken, subject: inbound.subject,
            data: CommandTaken(text: "done; nothing more is asked for it"), about: .noCase)
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
