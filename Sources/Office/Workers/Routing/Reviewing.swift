import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract

extension InboundMessage {
    /// The report that a person decides about.
    var reviewed: ReportID? {
        guard case .message(let message) = content, case .reviewCommand = message.body else { return nil }
        return ReportID(message.envelope.subject)
    }
}

/// The exits of a report that needs review (待审看): a person reads it, hands it off, or ends it.
extension UnitOfWork {
    mutating func review(_ act: Act) throws -> String? {
        guard case .reviewCommand(let command) = act.message.body else { throw Problem.wrongWorker }
        guard let id = ReportID(act.message.envelope.subject), var file = cases.files[id],
            let content = cases.contents[id]
        else {
            throw Problem(code: "unknown_report", path: "subject", text: "no report has this id")
        }
        // Units and people may have been entered since it was routed.
        bar(&file, content)
        cases.files[id] = file
        guard case .person(let person) = act.sender, let row = office.directory.persons[person], row.active,
            !row.roles.isDisjoint(with: PersonRole.mayReview), cases.admits(row, to: file)
        else {
            // The same text for a missing role and for a recusal, so that nobody learns who is accused.
            throw Problem(code: Refusal.notAllowed.rawValue, text: "you may not decide about this report")
        }
        guard file.report.state == .needsReview else {
            throw Rejection.refused(.wrongState, state: file.report.state.rawValue)
        }
        switch command {
        case .read: return try show(file, content, act)
        case .route(let data): return try route(file, content, data, act)
        case .close(let data): return try close(id, data, act)
        }
    }

    /// Sends the masked contents. They are not kept as the answer of the act: whoever asks again asks a new question.
    private mutating func show(_ file: CaseFile, _ content: Submission, _ act: Act) throws -> String? {
        answers.take(act.key)
        send(
            .reviewContents, to: act.sender, subject: file.report.id.description, inReplyTo: act.key.eventID,
            data: ReviewContents(of: file, content: content), about: .reports([file.report.id]))
        return nil
    }

    private mutating func route(
        _ loaded: CaseFile, _ content: Submission, _ data: CommandReviewRoute, _ act: Act
    ) throws -> String? {
        if let problem = office.rulebook.unknownWord(in: act.message) { throw problem }
        let (unit, kind, rule) = try destination(of: loaded, content, data)
        let id = loaded.report.id
        guard try isApproved(act, as: .reviewRoute, of: id, kind: kind) else { return nil }
        try lapseReview(of: id, by: act)
        guard var file = cases.files[id] else { throw NotLoaded() }
        try recallUndeliverable(&file, act)
        file.updateReport { $0.reason = data.reason }
        try handOff(
            &file, to: unit, kind: kind, rule: rule, content: content, act: act.key, by: act.sender.description)
        return "handed to unit.\(unit) (\(kind))"
    }

    private func destination(
        of loaded: CaseFile, _ content: Submission, _ data: CommandReviewRoute
    ) throws -> (UnitID, String, RuleReference) {
        var file = loaded
        guard let unit = data.unit, let kind = data.kind else {
            let ruling = ruling(on: &file, content)
            switch ruling.decision {
            case .handoff(let unit, let kind): return (unit, kind, ruling.rule)
            case .needsReview(let reason):
                throw Problem(code: "no_unit", text: "the rules find no unit: \(reason) (\(ruling.rule))")
            }
        }
        guard office.directory.units[unit]?.active == true, !file.barred.contains(unit) else {
            throw Problem(
                code: "unit_not_possible", path: "data.unit",
                text: "there is no such active unit, or the barrier keeps it from this report")
        }
        return (unit, kind, office.rulebook.review)
    }

    private mutating func close(_ id: ReportID, _ data: CommandReviewClose, _ act: Act) throws -> String? {
        if let problem = office.rulebook.unknownWord(in: act.message) { throw problem }
        guard try isApproved(act, as: .reviewClose, of: id) else { return nil }
        try lapseReview(of: id, by: act)
        guard var file = cases.files[id] else { throw NotLoaded() }
        try recallUndeliverable(&file, act)
        try file.apply(data.end == .closed ? .closedInReview : .declined)
        file.updateReport { ($0.reason, $0.authority) = (data.reason, data.authority) }
        // A report of which a unit still has a handoff cannot end.
        guard file.report.state.following(file.handoffs.map(\.state)) == file.report.state else {
            throw Problem(code: "open_handoffs", text: "a unit still has a handoff of it: recall that first")
        }
        file.record(
            .reviewClosed(
                as: file.report.state, rule: office.rulebook.review.description,
                act: office.commitment(toAct: act.key, of: id)), at: now, by: act.sender.description)
        cases.files[id] = file
        return file.report.state == .closed
            ? "closed; nothing more follows" : "not accepted; \(data.authority ?? "") is competent"
    }

    /// A handoff that could not be delivered is not sent any more.
    private func recallUndeliverable(_ file: inout CaseFile, _ act: Act) throws {
        for handoff in file.handoffs where handoff.state == .undeliverable {
            try file.move(
                handoff.id, .recalled, act: office.commitment(toAct: act.key, of: file.report.id),
                by: act.sender.description, at: now, under: office.rulebook)
        }
    }
}
