import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation

extension UnitOfWork {
    /// Applies an act to its handoff, completely or not at all.
    /// - Throws: a fault of the office. A mistake of the act's sender is returned as `.refused`.
    mutating func perform(_ act: Act) throws -> ActOutcome {
        if case .act(.caseNotified) = act.message.body, case .unit(let unit) = act.sender,
            unit != office.rulebook.policy.caseOffice
        {
            return .refused(
                Problem(
                    code: Refusal.notCaseOffice.rawValue, path: "type",
                    text:
                        """
                        only the unit that the policy names as case office sends case.notified; tell of your own \
                        case by case.filed
                        """
                ))
        }
        guard let handoff = addressed(by: act) else { return .refused(.unknownHandoff) }
        let before = before(act.key, on: handoff.reportID)
        do {
            try apply(act, to: handoff)
            return .done(handoff.id)
        } catch {
            takeBack(act.key, to: before)
            return try outcome(of: error, handoff)
        }
    }

    /// Carries out a command that a second person approved.
    mutating func performApproved(_ act: Act) throws -> String {
        switch try perform(act) {
        case .done(let handoff):
            try retryDeferred(of: handoff)
            return Self.recalled
        case .refused(let problem): throw problem
        case .early(let handoff):
            throw Problem(code: Refusal.wrongState.rawValue, text: "handoff \(handoff) is not signed")
        }
    }

    private func outcome(of error: any Error, _ handoff: Handoff) throws -> ActOutcome {
        switch error {
        case let rejection as Rejection:
            switch rejection {
            case .early: return .early(handoff.id)
            case .refused: return .refused(Problem(rejection, of: "the handoff"))
            }
        case let problem as Problem: return .refused(problem)
        case is TakenBefore: return .done(handoff.id)
        default: throw error
        }
    }

    /// The handoff of an act; `nil` if the sender may not act on it. Only the addressed unit signs (invariant 4):
    /// `act.sender` is the broker's user, since `Admission.problem` refuses a message whose `source` is another. Only
    /// the case office acts on handoffs of other units.
    private func addressed(by act: Act) -> Handoff? {
        guard let id = HandoffID(act.message.envelope.subject), let file = file(of: id), let handoff = file[handoff: id]
        else {
            return nil
        }
        switch act.sender {
        case .unit(let unit):
            // A unit that is barred by now may not act on a report about its own people, and learns nothing about it.
            if file.barred.contains(unit) { return nil }
            if case .act(.caseNotified) = act.message.body {
                return unit == office.rulebook.policy.caseOffice ? handoff : nil
            }
            return handoff.unit == unit && handoff.state != .awaitingApproval ? handoff : nil
        // A person commands about handoffs, and does nothing in a unit's place: signatures on paper, which a clerk
        // would enter with a scan, do not exist yet.
        case .person: if case .handoffCommand = act.message.body { return handoff } else { return nil }
        case .source, .office: return nil
        }
    }

    private mutating func apply(_ act: Act, to handoff: Handoff) throws {
        if let problem = office.rulebook.unknownWord(in: act.message) {
            try refuseSecond(act, of: handoff)
            throw problem
        }
        switch act.message.body {
        case .act(let said): try apply(said, act, to: handoff)
        case .handoffCommand(.recall(let data)): try recall(handoff, data, act)
        case .submitted, .reviewCommand, .policyCommand, .approval, .dutyCommand, .deadLetter, .note:
            throw Problem.wrongWorker
        }
    }

    private mutating func apply(_ said: HandoffAct, _ act: Act, to handoff: Handoff) throws {
        switch said {
        case .signed(let data): try sign(handoff, data, act)
        case .returned(let data): try giveBack(handoff, data, act)
        case .progressed(let data):
            try move(handoff.id, .progressed, act)
            try note(handoff.id, "progress", data.text, act)
        case .decided(let data):
            try move(handoff.id, .decided(disposition: data.disposition), act)
            try note(handoff.id, "disposition", data.disposition, act)
        case .caseFiled(let data):
            try move(handoff.id, .caseFiled(on: data.filedOn), act)
            cases.files[handoff.reportID]?.update(handoff.id) { $0.caseNumber = data.caseNumber }
            try note(handoff.id, "case_filed", data.caseNumber, act)
        case .caseNotified(let data):
            try move(handoff.id, .caseNotified(filedOn: data.filedOn), act)
            cases.files[handoff.reportID]?.update(handoff.id) { $0.caseNumber = $0.caseNumber ?? data.caseNumber }
            try note(handoff.id, "case_notified", data.caseNumber, act)
        case .concluded(let data): try conclude(handoff, data, act)
        case .resendRequested(let data):
            try move(handoff.id, .resent, act)
            try note(handoff.id, "resend", data.text ?? data.cause, act)
            try sendAgain(handoff)
        }
    }

