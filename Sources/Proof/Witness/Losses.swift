import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient

extension Evidence {
    /// Finds handoffs that the broker confirmed and the unit never received.
    func lostHandoffs() -> [Finding] {
        tables.handoffs.filter { $0.wasSent && !wasDelivered($0) }.map {
            Finding(about: "handoff \($0.id)", what: "it was sent to unit \($0.unit), whose journal does not have it")
        }
    }

    private func wasDelivered(_ handoff: WitnessedHandoff) -> Bool {
        let party = "unit.\(handoff.unit)"
        return journals.dispatched[handoff.id.description]?.contains { $0.party == party } ?? false
    }

    /// Finds acts of units that the broker confirmed and that left no trace in the tables.
    func lostActs() -> [Finding] {
        var findings: [Finding] = []
        for (key, act) in journals.acts.sorted(by: { $0.key < $1.key }) {
            guard let claim = tables.claims[key] else {
                if tables.deadLetters[key] == nil {
                    findings.append(
                        Finding(about: "\(key)", what: "the broker confirmed this act, but the office never took it in")
                    )
                }
                continue
            }
            if claim.verdict == "taken", told[key] == nil {
                findings.append(
                    Finding(
                        about: "\(key)", what: "the act was taken, but the ledger of \(act.subject) does not tell it"))
            }
        }
        return findings
    }
}

extension WitnessedHandoff {
    /// Whether the broker has confirmed its message: it is no longer in the outbox, and its state does not prevent
    /// sending.
    fileprivate var wasSent: Bool {
        switch state {
        case .awaitingApproval, .undeliverable: false
        case .recalled: dispatchedAt != nil || signedAt != nil
        case .released, .dispatched, .signed, .inHand, .caseFiled, .concluded, .closed, .returned: !isInOutbox
        }
    }
}
