import Basics
import BrokerTopology
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
        if let back = parcel.givenBack {
            var targets = Targets(handoffs: HandoffID(parcel.subject).map { [$0] } ?? [])
            if case .source(let source) = back.addressee { targets.submission = (source, parcel.subject) }
            return targets
        }
        guard case .message(let message) = parcel.content, let handoff = HandoffID(message.envelope.subject) else {
            return Targets()
        }
        return Targets(handoffs: [handoff])
    }

    /// What could make an early act valid comes in this queue.
    var markedQueue: String? { Topology.Queue.feedback }

    /// Who is accused decides which persons may act on a case.
    func needs(of parcel: Parcel) -> CaseNeeds {
        guard case .message(let message) = parcel.content, case .commandRecall = message.body else { return .nothing }
        return .names
    }

    func decide(_ parcels: [Parcel], on docket: inout Docket, reading database: Database) throws {
        for parcel in parcels {
            guard case .message(let message) = parcel.content else { continue }
            let act = Act(key: parcel.key, message: message, sender: message.envelope.source)
            if let handoff = docket.handoffWithTurns(before: act) {
                try docket.countHeld(of: act.key.sender, reading: database)
                try docket.hold(parcel, message, for: handoff, isRipe: true)
                continue
            }
            switch try docket.perform(act) {
            case .done(let handoff): try docket.retryHeld(of: handoff, reading: database)
            case .refused(let problem): docket.refuse(parcel, [problem])
            case .early(let handoff):
                try docket.countHeld(of: act.key.sender, reading: database)
                try docket.hold(parcel, message, for: handoff)
            }
        }
    }

    /// Goes on where held messages had no turn yet; gives up what was held too long, once nothing that was sent in time can still
    /// come. One report at a time, and of it so much as a transaction may take.
    func errand(reading database: Database, at times: ErrandTimes, except aside: [ReportID]) throws -> Errand? {
        if let report = try database.run(ReadRipeReport(except: aside)).rows.first {
            return Errand(reports: [report], skipsLocked: true, hasMore: true) { docket, database in
                try docket.retryRipe(of: report, reading: database)
            }
        }
        guard let heldBefore = times.listening.heldBefore(seconds: earlyMessageHoldSeconds),
            let report = try database.run(ReadOverheldReport(heldBefore: heldBefore, except: aside)).rows.first
        else { return nil }
        return Errand(reports: [report], skipsLocked: true, hasMore: true) { docket, _ in
            docket.giveUpHeld(of: report, heldBefore: heldBefore)
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
