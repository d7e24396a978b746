import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient

extension Evidence {
    /// Counts the result of each submission.
    package func count(into testimony: inout Testimony) {
        testimony.submitted = journals.submissions.count
        for (key, published) in journals.submissions.sorted(by: { $0.key < $1.key }) {
            if let report = tables.reportsBySubmission[key]?.first {
                testimony.registered += 1
                count(report, into: &testimony)
                if report.digest != digestKey.digest([UInt8](hexadecimal: published.digest) ?? [], for: .acts) {
                    testimony.lost.append(
                        Finding(about: "\(key)", what: "what stands in the tables has other bytes than what was sent"))
                }
            } else if tables.deadLetters[ActKey(party: "source.\(key.source)", id: key.id)] != nil {
                testimony.dead += 1
            } else if journals.answers[key]?.contains(where: { $0.type == MessageType.reportRejected.rawValue }) == true
            {
                testimony.rejected += 1
            } else if journals.answers[key] != nil {
                testimony.lost.append(
                    Finding(about: "\(key)", what: "it was answered as taken, but does not stand in the tables"))
            } else {
                testimony.lost.append(
                    Finding(
                        about: "\(key)", what: "the broker confirmed it, but it was neither registered nor answered"))
            }
        }
    }

    private func count(_ report: Report, into testimony: inout Testimony) {
        switch report.standing {
        case .closed: testimony.closed += 1
        case .notAccepted: testimony.notAccepted += 1
        case .repeated: testimony.repeats += 1
        case .inReview: testimony.inReview += 1
        case .passedUp: testimony.passedUp += 1
        case .open:
            testimony.open += 1
            testimony.openReports.append(
                .init(number: report.displayNumber, state: report.state.rawValue, reason: openReason(report)))
        }
    }

    /// Why an accepted report is not closed.
    private func openReason(_ report: Report) -> String {
        guard let handoff = tables.handoffsByReport[report.id]?.max(by: { $0.attempt < $1.attempt }) else {
            return report.reason ?? "not routed yet"
        }
        let place = "handoff \(handoff.attempt) with \(handoff.unit)"
        switch handoff.state {
        case .awaitingApproval: return "\(place) awaits approval"
        case .released: return "\(place) is on its way"
        case .dispatched: return "\(place) is not signed for"
        case .signed, .inHand, .caseFiled: return "\(place) is in hand"
        case .concluded: return "\(place) is concluded and not judged"
        case .returned: return report.reason ?? "\(place) was returned (\(handoff.endedBecause ?? "no reason"))"
        case .recalled: return "\(place) was recalled"
        case .undeliverable: return "\(place) could not be delivered"
        case .closed: return "\(place) is closed, the report is not"
        }
    }

    // MARK: Tables

    func tabulate(into testimony: inout Testimony) {
        let counted = journals.submissions.keys.compactMap { tables.reportsBySubmission[$0]?.first }
        testimony.sources = sourceRows(counted)
        testimony.states = Dictionary(grouping: counted, by: \.state).map {
            .init(state: $0.key.rawValue, count: $0.value.count)
        }
        .sorted { $0.state < $1.state }
        testimony.authorities = Dictionary(
            grouping: counted.filter { $0.state == .notAccepted }, by: { $0.authority ?? "none" }
        )
        .map { .init(authority: $0.key, count: $0.value.count) }.sorted {
            ($1.count, $0.authority) < ($0.count, $1.authority)
        }
        testimony.units = unitRows()
        testimony.latency = latency(counted)
        testimony.statesNeverSeen = statesNeverSeen()
    }

    private func sourceRows(_ counted: [Report]) -> [Testimony.SourceRow] {
        var rows: [String: Testimony.SourceRow] = [:]
        for key in journals.submissions.keys { rows[key.source, default: .init(source: key.source)].submitted += 1 }
        for report in counted {
            let isClosed = report.standing == .closed
            if isClosed || report.standing == .open { rows[report.source.rawValue]?.accepted += 1 }
            if isClosed { rows[report.source.rawValue]?.closed += 1 }
        }
        return rows.values.sorted { $0.source < $1.source }
    }

    private func unitRows() -> [Testimony.UnitRow] {
        var rows: [String: Testimony.UnitRow] = [:]
        for handoff in tables.handoffs {
            let unit = handoff.unit.rawValue
            var row = rows[unit] ?? .init(unit: unit)
            row.handedOff += 1
            if handoff.signedAt != nil { row.signed += 1 }
            switch handoff.state {
            case .returned: row.returned += 1
            case .recalled: row.recalled += 1
            default:
                if handoff.disposition != nil || handoff.outcome != nil { row.answered += 1 }
                if handoff.state == .closed { row.closed += 1 }
            }
            rows[unit] = row
        }
        return rows.values.sorted { $0.unit < $1.unit }
    }

    private func latency(_ counted: [Report]) -> Testimony.Latency? {
        let milliseconds = counted.compactMap { report -> Double? in
            let key = SubmissionKey(source: report.source.rawValue, id: report.submissionID)
            guard let sent = journals.submissions[key],
                let first = tables.handoffsByReport[report.id]?.min(by: { $0.attempt < $1.attempt }),
                let arrived = journals.dispatched[first.id.description]?.map(\.at).min()
            else { return nil }
            return Double(arrived - sent.at) / 1000
        }.sorted()
        guard let last = milliseconds.indices.last else { return nil }
        func percentile(_ share: Double) -> Double {
            milliseconds[min(last, Int((Double(milliseconds.count) * share).rounded(.down)))]
        }
        return .init(count: milliseconds.count, p50Milliseconds: percentile(0.5), p99Milliseconds: percentile(0.99))
    }

    /// The states that no row has and no ledger entry shows.
    private func statesNeverSeen() -> [String] {
        var reportStates = Set(tables.reports.flatMap { [$0.state, $0.verdict] })
        var handoffStates = Set(tables.handoffs.map(\.state))
        for story in stories.values {
            reportStates.formUnion(story.reportStates)
            handoffStates.formUnion(story.handoffStates)
        }
        if tables.handoffs.contains(where: { $0.releasedAt != nil }) { handoffStates.insert(.released) }
        if tables.handoffs.contains(where: { $0.dispatchedAt != nil }) { handoffStates.insert(.dispatched) }
        return ReportState.allCases.filter { !reportStates.contains($0) }.map { "report \($0.rawValue)" }
            + HandoffState.allCases.filter { !handoffStates.contains($0) }.map { "handoff \($0.rawValue)" }
    }
}

/// The count to which a report belongs.
enum Standing {
    case closed, open, notAccepted, repeated, inReview, passedUp
}

extension Report {
    var standing: Standing {
        switch state {
        case .closed: .closed
        case .registered, .routed, .inHand, .concluded: .open
        // It was accepted and handed off once; then a recall or a return without another unit made it a case for a
        // person.
        case .needsReview: handoffCount > 0 ? .open : .inReview
        case .linkedAsRepeat: .repeated
        case .notAccepted, .referred: .notAccepted
        case .passedUp: .passedUp
        }
    }
}
