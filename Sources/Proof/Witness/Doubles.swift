import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient

extension Evidence {
    /// Finds several reports for one submission, by every trace that they would leave.
    func doubledReports() -> [Finding] {
        var findings: [Finding] = []
        for (key, reports) in tables.reportsBySubmission.sorted(by: { $0.key < $1.key }) where reports.count > 1 {
            findings.append(Finding(about: "\(key)", what: "\(reports.count) reports stand in the tables"))
        }
        // A body contains its own source and id, so equal bytes are one submission, whatever the rows contain.
        for (_, reports) in Dictionary(grouping: tables.reports, by: \.digest).sorted(by: {
            $0.value[0].id < $1.value[0].id
        })
        where reports.count > 1 && Set(reports.map(\.submissionID)).count > 1 {
            findings.append(
                Finding(
                    about: "report \(reports[0].id)", what: "the same bytes are registered under \(reports.count) ids"))
        }
        for (key, answers) in journals.answers.sorted(by: { $0.key < $1.key }) {
            let taken = Set(
                answers.filter { $0.type != MessageType.reportRejected.rawValue && $0.isReportAnswer }.map(\.id))
            if taken.count > 1 {
                findings.append(
                    Finding(about: "\(key)", what: "it was answered \(taken.count) times, as different acts"))
            }
        }
        for (chain, story) in stories.sorted(by: { $0.key.precedes($1.key) }) {
            let count = story.records.count { $0.event.isRegistration }
            if count > 1 {
                findings.append(
                    Finding(about: "report \(chain.lowercased)", what: "the ledger registers it \(count) times"))
            }
        }
        return findings
    }

    /// Finds several handoffs where the policy allows one.
    func doubledHandoffs() -> [Finding] {
        var findings: [Finding] = []
        for (report, handoffs) in tables.handoffsByReport.sorted(by: { $0.key < $1.key }) {
            let standing = handoffs.filter { !$0.wasTakenBack }
            if standing.count > 1 {
                findings.append(
                    Finding(about: "report \(report)", what: "\(standing.count) handoffs stand at the same time"))
            }
            if Set(handoffs.map(\.attempt)).count < handoffs.count {
                findings.append(Finding(about: "report \(report)", what: "one attempt has two handoffs"))
            }
        }
        for (handoff, messages) in journals.dispatched.sorted(by: { $0.key < $1.key }) {
            if Set(messages.map(\.id)).count > 1 {
                findings.append(
                    Finding(
                        about: "handoff \(handoff)",
                        what: "it was dispatched as \(Set(messages.map(\.id)).count) different messages"))
            }
            guard let row = tables.handoffByID[handoff] else {
                findings.append(
                    Finding(
                        about: "handoff \(handoff)", what: "a unit received it, but it does not stand in the tables"))
                continue
            }
            for party in Set(messages.map(\.party)) where party != "unit.\(row.unit)" {
                findings.append(
                    Finding(
                        about: "handoff \(handoff)",
                        what: "\(party) received it, although it is addressed to unit \(row.unit)"))
            }
        }
        return findings
    }

    /// Finds acts that were applied twice, or applied without being sent.
    func doubledActs() -> [Finding] {
        var findings: [Finding] = []
        for (key, places) in told.sorted(by: { $0.key < $1.key }) {
            for (event, count) in Dictionary(grouping: places, by: \.event.word).mapValues(\.count).sorted(by: {
                $0.key < $1.key
            })
            where count > 1 {
                findings.append(
                    Finding(about: "\(key)", what: "the ledger tells \"\(event)\" \(count) times for this one act"))
            }
            // Workers' own messages and persons' commands have no journal to compare with.
            if key.party.hasPrefix("unit."), journals.parties.contains(key.party), journals.acts[key] == nil {
                findings.append(
                    Finding(about: "\(key)", what: "the ledger tells an act that the unit's journal does not have"))
            }
        }
        for (chain, story) in stories.sorted(by: { $0.key.precedes($1.key) }) {
            for event in story.impossible where !event.isRegistration {
                let handoff = event[.handoff].map { " of handoff \($0)" } ?? ""
                findings.append(
                    Finding(
                        about: "report \(chain.lowercased)",
                        what: "the ledger tells \"\(event.word)\"\(handoff), which cannot follow what it told before"))
            }
        }
        return findings
    }
}

extension JournalEntry {
    fileprivate var isReportAnswer: Bool {
        [MessageType.reportAccepted, .reportReceived, .reportRejected].contains { $0.rawValue == type }
    }
}

extension WitnessedHandoff {
    /// Whether another handoff of the report may follow this one.
    fileprivate var wasTakenBack: Bool {
        switch state {
        case .returned, .recalled, .undeliverable: true
        case .awaitingApproval, .released, .dispatched, .signed, .inHand, .caseFiled, .concluded, .closed: false
        }
    }
}
