import Basics
import Foundation

extension PolicyCheck {
    mutating func clockRows() {
        for (index, row) in policy.clocks.enumerated() {
            let path = "clocks[\(index)]"
            self.row(row, path)
            filled(row.handoffKinds, path + ".handoff_kinds")
            allKnown(row.handoffKinds, policy.vocabulary.handoffKinds, "handoff kind", path + ".handoff_kinds")
            startFitsKind(row, path)
            ladder(of: row, path)
        }
        for (index, row) in policy.clocks.enumerated() where !hasEnough && knowsWhen("clocks[\(index)]") {
            let twin = policy.clocks[..<index].first {
                $0.kind == row.kind && $0.starts == row.starts
                    && !Set($0.handoffKinds).isDisjoint(with: row.handoffKinds)
            }
            if let twin {
                report(
                    "clocks[\(index)]",
                    """
                    starts a second \(row.kind.rawValue) clock beside \"\(twin.id)\" for the same handoff: take \
                    one out
                    """
                )
            }
        }
    }

    mutating func dutyRows() {
        let duties = policy.duties ?? []
        for (index, row) in duties.enumerated() {
            let path = "duties[\(index)]"
            self.row(row, path)
            text(row.name, path + ".name")
            if row.id == ApprovalRow.clock { report(path + ".id", "this id stands for approvals: give another") }
            if let twin = duties[..<index].first(where: { $0.name == row.name }) {
                warn(path + ".name", "\"\(twin.id)\" has the same name: nobody can tell the two apart")
            }
            filled(row.unitKinds, path + ".unit_kinds")
            allKnown(row.unitKinds, vocabulary.unitKinds, "unit kind", path + ".unit_kinds")
            if row.owedBy == .office, row.unitKinds != nil, !isBroken(path + ".owed_by") {
                report(path + ".unit_kinds", "goes only with \"owed_by: unit\": take it out")
            }
            ladder(of: row, path)
        }
        if let zone = policy.timeZone {
            if TimeZone(identifier: zone) == nil {
                report("time_zone", "there is no time zone \"\(zone.prefix(40))\"; write one such as Asia/Shanghai")
            }
        } else if !duties.isEmpty {
            report("time_zone", "is missing: duties need it, to know when a month begins")
        }
    }

    mutating func approvalRows() {
        for (index, row) in (policy.approvals ?? []).enumerated() {
            let path = "approvals[\(index)]"
            self.row(row, path)
            filled(row.acts.map(\.rawValue), path + ".acts")
            filled(row.roles.map(\.rawValue), path + ".roles")
            allKnown(row.handoffKinds, vocabulary.handoffKinds, "handoff kind", path + ".handoff_kinds")
            if row.handoffKinds != nil, Set(row.acts).isDisjoint(with: [.recall, .reviewRoute]) {
                report(path + ".handoff_kinds", "none of its acts is about a handoff: take it out")
            }
            ladder(of: row, path)
        }
    }

    /// Checks that every open handoff will have a running clock or a stated reason (invariant 8): a policy without is
    /// refused. `CaseFile.recountClocks` asks again after every event.
    mutating func clocksForEveryKind() {
        guard !isBroken("clocks"), policy.clocks.indices.allSatisfy({ knowsWhen("clocks[\($0)]") }) else { return }
        for (index, kind) in policy.vocabulary.handoffKinds.enumerated() {
            let path = "vocabulary.handoff_kinds[\(index)]"
            if kind.needsApproval {
                warn(
                    path + ".needs_approval",
                    "nobody can approve in this version: such handoffs wait for ever; write false")
            }
            func has(_ clock: ClockRow.Kind, _ start: ClockStart) -> Bool {
                policy.clocks.contains { $0.kind == clock && $0.starts == start && $0.handoffKinds.contains(kind.id) }
            }
            if !has(.sign, .released) {
                report(path, "no sign clock starts when a handoff of this kind is released: add one")
            }
            if kind.resultOwed {
                if !has(.overdue, .signed) {
                    report(path, "a result is owed, but no overdue clock starts with the signature: add one")
                }
                if !has(.overdue, .conclusionSentBack) {
                    report(
                        path, "a result is owed, but no overdue clock starts when a conclusion is sent back: add one")
                }
                if kind.noClockReason != nil {
                    report(path + ".no_clock_reason", "stands only where no result is owed: take it out")
                }
            } else if !has(.overdue, .signed) {
                if let reason = kind.noClockReason {
                    text(reason, path + ".no_clock_reason")
                } else {
                    report(path, "no clock runs after the signature, so no_clock_reason must say why not")
                }
            }
        }
    }

    /// Whether the reader could read what the clock runs for and when it starts.
    private func knowsWhen(_ path: String) -> Bool {
        ["kind", "starts", "handoff_kinds"].allSatisfy { !isBroken("\(path).\($0)") }
    }

    private mutating func startFitsKind(_ row: ClockRow, _ path: String) {
        guard knowsWhen(path) else { return }
        let startsAtRelease = row.starts == .released
        if (row.kind == .sign) != startsAtRelease {
            report(
                path + ".starts",
                "a sign clock starts with \"released\", every other clock after the signature: change starts")
        }
    }

    private mutating func ladder(of row: some TimedRow, _ path: String) {
        span(row.within, path + ".within", from: 1)
        if row.steps.isEmpty { report(path + ".steps", "a clock needs at least one step, or nobody learns of it") }
        for (step, rung) in row.steps.enumerated() { ladder(rung, within: row.within, "\(path).steps[\(step)]") }
        // A row counts at most one more than the limit, so that no `times` overflows the sum.
        if row.steps.reduce(0, { $0 + min($1.times ?? 1, ClockPlan.stepsMax + 1) }) > ClockPlan.stepsMax {
            report(path + ".steps", "a ladder has at most \(ClockPlan.stepsMax) steps")
        }
    }

    private mutating func ladder(_ rung: LadderRow, within: Span, _ path: String) {
        let places = [rung.afterStart, rung.beforeDue, rung.afterDue].compactMap { $0 }
        if places.count != 1 { report(path, "one of after_start, before_due and after_due says when") }
        for (key, span) in [
            ("after_start", rung.afterStart), ("before_due", rung.beforeDue), ("after_due", rung.afterDue),
        ] {
            if let span { self.span(span, "\(path).\(key)", from: 0) }
        }
        if let every = rung.every { span(every, path + ".every", from: 1) }
        if (rung.every == nil) != (rung.times == nil) { report(path, "every and times stand together") }
        if let times = rung.times, !(1...ClockPlan.stepsMax).contains(times) {
            return report(path + ".times", "lies between 1 and \(ClockPlan.stepsMax)")
        }
        timeFitsAction(rung, within: within, path)
    }

    private mutating func timeFitsAction(_ rung: LadderRow, within limit: Span, _ path: String) {
        // If the limit itself is wrong, no step can be checked.
        guard let within = limit.seconds, (1...100_000).contains(limit.length),
            !isBroken(path.prefix { $0 != "]" } + "].within")
        else { return }
        let start = Instant(microsecondsSinceEpoch: 0)
        let due = start.adding(seconds: Double(within))
        let first = rung.first(due: due) { start.adding($0) }
        if first < start { report(path, "comes before the clock starts: shorten before_due") }
        let last = first.adding(seconds: Double(Int64((rung.times ?? 1) - 1) * (rung.every?.seconds ?? 0)))
        if rung.action == .warn, last >= due {
            report(path, "a warning comes before the limit, this one at it or later: shorten it, or write before_due")
        }
        if rung.action == .overdue, first < due { report(path, "overdue comes at the limit or after it") }
    }
}
