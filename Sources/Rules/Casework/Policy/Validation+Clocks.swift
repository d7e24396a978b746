import Basics

extension PolicyCheck {
    mutating func clockRows() {
        for (index, row) in policy.clocks.enumerated() {
            let path = "clocks[\(index)]"
            self.row(row, path)
            filled(row.handoffKinds, path + ".handoff_kinds")
            allKnown(row.handoffKinds, policy.vocabulary.handoffKinds, "handoff kind", path + ".handoff_kinds")
            span(row.within, path + ".within", from: 1)
            startFitsKind(row, path)
            if row.steps.isEmpty { report(path + ".steps", "a clock needs at least one step, or nobody learns of it") }
            for (step, rung) in row.steps.enumerated() { ladder(rung, of: row, "\(path).steps[\(step)]") }
            // A row counts at most one more than the limit, so that no `times` overflows the sum.
            if row.steps.reduce(0, { $0 + min($1.times ?? 1, ClockPlan.stepsMax + 1) }) > ClockPlan.stepsMax {
                report(path + ".steps", "a ladder has at most \(ClockPlan.stepsMax) steps")
            }
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

    private mutating func ladder(_ rung: LadderRow, of row: ClockRow, _ path: String) {
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
        timeFitsAction(rung, of: row, path)
    }

    private mutating func timeFitsAction(_ rung: LadderRow, of row: ClockRow, _ path: String) {
        // If the limit itself is wrong, no step can be checked.
        guard let within = row.within.seconds, (1...100_000).contains(row.within.length),
            !isBroken(path.prefix { $0 != "]" } + "].within")
        else { return }
        let start = Instant(microsecondsSinceEpoch: 0)
        let due = start.adding(seconds: Double(within))
        let first = rung.first(start: start, due: due)
        if first < start { report(path, "comes before the clock starts: shorten before_due") }
        let last = first.adding(seconds: Double(Int64((rung.times ?? 1) - 1) * (rung.every?.seconds ?? 0)))
        if rung.action == .warn, last >= due {
            report(path, "a warning comes before the limit, this one at it or later: shorten it, or write before_due")
        }
        if rung.action == .overdue, first < due { report(path, "overdue comes at the limit or after it") }
    }
}
