import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation

extension Docket {
    /// Keeps what cannot be handled as a dead letter and answers each of its sendings. `detail` is for the operator alone.
    mutating func bury(_ parcel: Parcel, _ problem: Problem, detail: String? = nil) throws {
        if let back = parcel.givenBack { return try keepGivenBack(parcel, back) }
        let problem = isKeepable(parcel) ? problem : problem.notKept
        settle(parcel.key, .dead)
        problems[parcel.key] = [problem]
        // It lies among the dead letters already, and its sender knows.
        if parcel.replayOf != nil { return }
        guard hasRoom(for: parcel, problem) else { return }
        let id = UUID.version7(at: wall)
        let body: DeadLetterBody =
            isKeepable(parcel)
            ? .kept(try vault.seal(parcel.body, context: Vault.context(deadLetter: id)), bytes: parcel.body.count)
            : .notKept(digest: parcel.digest, bytes: parcel.bytes)
        var letter = DeadLetter(
            id: id, reason: problem.code, detail: detail ?? problem.description,
            type: parcel.type, sender: parcel.senderName, eventID: parcel.ownID, inboxID: parcel.key.eventID, queue: parcel.queue,
            routingKey: String(parcel.routingKey.prefix(255)), worker: parcel.ownerAsDeadLetter(of: worker).rawValue,
            body: body, answered: tellBurial(of: parcel, problem), receivedAt: wall)
        letter.subject = parcel.subject
        letter.times = parcel.sendings.count
        deadLetters.append(letter)
    }

    /// Where too many of a sender's wait for a person already, no further one is kept: it is refused instead.
    private mutating func hasRoom(for parcel: Parcel, _ problem: Problem) -> Bool {
        let owner = parcel.senderName ?? ""
        guard let open = openLettersOf[owner] else { return true }
        if open < limits.deadLettersPerSenderMax {
            openLettersOf[owner] = open + 1
            return true
        }
        unkept[owner, default: 0] += parcel.sendings.count
        refuse(parcel, [problem, .tooManyDeadLetters(open)])
        for sending in parcel.sentAlso { tell(sending, of: parcel, [problem, .tooManyDeadLetters(open)]) }
        return false
    }

    /// The reason of what came back from its addressee.
    static let rejected = "rejected_by_addressee"

    /// What lies among the dead letters came again: it is counted, and each sending answered.
    mutating func buryAgain(_ parcel: Parcel, _ problem: Problem) {
        cameAgain[parcel.key, default: 0] += parcel.sendings.count
        _ = tellBurial(of: parcel, isKeepable(parcel) ? problem : problem.notKept)
    }

    /// What cannot be read is not kept: it could be what only a superior may handle. Of what can be read the sealing rule is asked
    /// first; whose report a stranger's paper belongs to, nobody can tell.
    private func isKeepable(_ parcel: Parcel) -> Bool {
        switch parcel.message?.body {
        case nil: false
        case .reportSubmitted(let submission):
            // Whoever it came by: of a stranger no kind of source is known.
            !rulebook.sourceKinds.keys.contains { rulebook.sealing(of: ReportFacts(submission: submission, sourceKind: $0)) != nil }
        case .attachmentPart: report(of: parcel).map { $0.verdict != .passedUp } ?? false
        default: true
        }
    }

    /// Not the verdict, which a replay may still bring: a message with an id of its own, for each sending.
    /// - Returns: whether anybody was told.
    private mutating func tellBurial(of parcel: Parcel, _ problem: Problem) -> Bool {
        guard let sender = parcel.sender, Topology.Queue.notice(for: sender) != nil else { return false }
        for sending in parcel.sendings { tell(sending, of: parcel, [problem]) }
        return true
    }

    private mutating func tell(_ sending: Parcel.Sending, of parcel: Parcel, _ problems: [Problem]) {
        guard let sender = parcel.sender else { return }
        // The same where the broker delivers a sending twice.
        let variant = sending.messageID.map { "dead|\($0)" }
        if let report = receiptOnly(parcel) {
            giveReceipt(parcel, about: report, variant: variant ?? "dead")
        } else {
            send(
                .messageRefused, to: sender, subject: sending.subject, inReplyTo: sending.inReplyTo,
                data: MessageRefused(refusedType: parcel.type, problems: problems), reports: [],
                eventID: variant.map { Docket.replyID(to: parcel.key, variant: $0) })
        }
    }

    /// A message of the office's own that came back is kept as such, under its event's id. Its handoff stays as it is, and its clocks run.
    private mutating func keepGivenBack(_ parcel: Parcel, _ back: (worker: Worker, addressee: Party, eventID: UUID)) throws {
        settle(parcel.key, .dead)
        guard parcel.replayOf == nil else { return }
        var letter = DeadLetter(
            id: back.eventID, reason: Docket.rejected,
            detail: "\(back.addressee) rejected it without requeueing, or never acknowledged it (queue \(parcel.routingKey.prefix(120)))",
            type: parcel.type, sender: parcel.senderName, eventID: back.eventID.lowercased, inboxID: nil,
            queue: Topology.Exchange.sending(to: parcel.routingKey), routingKey: String(parcel.routingKey.prefix(255)),
            worker: back.worker.rawValue,
            body: .kept(try vault.seal(parcel.body, context: Vault.context(deadLetter: back.eventID)), bytes: parcel.body.count),
            answered: false, receivedAt: wall)
        letter.addressee = back.addressee.description
        letter.subject = parcel.subject
        let handoff = HandoffID(parcel.subject)
        letter.handoffID = handoff.flatMap { reportOf[$0] == nil ? nil : $0 }
        // Where it is about a report, the barrier is asked again before it may go once more.
        let submission = files.values.first { Party.source($0.report.source) == back.addressee && $0.report.submissionID == parcel.subject }
        letter.reports = (handoff.flatMap { reportOf[$0] } ?? submission?.report.id).map { [$0] } ?? []
        // Twice in one transaction is one row.
        if let place = deadLetters.firstIndex(where: { $0.id == letter.id }) {
            deadLetters[place].times += 1
        } else {
            deadLetters.append(letter)
        }
    }
}

extension Problem {
    /// The same, for what the office keeps no bytes of.
    fileprivate var notKept: Problem {
        guard !text.hasSuffix(Problem.notKeptWords) else { return self }
        return Problem(code: code, path: path, text: text + Problem.notKeptWords)
    }

    private static let notKeptWords = "; it was not kept: send it again as it should be"
}
