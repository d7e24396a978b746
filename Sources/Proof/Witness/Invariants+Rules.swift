import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PartyClient

extension Inquiry {
    /// Invariant 5: nothing about a report reached a barred unit, or a person who may not see it.
    ///
    /// The barred units are computed again from the submissions that the sources sent; otherwise a barrier that
    /// was never entered would not be noticed.
    func barrierStood() -> InvariantLine {
        var line = InvariantLine(
            number: 5, name: "the barrier",
            objects: "deliveries to units and words to persons, reports with their accused")
        var barred: [ReportID: Set<UnitID>] = [:]
        let kinds = facts.policy.ownKind
        for door in records.doors {
            barred[door.reportID] = Set(door.barred)
            guard door.state != .passedUp, let truth = facts.truth(door.source, door.submissionID) else { continue }
            line.checked += 1
            let expected = facts.office.barredUnits(for: truth.accused, kinds: kinds)
            if expected != Set(door.barred) {
                let names = expected.sorted().map(\.rawValue).joined(separator: ", ")
                line.breaches.append(
                    Finding(
                        about: "report \(door.reportID)",
                        what: "the barrier should stand before: \(names.isEmpty ? "nobody" : names)"))
            }
        }
        let unitOfSource = Dictionary(uniqueKeysWithValues: facts.office.sources.map { ("source.\($0.id)", $0.unit) })
        for message in correspondence.received {
            guard let unit = message.party.unitID ?? unitOfSource[message.party]??.rawValue else { continue }
            line.checked += 1
            guard let report = report(named: message.subject, to: message.party),
                barred[report]?.contains(UnitID(unchecked: unit)) == true,
                message.type != MessageType.reportReceived.rawValue
            else { continue }
            line.breaches.append(
                Finding(
                    about: "report \(report)",
                    what: "\(message.party) received \(message.type), though the barrier stands before it"))
        }
        for letter in records.waiting {
            guard let unit = letter.addressee.unitID else { continue }
            line.checked += 1
            for report in letter.reports where barred[report]?.contains(UnitID(unchecked: unit)) == true {
                line.breaches.append(
                    Finding(
                        about: "report \(report)",
                        what:
                            """
                            \(letter.type) waits to be sent to \(letter.addressee), though the barrier stands \
                            before it
                            """
                    ))
            }
        }
        return noticed(line)
    }

    private func noticed(_ line: InvariantLine) -> InvariantLine {
        var line = line
        let kinds = facts.policy.ownKind
        let persons = Dictionary(uniqueKeysWithValues: facts.office.persons.map { ($0.id, $0) })
        for notice in records.notices {
            // A notice about a duty is about no report.
            guard let report = notice.reportID.flatMap({ tables.reportByID[$0] }),
                let truth = facts.truth(report.source.rawValue, report.submissionID),
                let person = persons[notice.person]
            else { continue }
            line.checked += 1
            let isBarred =
                person.unit.map { facts.office.barredUnits(for: truth.accused, kinds: kinds).contains($0) } ?? false
            let isFree = Barrier.isFree(
                personNamed: person.name, recusedFrom: Set(person.recusedFrom), of: truth)
            if isBarred || !isFree {
                line.breaches.append(
                    Finding(
                        about: "report \(report.id)", what: "person.\(person.id) was told of it, who may not handle it")
                )
            }
        }
        return line
    }

    /// The report of a subject, which is a handoff's id or, for a source, its submission's id.
    private func report(named subject: String, to party: String) -> ReportID? {
        if let handoff = tables.handoffByID[subject] { return handoff.reportID }
        return party.sourceID.flatMap { tables.reportsBySubmission[SubmissionKey(source: $0, id: subject)]?.first?.id }
    }

    /// Invariant 8: an open handoff has a running clock or a reason for having none, and every due date follows
    /// from its rule.
    func clocksRan() -> InvariantLine {
        var line = InvariantLine(
            number: 8, name: "every open handoff is watched", objects: "handoffs and clocks",
            checked: records.custody.count + records.clocks.count)
        let rulebook = try? Rulebook(facts.policy)
        var running: [HandoffID: Int] = [:]
        for (clock, stepsTakenAt) in records.clocks.map({ ($0.clock, $0.stepsTakenAt) }) {
            func breach(_ what: String) { line.breaches.append(Finding(about: clock.about, what: what)) }
            if clock.isRunning, let handoff = clock.key.handoffID { running[handoff, default: 0] += 1 }
            guard let plan = rulebook?.plan(of: clock.inputs) else {
                breach("its clock \(clock.key.duty) names the rule \(clock.inputs.rule), which is not in the policy")
                continue
            }
            if plan.duty != clock.key.duty || plan.dueAt != clock.dueAt {
                breach("its clock \(clock.key.duty) is due at \(clock.dueAt), by its rule at \(plan.dueAt)")
            }
            let next = clock.isRunning ? plan.steps.dropFirst(clock.nextStep).first?.at : nil
            if clock.setAside == nil, clock.nextAt != next {
                breach("its clock \(clock.key.duty) is looked at next at another time than its rule says")
            }
            if clock.nextStep != stepsTakenAt.count {
                breach("its clock \(clock.key.duty) counts \(clock.nextStep) steps, \(stepsTakenAt.count) were taken")
            }
            if stepsTakenAt.contains(where: { $0 < clock.inputs.startedAt }) {
                breach("a step of its clock \(clock.key.duty) was taken before the clock began")
            }
        }
        for handoff in records.custody {
            let about = "handoff \(handoff.id)"
            let count = running[handoff.id] ?? 0
            if count != handoff.runningClocks {
                line.breaches.append(
                    Finding(about: about, what: "\(count) clocks run, its row counts \(handoff.runningClocks)"))
            }
            if handoff.state.isOpen, count == 0, handoff.noClockReason == nil {
                line.breaches.append(
                    Finding(
                        about: about,
                        what: "it is \(handoff.state.rawValue), and neither a clock runs nor a reason is given"))
            }
            if !handoff.state.isOpen, count > 0 {
                line.breaches.append(
                    Finding(about: about, what: "it is \(handoff.state.rawValue), and \(count) clocks still run"))
            }
        }
        return line
    }

