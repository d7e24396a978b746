import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// Commands of persons, and the second person whom a policy may ask for (审批、双人复核).
///
/// A command checks first and changes then. Between the two it asks `isApproved`: if a second person is needed, the
/// command is stored as it was sent, and carried out when that person approves, under the name of the first. All
/// checks are made again then.
extension UnitOfWork {
    /// Carries out a command, or decides about one that waits, and answers the person.
    /// - Parameter perform: carries a command out, and says for the answer what was done; `nil`: it is answered, or
    ///   waits for approval.
    mutating func command(
        _ inbound: InboundMessage, perform: (inout UnitOfWork, Act) throws -> String?
    ) throws {
        guard let act = Act(inbound) else { return }
        do {
            if case .approval(let order) = act.message.body { return try decide(order, act, perform: perform) }
            if let done = try perform(&self, act) { answerCommand(act, done, about: concern(of: act)) }
        } catch let problem as Problem {
            refuse(inbound, [problem])
        } catch let rejection as Rejection {
            refuse(inbound, [Problem(rejection, of: "the report")])
        }
    }

    private func concern(of act: Act) -> Concern {
        ReportID(act.message.envelope.subject).map { cases.files[$0] == nil ? .noCase : .reports([$0]) } ?? .noCase
    }

    private mutating func answerCommand(_ act: Act, _ text: String, about concern: Concern) {
        answer(
            act.key, to: act.sender, .commandTaken, subject: act.message.envelope.subject,
            data: CommandTaken(text: text),
            about: concern)
    }

    // MARK: Asking

    /// Whether a command may be carried out now. If the policy asks for a second person, the command waits for one from
    /// here on, which its sender is told.
    /// - Parameters:
    ///   - report: the report that it is about; `nil`: it is about the office.
    ///   - kind: of the handoff that it is about or makes.
    /// - Throws: `Problem` if nobody may approve it, or if the same act waits already.
    mutating func isApproved(
        _ act: Act, as word: PersonAct, of report: ReportID?, handoff: HandoffID? = nil, kind: String? = nil
    ) throws -> Bool {
        guard let row = office.rulebook.approval(of: word, handoffKind: kind), case .person(let asker) = act.sender
        else { return true }
        if let approval = act.approval.flatMap({ cases.approvals[$0] }) {
            // Since then the rules, or what they choose, may have changed.
            guard approval.roles.isSubset(of: row.roles) else {
                throw Problem(
                    code: Refusal.notAllowed.rawValue, text: "others must approve it now: reject it, and ask again")
            }
            return true
        }
        let waiting = cases.approvals.values.first {
            $0.state == .open && $0.act == word && $0.reportID == report && $0.handoffID == handoff
        }
        if let waiting {
            throw Problem(code: "waits_for_approval", text: "approval \(waiting.id) is asked for already")
        }
        let id = ApprovalID.make(at: office.wall)
        let plan = office.rulebook.plan(row, askedAt: now)
        let approval = Approval(
            id: id, act: word, worker: office.worker.rawValue, reportID: report, handoffID: handoff, command: act.body,
            roles: Set(row.roles), rule: plan.rule.description, askedBy: asker, askedAt: now)
        guard notifyApprovers("to_approve", of: approval) > 0 else {
            throw Problem(
                code: "nobody_may_approve", text: "the policy asks for a second person, and nobody may decide this now")
        }
        cases.ask(approval)
        cases.start(Clock(approval.clock, owedBy: .office, by: plan))
        try cases.record(
            .approvalAsked(
                id, word, handoff: handoff, rule: approval.rule, act: commitment(to: act, in: approval.subject)),
            in: approval.subject, at: now, by: act.sender.description)
        answerCommand(
            act, "this waits for a second person, as approval \(id)", about: concern(of: approval))
        return false
    }

    /// Adds notices for all persons who may decide an approval.
    /// - Returns: the number of these persons.
    @discardableResult
    mutating func notifyApprovers(_ kind: String, of approval: Approval) -> Int {
        outgoing.notify(
            office.directory.persons.values.filter { mayDecide($0, approval) }, kind, of: approval, past: cases,
            in: office)
    }

    /// Adds notices about an approval for the supervisors.
    mutating func notifySupervisors(_ kind: String, of approval: Approval) {
        outgoing.notify(office.directory.persons(with: .supervisor), kind, of: approval, past: cases, in: office)
    }

    private func mayDecide(_ person: PersonRow, _ approval: Approval) -> Bool {
        person.active && person.id != approval.askedBy && cases.admits(person, to: approval)
            && !person.roles.isDisjoint(with: approval.roles.map(\.rawValue))
    }

    private func commitment(to act: Act, in subject: LedgerSubject) -> String {
        let chain = subject.reportID ?? cases.chains[subject]?.id
        return chain.map { office.commitment(toAct: act.key, of: $0) } ?? ""
    }