    /// Refuses a second conclusion as a second one, whatever words it uses.
    private func refuseSecond(_ act: Act, of handoff: Handoff) throws {
        guard case .act(.concluded) = act.message.body else { return }
        var state = handoff.state
        do throws(Rejection) {
            _ = try state.apply(.concluded)
        } catch .refused(.alreadyConcluded, let state) {
            throw Rejection.refused(.alreadyConcluded, state: state)
        } catch {}
    }

    // MARK: Acts with their own rules

    /// Signs for a handoff. A signature is valid only with the digest of the body that was sent (invariant 4).
    private mutating func sign(_ handoff: Handoff, _ data: HandoffSigned, _ act: Act) throws {
        // The state is checked first: a second signature is refused as a second one, whatever its digest.
        var state = handoff.state
        _ = try state.apply(.signed)
        guard [UInt8](hexadecimal: data.digest) == handoff.digest else {
            throw Problem(
                code: Refusal.wrongDigest.rawValue, path: "data.digest",
                text: "this is not the SHA-256 of the body that was sent; ask for it again if it did not arrive whole")
        }
        try move(handoff.id, .signed, act)
    }

    private mutating func giveBack(_ handoff: Handoff, _ data: HandoffReturned, _ act: Act) throws {
        var state = handoff.state
        _ = try state.apply(.returned)
        guard file(of: handoff.id)?.report.verdict != .passedUp else {
            throw Problem(
                code: Refusal.returnNotApproved.rawValue,
                text:
                    """
                    it was passed up sealed, and the office keeps nothing of it that could go elsewhere: it stays \
                    with you
                    """
            )
        }
        let hops = file(of: handoff.id)?.handoffs.count { $0.state == .returned } ?? 0
        let ruling = office.rulebook.judgeReturn(
            reason: data.reason, text: data.text ?? "", handoffKind: handoff.kind, hopsSoFar: hops)
        guard ruling.approved else {
            throw Problem(code: Refusal.returnNotApproved.rawValue, text: "\(ruling.message) (\(ruling.rule))")
        }
        try move(handoff.id, .returned(reason: data.reason, rule: ruling.rule.description), act)
        try note(handoff.id, "return", data.text ?? "", act)
        answer(
            act.key, to: act.sender, .handoffRecalled, subject: handoff.id.description,
            data: HandoffRecalled(cause: "return_approved", reason: ruling.message),
            about: .reports([handoff.reportID]),
            handoff: handoff.id, queue: Topology.Queue.handoff(to: handoff.unit, express: handoff.express))
        notify(.routing, .handoffCameBack, report: handoff.reportID, handoff: handoff.id, express: handoff.express)
    }

    private mutating func conclude(_ handoff: Handoff, _ data: HandoffConcluded, _ act: Act) throws {
        try move(handoff.id, .concluded(outcome: data.outcome), act)
        // This act was judged and sent back before; its inbox row has been pruned since.
        guard !cases.notes.appliedActs.contains(act.key) else {
            throw Rejection.refused(.alreadyConcluded, state: handoff.state.rawValue)
        }
        try note(handoff.id, "conclusion", data.summary, act)
        let ruling = office.rulebook.judgeConclusion(
            outcome: data.outcome, hasDisposition: handoff.disposition != nil,
            hasSummary: data.summary.contains { !$0.isWhitespace }, realNameAnswered: data.reporterAnswered,
            isRealName: file(of: handoff.id)?.report.realName ?? false, timesReturned: handoff.timesSentBack)
        let rule = ruling.rule.description
        try move(handoff.id, ruling.accepted ? .conclusionAccepted(rule: rule) : .conclusionSentBack(rule: rule), act)
        answer(
            act.key, to: act.sender, ruling.accepted ? .conclusionAccepted : .conclusionReturned,
            subject: handoff.id.description, data: ConclusionJudged(rule: rule, text: ruling.message),
            about: .reports([handoff.reportID]), handoff: handoff.id)
    }

    private static let recalled = "recalled; the report needs review"

