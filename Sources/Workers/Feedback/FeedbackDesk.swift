import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Hears what the units did with what they got (办理反馈): signatures, returns, dispositions, cases, conclusions; and what
/// persons command about handoffs.
struct FeedbackDesk: Desk {
    let worker = Worker.feedback
    let queues = [
        Topology.Queue.command(.feedback), Topology.Queue.feedback, Topology.Queue.unroutable, Topology.Queue.dead,
    ]
    /// How long (wall time) a message ahead of its state is kept before it is refused.
    let earlyMessageHoldSeconds: Double

    func targets(of parcel: Parcel) -> Targets {
        guard case .message(let message) = parcel.content, let handoff = HandoffID(message.envelope.subject) else {
            return Targets()
        }
        return Targets(handoffs: [handoff])
    }

    /// Who is accused decides which persons may act on a case.
    func needsContent(_ parcels: [Parcel]) -> Bool {
        parcels.contains { parcel in
            guard case .message(let message) = parcel.content, case .commandRecall = message.body else { return false }
            return true
        }
    }

    func decide(_ parcels: [Parcel], on docket: inout Docket, reading database: Database) throws {
        for parcel in parcels {
            guard case .message(let message) = parcel.content else { continue }
            let act = Act(key: parcel.key, message: message, sender: message.envelope.source)
            switch docket.perform(act) {
            case .done(let handoff): docket.retryHeld(of: handoff)
            case .refused(let problem): docket.refuse(parcel, [problem])
            case .early(let handoff):
                guard let report = docket.reportOf[handoff] else { continue }
                let waiting = docket.waiting(for: handoff, in: report)
                // The inbox was pruned of it, and it waits still.
                if waiting.contains(where: { $0.key == parcel.key }) {
                    docket.settle(parcel.key, .held)
                    continue
                }
                guard waiting.count < LaneSettings.heldPerHandoffMax else {
                    docket.refuse(
                        parcel,
                        [
                            Problem(
                                code: "too_many_early",
                                text: "\(LaneSettings.heldPerHandoffMax) messages of this handoff wait for its signature already; sign it first")
                        ])
                    continue
                }
                docket.newlyHeld.append(
                    HeldMessage(
                        key: parcel.key, handoffID: handoff, reportID: report, type: message.envelope.type.rawValue,
                        box: try docket.vault.seal(
                            parcel.body, context: Vault.context(message: parcel.key.sender, parcel.key.eventID)),
                        heldAt: docket.wall))
                docket.settle(parcel.key, .held)
            }
        }
    }

    /// Gives up what was held too long: only after it was listening all that time and saw its queue empty, so that what
    /// could still make the message valid would have come.
    func errand(reading database: Database, now: Instant, wall: Instant, listeningSince: Instant?) throws -> Errand? {
        let heldBefore = wall.adding(seconds: -earlyMessageHoldSeconds)
        guard let listeningSince, wall.seconds(since: listeningSince) >= earlyMessageHoldSeconds else { return nil }
        let reports = try database.run(ReadOverheldReports(heldBefore: heldBefore, countMax: 100)).rows
        guard !reports.isEmpty else { return nil }
        return Errand(reports: reports, skipsLocked: true, needsContent: false) { docket in
            for report in docket.files.keys.sorted() { docket.giveUpHeld(of: report, heldBefore: heldBefore) }
        }
    }
}

/// One act of a unit or a person on a handoff.
struct Act: Sendable {
    let key: InboxKey
    let message: Message
    let sender: Party
}

enum ActOutcome: Sendable {
    case done(HandoffID)
    case refused(Problem)
    /// A message still to come could make it valid.
    case early(HandoffID)
}