    /// Invariant 9: every decision names a row of the policy, in a version that the office has.
    func rulesNamed() -> InvariantLine {
        var line = InvariantLine(number: 9, name: "every decision names its rule", objects: "decisions")
        let name = facts.policy.versionName
        let rows = facts.policy.rowIDs
        func judge(_ rule: String, _ about: @autoclosure () -> String) {
            line.checked += 1
            let parts = rule.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[0] == name, records.policies.contains(name), rows.contains(parts[1]) else {
                line.breaches.append(
                    Finding(
                        about: about(),
                        what: "a decision names the rule \(rule.isEmpty ? "(none)" : rule), which no policy here has"))
                return
            }
        }
        for door in records.doors { judge(door.rule, "report \(door.reportID)") }
        for handoff in records.custody { judge(handoff.rule, "handoff \(handoff.id)") }
        for clock in records.clocks.map(\.clock) { judge(clock.inputs.rule, clock.about) }
        for notice in records.notices {
            judge(notice.rule, notice.reportID.map { "report \($0)" } ?? "person \(notice.person)")
        }
        for (chain, story) in evidence.stories {
            for record in story.records {
                if let rule = record.event[.rule] { judge(rule, "report \(chain.lowercased)") }
            }
        }
        return line
    }

    /// Invariant 11: decisions are recorded in business time, transport in wall time.
    func businessTime() -> InvariantLine {
        var line = InvariantLine(number: 11, name: "business time is a parameter", objects: "times")
        let business = facts.clock.instant(atWall: facts.began)...facts.clock.instant(atWall: facts.ended)
        let wall = facts.began...facts.ended
        func judge(_ time: Instant?, in range: ClosedRange<Instant>, _ about: @autoclosure () -> String, _ what: String)
        {
            guard let time else { return }
            line.checked += 1
            if !range.contains(time) {
                line.breaches.append(Finding(about: about(), what: "\(what) at \(time), outside of the run"))
            }
        }
        for (chain, story) in evidence.stories {
            // Units are entered before the run begins.
            for record in story.records {
                if case .entered = record.event { continue }
                judge(record.at, in: business, "chain \(chain.lowercased)", "the ledger tells \"\(record.event.word)\"")
            }
        }
        for door in records.doors {
            judge(door.registeredAt, in: business, "report \(door.reportID)", "it was registered")
        }
        for clock in records.clocks {
            for time in [clock.clock.inputs.startedAt, clock.clock.endedAt] + clock.stepsTakenAt {
                judge(time, in: business, clock.clock.about, "its clock \(clock.clock.key.duty) moved")
            }
        }
        for handoff in records.custody {
            judge(handoff.signedAt, in: business, "handoff \(handoff.id)", "it was signed")
        }
        for row in records.answers {
            judge(row.receivedAt, in: wall, "\(row.sender) \(row.eventID)", "it was received")
        }
        return line
    }
}

extension SampleOffice {
    /// The units that a report about these accused may not reach, computed from the sample itself.
    func barredUnits(for accused: [Accused], kinds: OwnKind?) -> Set<UnitID> {
        let names = UnitNames(units.lazy.map { ($0.id, $0.name) })
        return Barrier.finding(on: accused, among: names, kinds: kinds).roots.reduce(into: []) {
            $0.formUnion(below($1))
        }
    }

    private func below(_ unit: UnitID) -> Set<UnitID> {
        units.filter { $0.parent == unit }.reduce(into: [unit]) { $0.formUnion(below($1.id)) }
    }
}

extension Policy {
    /// The ids of all rows that may decide something.
    fileprivate var rowIDs: Set<String> {
        Set(
            [barrier?.id].compactMap(\.self) + sealed.map(\.id) + scope.rows.map(\.id) + scope.proposals.map(\.id) + [
                scope.otherwise.id, routing.otherwise.id,
            ] + repeats.map(\.id) + routing.rows.map(\.id) + clocks.map(\.id) + (duties ?? []).map(\.id)
                + (approvals ?? []).map(\.id) + [Rulebook.reviewRow]
                + returns.map(\.id) + conclusions.map(\.id))
    }
}

extension Clock {
    /// What a finding about it is about.
    fileprivate var about: String { key.handoffID.map { "handoff \($0)" } ?? key.subject.description }
}

extension HandoffState {
    /// Whether an act is still expected.
    fileprivate var isOpen: Bool {
        switch self {
        case .awaitingApproval, .released, .dispatched, .signed, .inHand, .caseFiled, .concluded: true
        case .returned, .recalled, .undeliverable, .closed: false
        }
    }
}

extension String {
    /// The id after `unit.`.
    fileprivate var unitID: String? { hasPrefix("unit.") ? String(dropFirst("unit.".count)) : nil }
}
