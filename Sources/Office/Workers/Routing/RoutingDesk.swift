import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation

/// Hands each accepted report to the unit that must act on it (分流), by 移送, 转送 or 交办, as the rows of the policy
/// decide.
struct RoutingDesk: Desk {
    let worker = Worker.routing

    func targets(of inbound: InboundMessage) -> Targets {
        Targets(reports: (reference(in: inbound)?.report ?? inbound.reviewed).map { [$0] } ?? [])
    }

    func needs(of inbound: InboundMessage) -> CaseNeeds { .contents }

    /// At most the size of a message: intake refuses a report whose handoff would be larger.
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int {
        reference(in: inbound).map { $0.bytes ?? limits.messageBytesMax } ?? 0
    }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {
        for inbound in received {
            if inbound.isCommand {
                try unitOfWork.command(inbound) { try $0.review($1) }
                continue
            }
            guard let reference = reference(in: inbound) else { continue }
            try unitOfWork.route(reference.report, act: inbound.key)
            unitOfWork.answers.take(inbound.key)
        }
    }

    /// The report to route, for the first time or again.
    private func reference(in inbound: InboundMessage) -> InternalReference? {
        guard case .message(let message) = inbound.content, case .note(let note) = message.body else { return nil }
        switch note {
        case .reportRegistered(let reference), .handoffCameBack(let reference): return reference
        }
    }
}

extension UnitOfWork {
    /// Routes a report in the state `registered`. A report in another state was routed before, and is left alone.
    fileprivate mutating func route(_ id: ReportID, act: InboxKey) throws {
        guard var file = cases.files[id], file.report.state == .registered, let content = cases.contents[id] else {
            return
        }
        let ruling = ruling(on: &file, content)
        switch ruling.decision {
        case .needsReview(let reason):
            try file.apply(.sentToReview)
            file.updateReport { $0.reason = reason }
            file.record(
                .sentToReview(rule: ruling.rule.description, act: office.commitment(toAct: act, of: id)), at: now,
                by: office.name)
            cases.files[id] = file
        case .handoff(let unit, let kind):
            try handOff(&file, to: unit, kind: kind, rule: ruling.rule, content: content, act: act, by: office.name)
        }
    }

    /// Which unit must have a report, by the rules. Units that the accused belong to are barred first, as the office is
    /// now. No unit gets it from which it was taken back.
    func ruling(on file: inout CaseFile, _ content: Submission) -> RouteRuling {
        let takenBack = Set(file.handoffs.filter { $0.state == .returned || $0.state == .recalled }.map(\.unit))
        var facts = ReportFacts(submission: content, sourceKind: file.report.sourceKind)
        // The reporter's name is only in the vault; whether the report is real-name is stored with it.
        facts.isRealName = file.report.realName
        return office.rulebook.ruling(on: bar(&file, content))
            ?? office.rulebook.route(
                facts, among: office.directory.routingUnits, barred: file.barred, returnedBy: takenBack)
    }

    /// Bars the units that the accused belong to, as the office is now.
    @discardableResult
    func bar(_ file: inout CaseFile, _ content: Submission) -> Barrier.Finding {
        let finding = Barrier.finding(
            on: content.accused, among: office.directory.unitNames, kinds: office.rulebook.ownKind)
        file.bar(finding.roots, with: office.directory.subtrees(of: finding.roots))
        return finding
    }

    /// - Parameter actor: who decided it: `office.routing`, `person.li`.
    mutating func handOff(
        _ file: inout CaseFile, to unit: UnitID, kind: String, rule: RuleReference, content: Submission, act: InboxKey,
        by actor: String
    ) throws {
        let words = office.rulebook.handoffKinds[kind]
        let express = words?.express ?? false
        let waits = words?.needsApproval ?? false
        let id = HandoffID.make(at: office.wall)
        let plans = office.rulebook.clocks(startedBy: .released, handoffKind: kind, at: now)
        let body = HandoffDispatched(
            number: file.report.displayNumber, kind: kind, matterKind: file.report.matterKind, title: content.title,
            text: content.text, region: content.region, accused: content.accused, allegations: content.allegations,
            attachments: content.attachments,
            // Its clock starts with the release, whose time an approval decides.
            signBy: waits ? nil : plans.first { $0.duty == ClockRow.Kind.sign.rawValue }?.dueAt,
            resultOwed: words?.resultOwed ?? true, rule: rule.description)
        try file.apply(.routed)
        cases.files[file.report.id] = file

        // Also while it waits for approval: what is approved is what is sent.
        let stored = try keepBody(body, of: id)
        let handoff = Handoff(
            id: id, reportID: file.report.id, attempt: file.report.handoffCount + 1, unit: unit, kind: kind,
            state: waits ? .awaitingApproval : .released, express: express, rule: rule.description,
            digest: stored.digest, releasedAt: waits ? nil : now)
        guard waits || sendStored(handoff, eventID: stored.eventID, bytes: stored.bytes) else {
            throw Barred(unit: unit)
        }
        file.open(
            handoff, clocks: waits ? [] : plans,
            otherwise: waits ? "awaits approval" : office.rulebook.noClockReason(handoffKind: kind))
        let new = LedgerEvent.NewHandoff(
            handoff, act: office.commitment(toAct: act, of: file.report.id),
            commitment: office.commitment(to: stored.digest, of: file.report.id, for: .unit(unit)))
        file.record(waits ? .proposed(new) : .routed(new), at: now, by: actor)
        cases.reportOf[id] = file.report.id
        cases.files[file.report.id] = file
    }
}

/// The rules chose a unit that the barrier excludes: a fault of the office. Nothing is sent.
struct Barred: PlainlyWorded, CustomStringConvertible {
    let unit: UnitID
    var description: String { "the barrier stands before unit \(unit)" }
}
