import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient

extension Evidence {
    /// Finds chains that are not valid, or that belong to no row.
    func brokenChains() -> [Finding] {
        var findings: [Finding] = []
        for (chain, entries) in tables.ledgers.sorted(by: { $0.key.precedes($1.key) }) {
            guard let head = tables.heads[chain] else {
                findings.append(
                    Finding(
                        about: "chain \(chain.lowercased)",
                        what: "the ledger tells of it, but it does not stand in the tables"))
                continue
            }
            if let sequence = LedgerHead.firstBreak(in: entries, endingIn: head) {
                findings.append(Finding(about: "chain \(chain.lowercased)", what: "broken at entry \(sequence)"))
            }
            if let unreadable = stories[chain]?.unreadable, unreadable > 0 {
                findings.append(
                    Finding(about: "chain \(chain.lowercased)", what: "\(unreadable) entries cannot be read"))
            }
        }
        for (chain, head) in tables.heads where head != .genesis && tables.ledgers[chain] == nil {
            findings.append(Finding(about: "chain \(chain.lowercased)", what: "it has a head, but no entries"))
        }
        return findings
    }

    /// Finds rows whose state or bytes differ from the ledger.
    func untoldStates() -> [Finding] {
        var findings: [Finding] = []
        for report in tables.reports {
            let story = stories[report.id.uuid]
            if story?.report != report.state {
                findings.append(
                    Finding(
                        about: "report \(report.id)",
                        what:
                            """
                            it is \(report.state.rawValue), but the ledger tells \
                            \(story?.report?.rawValue ?? "nothing")
                            """
                    ))
            }
            let sent = journals.submissions[SubmissionKey(source: report.source.rawValue, id: report.submissionID)]
            if let sent, let told = story?.records.first(where: { $0.event.isRegistration })?.event[.commitment],
                told
                    != Commitment.make(
                        [UInt8](hexadecimal: sent.digest) ?? [],
                        salt: digestKey.salt(of: report.id, for: "source.\(report.source)"))
            {
                findings.append(
                    Finding(about: "report \(report.id)", what: "its digest is not the one that was registered"))
            }
        }
        for handoff in tables.handoffs {
            let told = stories[handoff.reportID.uuid]?.handoffs[handoff.id]
            if told != handoff.state {
                findings.append(
                    Finding(
                        about: "handoff \(handoff.id)",
                        what: "it is \(handoff.state.rawValue), but the ledger tells \(told?.rawValue ?? "nothing")"))
            }
        }
        for story in stories.values {
            for handoff in story.handoffs.keys.sorted() where tables.handoffByID[handoff.description] == nil {
                findings.append(
                    Finding(
                        about: "handoff \(handoff)", what: "the ledger tells of it, but it does not stand in the tables"
                    ))
            }
        }
        return findings
    }
}