    // MARK: Deciding

    private mutating func decide(
        _ order: ApprovalOrder, _ act: Act, perform: (inout UnitOfWork, Act) throws -> String?
    ) throws {
        guard case .person(let id) = act.sender, let person = office.directory.persons[id],
            let approval = ApprovalID(act.message.envelope.subject).flatMap({ cases.approvals[$0] })
        else { throw Problem.unknownApproval }
        guard approval.worker == office.worker.rawValue else { throw Problem.wrongWorker }
        // The same text for a missing role and for a recusal, so that nobody learns who is accused.
        guard mayDecide(person, approval) || person.id == approval.askedBy else {
            throw Problem(code: Refusal.notAllowed.rawValue, text: "you may not decide this")
        }
        // Whoever asked may withdraw, which decides nothing.
        if person.id == approval.askedBy, case .reject = order {
            guard approval.state == .open else {
                throw Problem(.refused(.decidedBefore, state: approval.state.rawValue), of: "the approval")
            }
            try lapse(approval, act)
            return answerCommand(act, "withdrawn; nothing was done", about: concern(of: approval))
        }
        // If it cannot be carried out, nothing of it holds: it still waits, and can be rejected.
        let before = self
        do {
            try settle(approval, order, act, by: id, perform: perform)
        } catch let rejection as Rejection {
            self = before
            throw Problem(rejection, of: "the approval")
        } catch {
            self = before
            throw error
        }
    }

    private func concern(of approval: Approval) -> Concern { approval.reportID.map { .reports([$0]) } ?? .noCase }

    /// Ends an approval that nobody needs to decide any more.
    private mutating func lapse(_ approval: Approval, _ act: Act) throws {
        var lapsed = approval
        lapsed.lapse(at: now)
        try end(lapsed, act)
    }

    /// Ends the open requests for decisions in review of a report that left it otherwise.
    mutating func lapseReview(of report: ReportID, by act: Act) throws {
        let waiting = cases.approvals.values.filter {
            $0.state == .open && $0.reportID == report && [.reviewRoute, .reviewClose].contains($0.act)
        }
        for approval in waiting.sorted(by: { $0.id < $1.id }) { try lapse(approval, act) }
    }

    /// Stores what became of an approval, ends its clock, and enters it.
    private mutating func end(_ approval: Approval, _ act: Act) throws {
        let (now, actor) = (now, act.sender.description)
        cases.keep(approval)
        cases.change(approval.clock.id(startingAt: approval.askedAt), of: approval.reportID) {
            $0.end(at: now, because: approval.state.rawValue, by: actor)
        }
        try cases.record(
            .approvalDecided(approval.id, as: approval.state, act: commitment(to: act, in: approval.subject)),
            in: approval.subject, at: now, by: actor)
    }

    private mutating func settle(
        _ approval: Approval, _ order: ApprovalOrder, _ act: Act, by person: PersonID,
        perform: (inout UnitOfWork, Act) throws -> String?
    ) throws {
        let now = now
        var decided = approval
        switch order {
        case .approve(let said): try decided.decide(.approved, by: person, because: said.reason, at: now)
        case .reject(let said): try decided.decide(.rejected, by: person, because: said.reason, at: now)
        }
        try end(decided, act)
        var done = "rejected; nothing was done"
        if decided.state == .approved {
            guard let message = try? Message(reading: approval.command, typeHint: nil) else {
                throw Problem(code: "cannot_be_handled", text: "this version cannot read it: reject it")
            }
            let approved = Act(
                key: act.key, message: message, sender: .person(approval.askedBy), body: approval.command,
                approval: approval.id)
            do {
                done = try perform(&self, approved).map { "approved: \($0)" } ?? "carried out"
            } catch var problem as Problem {
                problem.text = "it cannot be carried out for \(approval.askedBy) now: \(problem.text)"
                throw problem
            }
        }
        outgoing.notify(
            office.directory.persons[approval.askedBy].map { [$0] } ?? [], "approval_\(decided.state.rawValue)",
            of: approval, past: cases, in: office)
        answerCommand(act, done, about: concern(of: approval))
    }
}

extension Problem {
    /// - Parameter subject: whose state it is: `the handoff`.
    init(_ rejection: Rejection, of subject: String) {
        let (refusal, state) =
            switch rejection {
            case .early(let state): (Refusal.wrongState, state)
            case .refused(let refusal, let state): (refusal, state)
            }
        self.init(
            code: refusal.rawValue,
            text: "\(subject) is \(state.replacing("_", with: " ")): \(refusal.words)")
    }

    fileprivate static let unknownApproval = Problem(
        code: "unknown_approval", path: "subject", text: "no approval with this id is asked for")
}
