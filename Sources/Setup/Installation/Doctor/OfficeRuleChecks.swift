import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Terminal
import Workers

// The policy, and whether the office has whom it speaks of.

extension DoctorCheck {
    static let officeRules = [
        DoctorCheck("office.policy", "a policy is active, and this program can read it", needs: [.database]) {
            patient in
            do {
                let policy = try patient.policy().policy
                return [.note(policy.versionName)]
            } catch let fault as ActivePolicy.Fault {
                return [
                    .wrong(fault.description, do: "`bihuan policy activate FILE` with a policy that this program reads")
                ]
            }
        },
        DoctorCheck("office.parties", "units and sources that the policy needs", needs: [.database, .policy], parties),
        DoctorCheck("office.staff", "persons who must act are there", needs: [.database, .policy], staff),
        DoctorCheck("office.calendar", "days that count only if they are working days", needs: [.policy, .database]) {
            patient in
            let policy = try patient.policy().policy
            let spans =
                policy.clocks.map(\.within) + (policy.duties ?? []).map(\.within)
                + (policy.clocks.flatMap(\.steps) + (policy.duties ?? []).flatMap(\.steps)).flatMap {
                    [$0.afterStart, $0.beforeDue, $0.afterDue, $0.every].compactMap(\.self)
                }
            if spans.allSatisfy({ $0.seconds != nil }) { return [.note("no row counts working days")] }
            let calendars = try patient.ask(ReadCalendarReach())
            if calendars.isEmpty {
                return [.wrong("rows count working days, and no calendar is entered", do: "enter the published days")]
            }
            let now = Date(timeIntervalSince1970: Double(try patient.configuration().now.microsecondsSinceEpoch) / 1e6)
            return calendars.map { calendar, last in
                let until = Double(last.daysSinceEpoch) * 86_400 - now.timeIntervalSince1970
                let day = last.components.map { "\($0.year)-\($0.month)-\($0.day)" } ?? "for ever"
                let text = "the days of the calendar \(calendar) are published up to \(day)"
                return until > 60 * 86_400
                    ? .note(text)
                    : until > 0
                        ? .risky(text, do: "enter the next year's days") : .wrong(text, do: "enter this year's days")
            }
        },
    ]

    private static func parties(_ patient: Patient) throws -> [Finding] {
        let (policy, parties) = (try patient.policy().policy, try patient.parties())
        let kinds = Set(parties.units.filter(\.active).map(\.kind))
        var findings: [Finding] = []
        if parties.sources.isEmpty {
            findings.append(
                .wrong("there is no source, so nobody can report anything", do: "enter one: `bihuan setup --office`"))
        }
        let rows =
            policy.routing.rows.map { ($0.id, $0.to.unitKinds) } + policy.sealed.map { ($0.id, [$0.unitKind]) }
        var lacking: [String: [String]] = [:]
        for (row, wanted) in rows where kinds.isDisjoint(with: wanted) {
            lacking[wanted.sorted().joined(separator: ", "), default: []].append(row)
        }
        for (wanted, rows) in lacking.sorted(by: { $0.key < $1.key }) {
            findings.append(
                .risky(
                    "no active unit is of the kind \(wanted), to which the rows \(names(rows)) send",
                    do: "enter such a unit, or take the rows out of the policy; until then such reports go to review"))
        }
        if let caseOffice = policy.caseOffice,
            !parties.units.contains(where: { $0.id == caseOffice && $0.active })
        {
            findings.append(
                .risky(
                    "the policy's case_office, \(caseOffice), is no active unit",
                    do: "enter the unit \(caseOffice), or correct case_office in the policy"))
        }
        return findings
    }

    private static func staff(_ patient: Patient) throws -> [Finding] {
        let (policy, parties) = (try patient.policy().policy, try patient.parties())
        let active = parties.persons.filter(\.active)
        func has(_ role: PersonRole) -> Bool { active.contains { $0.roles.contains(role.rawValue) } }
        let advice =
            "enter one: add the person to the office's file and run `bihuan setup`, then `bihuan topology apply`"
        if !has(.leader), !has(.supervisor) {
            return [
                .wrong(
                    "no active person is a leader or a supervisor: nobody is told of escalations, or may recall",
                    do: advice)
            ]
        }
        var findings: [Finding] = []
        if !has(.supervisor) {
            findings.append(
                .risky(
                    "no active person is a supervisor: escalations and sealed reports have nobody", do: advice))
        }
        if !has(.leader), policy.vocabulary.handoffKinds.contains(where: \.needsApproval) {
            findings.append(
                .risky("no active person is a leader, and the policy has handoffs that need approval", do: advice))
        }
        for row in policy.approvals ?? [] {
            guard !row.roles.contains(where: has) else { continue }
            let roles = row.roles.map(\.rawValue).joined(separator: ", ")
            findings.append(
                .risky("no active person may approve what \(row.id) of the policy asks for (\(roles))", do: advice))
        }
        if !has(.operator) {
            findings.append(.note("no active person is an operator, who alone may settle dead letters"))
        }
        return findings
    }
}
