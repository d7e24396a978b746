import Basics
import CaseStore
import Casework
import Contract
import Foundation

/// The outcomes of earlier outbox rows, written with the next transaction.
extension UnitOfWork {
    /// Applies the outcomes: the broker has confirmed or returned these rows, or they were withdrawn.
    mutating func apply(_ settled: OutboxPublisher.Settled) throws {
        for row in settled.confirmed where row.movesHandoff {
            guard let id = row.handoffID, file(of: id)?[handoff: id]?.state == .released else { continue }
            try move(id, .confirmed, by: office.name)
        }
        for row in settled.unroutable {
            let handoff = row.movesHandoff ? row.handoffID.flatMap { id in file(of: id)?[handoff: id] } : nil
            switch handoff?.state {
            case .released:
                if let id = row.handoffID { try move(id, .unroutable, by: office.name) }
                // For a report passed up sealed these are the only bytes; they stay sealed to the superior.
                if let id = row.handoffID, file(of: id)?.report.verdict == .passedUp { try keepUnroutable(row) }
            case .undeliverable:
                // A transaction whose end this lane did not learn has already written it.
                continue
            default:
                try keepUnroutable(row)
            }
        }
        for row in settled.withdrawn { try withdraw(row) }
    }

    /// Withdraws a row whose addressee was barred while it waited. A handoff that is only released is recalled,
    /// and a person decides again. A source gets a bare receipt instead of its answer.
    private mutating func withdraw(_ row: OutboxRow) throws {
        let handoff = row.movesHandoff ? row.handoffID.flatMap { id in file(of: id)?[handoff: id] } : nil
        let event = LedgerEvent.withdrawn(type: row.type, addressee: row.addressee, handoff: row.handoffID)
        let (now, actor) = (now, office.name)
        for id in row.reports { cases.files[id]?.record(event, at: now, by: actor) }
        answers.report(
            "\(row.type) to \(row.addressee) about \(row.subject) was not sent: its addressee is barred by now")
        if let handoff, handoff.state == .released {
            try move(handoff.id, .recalled, by: office.name)
            cases.files[handoff.reportID]?.update(handoff.id) { $0.endedBecause = "barred" }
            cases.files[handoff.reportID]?.updateReport { $0.reason = "barred" }
            if let file = cases.files[handoff.reportID] {
                notifySupervisors("handoff_withdrawn", of: handoff.id, rule: handoff.rule, file)
            }
        }
        guard row.type == MessageType.reportAccepted.rawValue, let sender = Party(row.addressee),
            let report = row.reports.first,
            let answer = try? JSONDecoder().decode(AnswerHead.self, from: Data(row.body)),
            let file = cases.files[report]
        else { return }
        // The same answer as a repeat of the act would get now.
        send(
            .reportReceived, to: sender, subject: row.subject, inReplyTo: answer.inreplyto, data: Nothing(),
            about: .reports([report]), eventID: row.eventID,
            at: answer.inreplyto == file.report.submissionID ? file.report.registeredAt : nil)
    }

    private struct AnswerHead: Decodable { let inreplyto: String? }

    /// Keeps an unroutable row as a dead letter, under the event's id: a second attempt finds it there.
    private mutating func keepUnroutable(_ row: OutboxRow) throws {
        let id = row.eventID
        var letter = DeadLetter(
            id: id, reason: "undeliverable", detail: "there is no queue \(row.routingKey)", type: row.type,
            sender: office.name, eventID: row.eventID.lowercased, inboxID: nil, queue: row.exchange,
            routingKey: row.routingKey, worker: office.worker.rawValue,
            body: .kept(try office.boxes.seal(row.body, for: .deadLetter(id)), bytes: row.body.count),
            answered: false, receivedAt: office.wall)
        letter.addressee = row.addressee
        letter.subject = row.subject
        letter.reports = row.reports
        letter.handoffID = row.handoffID
        answers.keep(letter)
    }
}
