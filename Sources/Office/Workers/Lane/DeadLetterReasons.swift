import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation

extension UnitOfWork {
    /// Keeps a message that cannot be handled as a dead letter and answers each of its sendings.
    /// - Parameter detail: a text for the operator only.
    mutating func keepAsDeadLetter(_ inbound: InboundMessage, _ problem: Problem, detail: String? = nil) throws {
        if let back = inbound.givenBack { return try keepGivenBack(inbound, back) }
        let problem = isKeepable(inbound) ? problem : problem.notKept
        answers.settleAsDead(inbound.key, because: problem)
        // It is already a dead letter, and its sender was notified.
        if inbound.replayOf != nil { return }
        guard hasRoom(for: inbound, problem) else { return }
        let id = UUID.version7(at: office.wall)
        let body: DeadLetterBody =
            isKeepable(inbound)
            ? .kept(try office.boxes.seal(inbound.body, for: .deadLetter(id)), bytes: inbound.body.count)
            : .notKept(digest: inbound.digest, bytes: inbound.bytes)
        var letter = DeadLetter(
            id: id, reason: problem.code, detail: detail ?? problem.description, type: inbound.type,
            sender: inbound.senderName, eventID: inbound.ownID, inboxID: inbound.key.eventID, queue: inbound.queue,
            routingKey: String(inbound.routingKey.prefix(255)),
            worker: inbound.ownerAsDeadLetter(of: office.worker).rawValue,
            body: body, answered: notifySender(of: inbound, problem), receivedAt: office.wall)
        letter.subject = inbound.subject
        letter.times = inbound.sendings.count
        answers.keep(letter)
    }

    /// Whether another dead letter of the sender may be kept. If too many of them are open, the message is refused
    /// instead.
    private mutating func hasRoom(for inbound: InboundMessage, _ problem: Problem) -> Bool {
        guard
            let open = answers.takeRoom(
                of: inbound.senderName ?? "", sendings: inbound.sendings.count,
                countMax: office.limits.deadLettersPerSenderMax)
        else { return true }
        refuse(inbound, [problem, .tooManyDeadLetters(open)])
        for sending in inbound.sentAlso { notify(sending, of: inbound, [problem, .tooManyDeadLetters(open)]) }
        return false
    }

    /// The reason of a message that its addressee rejected.
    static let rejected = "rejected_by_addressee"

    /// Counts a repeat of a message that is already a dead letter, and answers each sending.
    mutating func answerDeadAgain(_ inbound: InboundMessage, _ problem: Problem) {
        answers.count(again: inbound.key, sendings: inbound.sendings.count)
        _ = notifySender(of: inbound, isKeepable(inbound) ? problem : problem.notKept)
    }

    /// Whether the bytes of the message may be kept. A message that cannot be read is not kept: it may be one that
    /// only a superior may handle. A report is kept only if no sealing rule applies to it. A part of an attachment
    /// is kept only if its report is known and was not passed up sealed; the report of an unregistered sender's
    /// part is not known.
    private func isKeepable(_ inbound: InboundMessage) -> Bool {
        switch inbound.message?.body {
        case nil: false
        case .submitted(.report(let submission)):
            // For every kind of source: the kind of an unregistered sender is not known.
            !office.rulebook.sourceKinds.keys.contains {
                office.rulebook.sealing(of: ReportFacts(submission: submission, sourceKind: $0)) != nil
            }
        case .submitted(.part): report(of: inbound).map { $0.verdict != .passedUp } ?? false
        case .act, .handoffCommand, .reviewCommand, .policyCommand, .approval, .dutyCommand, .deadLetter, .note: true
        }
    }

    /// Notifies the sender, once for each sending, by a message with its own id. This is not the verdict, which a
    /// replay may still bring.
    /// - Returns: whether the sender was notified.
    private mutating func notifySender(of inbound: InboundMessage, _ problem: Problem) -> Bool {
        guard let sender = inbound.sender, Topology.Queue.notice(for: sender) != nil else { return false }
        for sending in inbound.sendings { notify(sending, of: inbound, [problem]) }
        return true
    }

    private mutating func notify(_ sending: InboundMessage.Sending, of inbound: InboundMessage, _ problems: [Problem]) {
        guard let sender = inbound.sender else { return }
        // The same id if the broker delivers a sending twice.
        let variant = sending.messageID.map { "dead|\($0)" }
        if let report = receiptOnly(inbound) {
            giveReceipt(inbound, about: report, variant: variant ?? "dead")
        } else {
            send(
                .messageRefused, to: sender, subject: sending.subject, inReplyTo: sending.inReplyTo,
                data: MessageRefused(refusedType: inbound.type, problems: problems), about: .noCase,
                eventID: variant.map { UnitOfWork.replyID(to: inbound.key, variant: $0) })
        }
    }

    /// Keeps a message of the office that came back as a dead letter, under the id of its event. The state of its
    /// handoff does not change, and its clocks run.
    private mutating func keepGivenBack(
        _ inbound: InboundMessage, _ back: (worker: Worker, addressee: Party, eventID: UUID)
    ) throws {
        answers.settle(inbound.key, .dead)
        guard inbound.replayOf == nil else { return }
        var letter = DeadLetter(
            id: back.eventID, reason: UnitOfWork.rejected,
            detail:
                """
                \(back.addressee) rejected it without requeueing, or never acknowledged it (queue \
                \(inbound.routingKey.prefix(120)))
                """,
            type: inbound.type, sender: inbound.senderName, eventID: back.eventID.lowercased, inboxID: nil,
            queue: Topology.Exchange.sending(to: inbound.routingKey),
            routingKey: String(inbound.routingKey.prefix(255)), worker: back.worker.rawValue,
            body: .kept(
                try office.boxes.seal(inbound.body, for: .deadLetter(back.eventID)), bytes: inbound.body.count),
            answered: false, receivedAt: office.wall)
        letter.addressee = back.addressee.description
        letter.subject = inbound.subject
        let handoff = HandoffID(inbound.subject)
        letter.handoffID = handoff.flatMap { cases.reportOf[$0] == nil ? nil : $0 }
        // The report is stored because the barrier is checked again before the message is sent again.
        let submission = cases.files.values.first {
            Party.source($0.report.source) == back.addressee && $0.report.submissionID == inbound.subject
        }
        let read = inbound.type == MessageType.reviewContents.rawValue ? ReportID(inbound.subject) : nil
        letter.reports = (handoff.flatMap { cases.reportOf[$0] } ?? submission?.report.id ?? read).map { [$0] } ?? []
        answers.keep(letter)
    }
}

extension Problem {
    /// The same problem for a message whose bytes are not kept.
    fileprivate var notKept: Problem {
        guard !text.hasSuffix(Problem.notKeptWords) else { return self }
        return Problem(code: code, path: path, text: text + Problem.notKeptWords)
    }

    private static let notKeptWords = "; it was not kept: send it again as it should be"
}
