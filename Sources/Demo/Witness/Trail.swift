public import Casework
import CaseStore
import Foundation

/// All that is known of one report, in the order of its ledger and then of the journals: for whoever looks into a breach.
///
/// Ids, codes and times only; no content of a report.
public struct Trail: Sendable, Hashable, Encodable {
    public let report: ReportID
    public let lines: [String]

    init(_ report: Report, _ evidence: Evidence, journals: URL) throws {
        self.report = report.id
        var lines = ["report \(report.id) \(report.displayNumber): \(report.state.rawValue), source.\(report.source) \(report.submissionID)"]
        for handoff in evidence.books.handoffsByReport[report.id] ?? [] {
            lines.append("handoff \(handoff.id): attempt \(handoff.attempt) with unit.\(handoff.unit), \(handoff.state.rawValue)")
        }
        for entry in evidence.books.ledgers[report.id.uuid] ?? [] {
            lines.append("ledger \(entry.sequence): \(String(decoding: entry.bytes, as: UTF8.self))")
        }
        let handoffs = Set((evidence.books.handoffsByReport[report.id] ?? []).map(\.id.description))
        let source = "source.\(report.source)"
        var told: [JournalEntry] = []
        for file in try JournalFolder.files(in: journals) {
            try JournalReader(file: file).read { entry in
                let isOwn = entry.party == source && [entry.id, entry.subject, entry.inreplyto].contains(report.submissionID)
                if isOwn || handoffs.contains(entry.subject) { told.append(entry) }
            }
        }
        for entry in told.sorted(by: { $0.at < $1.at }) {
            let answer = entry.inreplyto.map { " in reply to \($0)" } ?? ""
            let again = entry.redelivered == true ? ", redelivered" : ""
            lines.append("journal \(Instant(microsecondsSinceEpoch: entry.at)): \(entry.party) \(entry.fact.rawValue) \(entry.type) \(entry.id)\(answer)\(again)")
        }
        self.lines = lines
    }
}
