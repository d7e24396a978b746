import AuditStore
import Basics
import CaseStore
import Casework
package import Foundation
import PartyClient

/// All records of one report, first in the order of its ledger, then of the journals, to investigate a breach.
///
/// For a submission or an act without a stored report it contains the records of inbox, dead letters and journals.
/// It has ids, codes and times only, and no content of a report.
public struct Timeline: Sendable, Hashable, Encodable {
    /// `report 0198…`; without a report, the subject of the finding: `source.web sample-1-7`.
    public let about: String
    public private(set) var lines: [String]

    /// Creates one timeline for each subject. The journals are read once for all of them.
    package static func tell(_ subjects: [TimelineSubject], _ evidence: Evidence, journals: URL) throws -> [Timeline] {
        var timelines = subjects.map { Timeline(about: $0.about, lines: $0.lines(in: evidence.tables)) }
        var told = subjects.map { _ in [JournalEntry]() }
        for file in subjects.isEmpty ? [] : try JournalFolder.files(in: journals) {
            try JournalReader(file: file).read { entry in
                for index in subjects.indices where subjects[index].isTold(by: entry) { told[index].append(entry) }
            }
        }
        for index in timelines.indices {
            timelines[index].lines += told[index].sorted { $0.at < $1.at }.map(\.trailLine)
        }
        return timelines
    }
}

/// The subject of a timeline: a report, if it is stored, and its acts and handoffs.
package struct TimelineSubject: Hashable {
    let about: String
    var report: ReportID?
    /// Submissions and acts of units, with their senders' ids.
    var acts: Set<ActKey> = []
    var handoffs: Set<String> = []

    fileprivate func isTold(by entry: JournalEntry) -> Bool {
        handoffs.contains(entry.subject)
            || acts.contains { $0.party == entry.party && [entry.id, entry.subject, entry.inreplyto].contains($0.id) }
    }

    fileprivate func lines(in tables: Tables) -> [String] {
        var lines: [String] = []
        if let report, let row = tables.reportByID[report] {
            lines.append(
                "report \(row.id) \(row.displayNumber): \(row.state.rawValue), source.\(row.source) \(row.submissionID)"
            )
        } else {
            lines.append("no report stands in the tables for it")
        }
        for act in acts.sorted() {
            lines.append("inbox \(act): \(tables.claims[act]?.verdict ?? "it is not there")")
            if let reason = tables.deadLetters[act] { lines.append("dead letter \(act): \(reason)") }
        }
        for handoff in handoffs.sorted().compactMap({ tables.handoffByID[$0] }) {
            lines.append(
                "handoff \(handoff.id): attempt \(handoff.attempt) with unit.\(handoff.unit), \(handoff.state.rawValue)"
            )
        }
        for entry in report.flatMap({ tables.ledgers[$0.uuid] }) ?? [] {
            lines.append("ledger \(entry.sequence): \(String(decoding: entry.bytes, as: UTF8.self))")
        }
        return lines
    }
}

extension JournalEntry {
    fileprivate var trailLine: String {
        let answer = inreplyto.map { " in reply to \($0)" } ?? ""
        let again = redelivered == true ? ", redelivered" : ""
        return
            "journal \(Instant(microsecondsSinceEpoch: at)): \(party) \(fact.rawValue) \(type) \(id)\(answer)\(again)"
    }
}

extension Inquiry {
    /// The subject of a finding; `nil` if the finding itself gives the place, such as a log, or is about the chain
    /// of a unit or of the office.
    package func subject(of finding: Finding) -> TimelineSubject? {
        let words = finding.about.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return nil }
        switch words[0] {
        case "log": return nil
        case "report", "chain":
            guard let report = ReportID(words[1]), tables.reportByID[report] != nil || tables.heads[report.uuid] == nil
            else { return nil }
            return subject(report)
        case "handoff":
            guard let row = tables.handoffByID[words[1]] else {
                return TimelineSubject(about: finding.about, handoffs: [words[1]])
            }
            return subject(row.reportID)
        default:
            let act = ActKey(party: words[0], id: words[1])
            if let source = words[0].sourceID,
                let row = tables.reportsBySubmission[SubmissionKey(source: source, id: words[1])]?.first
            {
                return subject(row.id)
            }
            guard let handoff = journals.acts[act]?.subject else {
                return TimelineSubject(about: finding.about, acts: [act])
            }
            guard let row = tables.handoffByID[handoff] else {
                return TimelineSubject(about: finding.about, acts: [act], handoffs: [handoff])
            }
            var subject = subject(row.reportID)
            subject.acts.insert(act)
            return subject
        }
    }

    private func subject(_ report: ReportID) -> TimelineSubject {
        var subject = TimelineSubject(about: "report \(report)", report: report)
        if let row = tables.reportByID[report] {
            subject.acts = [ActKey(party: "source.\(row.source)", id: row.submissionID)]
        }
        subject.handoffs = Set((tables.handoffsByReport[report] ?? []).map(\.id.description))
        return subject
    }
}
