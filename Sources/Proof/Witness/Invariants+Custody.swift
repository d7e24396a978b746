import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient

extension Inquiry {
    /// Invariant 1: every message that the broker confirmed has its effect or its verdict.
    func nothingLost(_ testimony: Testimony) -> InvariantLine {
        InvariantLine(
            number: 1, name: "nothing is lost", objects: "confirmed reports, acts of units and handoffs",
            checked: journals.submissions.count + journals.acts.count + tables.handoffs.count, breaches: testimony.lost)
    }

    /// Invariant 2: a message that came twice had one effect, and got the same answer each time.
    func twiceIsOnce(_ testimony: Testimony) -> InvariantLine {
        var line = InvariantLine(
            number: 2, name: "twice equals once", objects: "acts and messages that came again",
            breaches: testimony.doubled)
        line.checked = correspondence.sentAgain.count + correspondence.deliveredAgain.count
        for (act, answers) in correspondence.answers.sorted(by: { $0.key < $1.key }) {
            for (id, bodies) in answers where bodies.count > 1 {
                line.breaches.append(
                    Finding(about: "\(act)", what: "its answer \(id) came with \(bodies.count) different bodies"))
            }
        }
        return line
    }

    /// Invariant 3: every report was registered by the intake worker, from a message in the inbox, and its
    /// original is kept.
    func oneDoor() -> InvariantLine {
        var line = InvariantLine(number: 3, name: "one door", objects: "reports", checked: records.doors.count)
        for door in records.doors {
            let about = "report \(door.reportID)"
            if !door.hasClaim {
                line.breaches.append(Finding(about: about, what: "no message in the inbox brought it"))
            }
            // A sealed report is passed on; none of its content stays here.
            if !door.hasVault, tables.reportByID[door.reportID]?.verdict != .passedUp {
                line.breaches.append(Finding(about: about, what: "its original is not in the vault"))
            }
            let first = evidence.stories[door.reportID.uuid]?.records.first
            if first?.event.isRegistration != true || first?.by != Party.office(.intake).description {
                line.breaches.append(
                    Finding(about: about, what: "its ledger does not begin with a registration by intake"))
            }
        }
        return line
    }

    /// Invariant 4: a handoff that counts as signed was signed by its unit, which recorded it in its own journal.
    func signedFor() -> InvariantLine {
        var line = InvariantLine(number: 4, name: "signed for, not assumed", objects: "signatures")
        for handoff in records.custody {
            let (about, addressee) = ("handoff \(handoff.id)", "unit.\(handoff.unit)")
            guard let signer = handoff.signedBy, handoff.signedAt != nil else {
                if handoff.state.needsSignature {
                    line.breaches.append(
                        Finding(about: about, what: "it is \(handoff.state.rawValue) without a signature"))
                }
                continue
            }
            line.checked += 1
            if signer != addressee {
                line.breaches.append(Finding(about: about, what: "\(signer) signed, it is addressed to \(addressee)"))
            }
            let signers = correspondence.signers[handoff.id.description] ?? []
            if signers != [addressee] {
                let names = signers.isEmpty ? "nobody" : signers.sorted().joined(separator: ", ")
                line.breaches.append(
                    Finding(about: about, what: "\(names) wrote down a signature, it is addressed to \(addressee)"))
            }
        }
        for (chain, story) in evidence.stories {
            for record in story.records {
                guard case .moved(let id, .signed, _) = record.event, let row = tables.handoffByID[id.description],
                    record.by != "unit.\(row.unit)"
                else { continue }
                line.breaches.append(
                    Finding(
                        about: "report \(chain.lowercased)",
                        what: "the ledger tells a signature of \(id) by \(record.by)"))
            }
        }
        return line
    }

    /// Invariant 7: every chain is valid from its first entry to its head, gives the states that are stored in the
    /// tables, and its times do not decrease.
    func ledgerGrew() -> InvariantLine {
        var line = InvariantLine(
            number: 7, name: "the ledger only grows", objects: "entries",
            checked: tables.ledgers.values.reduce(0) { $0 + $1.count },
            breaches: evidence.brokenChains() + evidence.untoldStates())
        for (chain, story) in evidence.stories.sorted(by: { $0.key.precedes($1.key) }) {
            for (before, record) in zip(story.records, story.records.dropFirst()) where record.at < before.at {
                line.breaches.append(
                    Finding(
                        about: "chain \(chain.lowercased)",
                        what: "\"\(record.event.word)\" is earlier than the entry before it"))
            }
        }
        return line
    }

    /// Invariant 10: every report and every conclusion was answered, also refused ones, and with one answer for
    /// all its deliveries.
    func sendersLearned() -> InvariantLine {
        var line = InvariantLine(number: 10, name: "the sender always learns", objects: "acts that ask for an answer")
        var asked = Set(journals.submissions.keys.map { ActKey(party: "source.\($0.source)", id: $0.id) })
        for (key, act) in journals.acts where act.type == MessageType.handoffConcluded.rawValue { asked.insert(key) }
        for row in records.answers where journals.parties.contains(row.sender) {
            let key = ActKey(party: row.sender, id: row.eventID)
            if row.reply != nil || row.verdict == "refused" { asked.insert(key) }
            if row.verdict == "held" {
                line.breaches.append(Finding(about: "\(key)", what: "it is held, and nothing moves any more"))
            }
        }
        line.checked = asked.count
        for key in asked.sorted() {
            let count = correspondence.answers[key]?.count ?? 0
            if count != 1 {
                line.breaches.append(
                    Finding(
                        about: "\(key)",
                        what: count == 0 ? "it was never answered" : "it had \(count) different answers"))
            }
        }
        return line
    }
}

extension HandoffState {
    /// Whether a handoff reaches this state only by a signature.
    fileprivate var needsSignature: Bool {
        switch self {
        case .signed, .inHand, .caseFiled, .concluded, .closed: true
        case .awaitingApproval, .released, .dispatched, .returned, .recalled, .undeliverable: false
        }
    }
}