    private mutating func recall(_ handoff: Handoff, _ data: CommandRecall, _ act: Act) throws {
        guard case .person(let id) = act.sender, let person = office.directory.persons[id], person.active,
            !person.roles.isDisjoint(with: PersonRole.mayRecall), let file = file(of: handoff.id),
            cases.admits(person, to: file)
        else {
            // The same text for a missing role and for a recusal, so that nobody learns who is accused.
            throw Problem(code: Refusal.notAllowed.rawValue, text: "you may not recall this handoff")
        }
        var state = handoff.state
        _ = try state.apply(.recalled)
        guard try isApproved(act, as: .recall, of: handoff.reportID, handoff: handoff.id, kind: handoff.kind) else {
            return
        }
        let reachedUnit = handoff.state != .awaitingApproval
        try move(handoff.id, .recalled, act)
        try note(handoff.id, "recall", data.reason, act)
        if reachedUnit {
            send(
                .handoffRecalled, to: .unit(handoff.unit), subject: handoff.id.description,
                data: HandoffRecalled(cause: "recalled", reason: data.reason), about: .reports([handoff.reportID]),
                handoff: handoff.id, queue: Topology.Queue.handoff(to: handoff.unit, express: handoff.express))
        }
        // Whoever approved it is answered with the approval.
        guard act.approval == nil else { return }
        answer(
            act.key, to: act.sender, .commandTaken, subject: handoff.id.description,
            data: CommandTaken(text: Self.recalled), about: .reports([handoff.reportID]),
            handoff: handoff.id)
    }

    // MARK: Shared steps

    private mutating func move(_ id: HandoffID, _ move: HandoffMove, _ act: Act) throws {
        try self.move(id, move, of: act.key, by: act.sender.description)
    }

    /// - Parameter act: the act that caused the move; `nil` if the outcome of an outbox row did.
    mutating func move(_ id: HandoffID, _ move: HandoffMove, of act: InboxKey? = nil, by actor: String) throws {
        guard let report = cases.reportOf[id] else { return }
        let act = act.map { office.commitment(toAct: $0, of: report) }
        let (now, rulebook) = (now, office.rulebook)
        try cases.files[report]?.move(id, move, act: act, by: actor, at: now, under: rulebook)
    }

    /// The kinds of notes whose acts a handoff accepts any number of times. Only these are limited: other acts are
    /// few, and the limit must not stop them.
    private static let repeatableNotes: Set = ["progress", "disposition", "case_notified", "resend"]

    /// Stores the text of an act as a note.
    ///
    /// An act may come again after its inbox row was pruned, while the handoff's state still accepts such acts.
    /// Its stored note shows that it was applied before.
    /// - Throws: `TakenBefore` if the act was applied before; a `Problem` if the handoff has too many notes.
    private mutating func note(_ id: HandoffID, _ kind: String, _ text: String, _ act: Act) throws {
        guard !cases.notes.appliedActs.contains(act.key) else { throw TakenBefore() }
        if UnitOfWork.repeatableNotes.contains(kind) {
            let said = cases.notes.amount(of: id)
            guard said.count < office.limits.notesPerHandoffMax,
                said.bytes + text.utf8.count <= office.limits.notesBytesPerHandoffMax
            else {
                throw Problem(
                    code: "too_many_notes",
                    text: "\(said.count) notes with \(said.bytes) bytes stand in the books of this handoff; conclude it"
                )
            }
        }
        cases.notes.add(
            HandoffNote(
                handoffID: id, sender: act.key.sender, eventID: act.key.eventID, kind: kind, writtenAt: now, body: text)
        )
    }
}

extension Problem {
    /// The same text if the handoff does not exist, belongs to another unit, or is barred to the sender, so that the
    /// sender cannot tell which.
    static let unknownHandoff = Problem(
        code: Refusal.unknownHandoff.rawValue, path: "subject", text: Refusal.unknownHandoff.words)
}

/// The act's note is already stored.
private struct TakenBefore: Error {}

extension Refusal {
    /// The text of the refusal, for a person.
    var words: String {
        switch self {
        case .wrongState: "this act does not fit its state"
        case .awaitingApproval: "it is not released yet"
        case .alreadySigned: "it was signed for before"
        case .alreadyFiled: "a case was filed for it before"
        case .alreadyConcluded: "it was concluded before"
        case .caseFiled: "a case was filed, so it stays where it is"
        case .closed: "nothing more can be done about it"
        case .returned: "it was returned and is no longer yours"
        case .recalled: "it was recalled and is no longer yours"
        case .undeliverable: "it could not be delivered"
        case .neverSigned: "it was never signed for"
        case .wrongDigest: "the digest is another one"
        case .notAllowed: "this is not allowed to you"
        case .notCaseOffice: "only the case office says this"
        case .unknownHandoff: "no handoff with this id was addressed to you"
        case .unknownWord: "the policy does not know this word"
        case .returnNotApproved: "the return was not approved"
        case .idReused: "the id was used before for another message"
        case .decidedBefore: "it was decided before"
        case .ownApproval: "a second person decides it, not the one who asked for it"
        }
    }
}
