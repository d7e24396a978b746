import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Applies the acts of units on their handoffs (办理反馈): signatures, returns, dispositions, cases and conclusions.
/// Also applies the commands of persons about handoffs.
struct FeedbackDesk: Desk {
    let worker = Worker.feedback
    /// How long a message stays deferred before it is refused, in seconds of wall time.
    let earlyMessageHoldSeconds: Double

    func targets(of inbound: InboundMessage) -> Targets {
        if let back = inbound.givenBack {
            var targets = Targets(handoffs: HandoffID(inbound.subject).map { [$0] } ?? [])
            if case .source(let source) = back.addressee {
                targets.submission = SubmissionKey(source: source, id: inbound.subject)
            }
            return targets
        }
        // The subject of a decision is an approval, whose report the lane locks.
        guard inbound.approval == nil, case .message(let message) = inbound.content,
            let handoff = HandoffID(message.envelope.subject)
        else { return Targets() }
        return Targets(handoffs: [handoff], deferredOf: inbound.key.sender)
    }

    let defers = true

    /// Loads the deferred messages that may be tried after these acts.
    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws {
        var handoffs: [HandoffID] = []
        for act in received.compactMap(Act.init) {
            guard let id = HandoffID(act.message.envelope.subject), !handoffs.contains(id),
                let state = unitOfWork.file(of: id)?[handoff: id]?.state,
                !state.awaitsSignature || act.message.endsWaiting, unitOfWork.handoffWithTurns(before: act) == nil
            else { continue }
            handoffs.append(id)
        }
        try unitOfWork.loadDeferred(of: handoffs, from: database)
        try unitOfWork.loadBodies(
            of: received.compactMap(Act.init).filter { $0.message.asksAgain }.compactMap {
                HandoffID($0.message.envelope.subject)
            }, from: database)
    }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {
        for inbound in received {
            // What is no act gets no verdict: a fault, which `demandVerdicts` finds.
            guard let act = Act(inbound) else { continue }
            if case .approval = act.message.body {
                try unitOfWork.command(inbound) { try $0.performApproved($1) }
                continue
            }
            // A request to send again changes nothing for which an earlier act could wait.
            if !act.message.asksAgain, let handoff = unitOfWork.handoffWithTurns(before: act) {
                try unitOfWork.putOff(inbound, act.message, for: handoff, isRipe: true)
                continue
            }
            switch try unitOfWork.perform(act) {
            case .done(let handoff):
                unitOfWork.answers.take(inbound.key)
                try unitOfWork.retryDeferred(of: handoff)
            case .refused(let problem): unitOfWork.refuse(inbound, [problem])
            case .early(let handoff): try unitOfWork.putOff(inbound, act.message, for: handoff)
            }
        }
    }

    /// Tries ripe deferred messages; then refuses those that were deferred too long, once no message that was sent
    /// in time can still arrive. It works on one report at a time, within the limits of a transaction.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [SweepItem]) throws -> Sweep? {
        let aside = aside.compactMap(\.subject.reportID)
        if let report = try database.run(ReadRipeReport(except: aside)).rows.first {
            return Sweep(
                items: [SweepItem(report)], skipsLocked: true, hasMore: true,
                load: { unitOfWork, _, database in try unitOfWork.loadRipe(of: report, from: database) },
                work: { unitOfWork, _ in try unitOfWork.retryRipe(of: report) })
        }
        let deferredBefore = times.listening.compactMapValues { $0.deferredBefore(seconds: earlyMessageHoldSeconds) }
        guard !deferredBefore.isEmpty,
            let report = try database.run(ReadOverdueReport(deferredBefore: deferredBefore, except: aside)).rows.first
        else { return nil }
        return Sweep(items: [SweepItem(report)], skipsLocked: true, hasMore: true) { unitOfWork, _ in
            unitOfWork.giveUpDeferred(of: report, deferredBefore: deferredBefore)
        }
    }
}

extension Message {
    fileprivate var asksAgain: Bool { if case .act(.resendRequested) = body { true } else { false } }

    /// Whether the handoff may no longer await its signature after this message.
    fileprivate var endsWaiting: Bool {
        switch body {
        case .act(.signed), .handoffCommand(.recall): true
        // Nothing is loaded for these: their deferred messages are marked ripe, and the sweep tries them.
        default: false
        }
    }
}

enum ActOutcome: Sendable {
    case done(HandoffID)
    case refused(Problem)
    /// A later message could make the act valid.
    case early(HandoffID)
}
