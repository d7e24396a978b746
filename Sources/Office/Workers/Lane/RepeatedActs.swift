import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import PostgreSQL

/// A repeated act: the message, its inbox row, and the reason if it is a dead letter.
struct Repeat {
    let inbound: InboundMessage
    let row: InboxRow
    let deadBecause: String?
}

extension LaneStore {
    /// Reads the stored verdicts of these repeats, and the cases of their answers.
    func loadRepeats(_ repeats: [InboundMessage], into unitOfWork: inout UnitOfWork) throws -> [Repeat] {
        let known = try database.run(ReadInbox(keys: repeats.map(\.key))).rows
        let rows = Dictionary(known.map { ($0.key, $0) }) { first, _ in first }
        try loadAnsweredAbout(repeats, Set(known.compactMap(\.reportID)), into: &unitOfWork)
        let dead = known.filter { $0.verdict == .dead }.map(\.key)
        let reasons = dead.isEmpty ? [] : try database.run(ReadDeadLetterReasons(keys: dead)).rows
        let reasonOf = Dictionary(reasons.map { ($0.key, $0.reason) }) { first, _ in first }
        return repeats.compactMap { inbound in
            rows[inbound.key].map { Repeat(inbound: inbound, row: $0, deadBecause: reasonOf[inbound.key]) }
        }
    }

    /// Reads the cases of these answers, without a lock.
    private func loadAnsweredAbout(
        _ repeats: [InboundMessage], _ answered: Set<ReportID>, into unitOfWork: inout UnitOfWork
    ) throws {
        let submissions = repeats.compactMap(\.submission)
        var reports: [Report] = []
        if !submissions.isEmpty {
            reports = try database.run(
                ReadSubmissions(sources: submissions.map(\.source.rawValue), submissionIDs: submissions.map(\.id))
            ).rows
        }
        let others = answered.subtracting(reports.map(\.id))
        if !others.isEmpty { reports += try database.run(ReadReports(reports: others.sorted())).rows }
        try unitOfWork.loadAnsweredAbout(reports, from: database)
        // Whether a person may learn of a case depends on who is accused.
        guard repeats.contains(where: { if case .person = $0.sender { true } else { false } }), !reports.isEmpty else {
            return
        }
        let accused = Dictionary(grouping: try database.run(ReadAccused(reports: reports.map(\.id))).rows, by: \.0)
        for report in reports {
            unitOfWork.cases.contents[report.id] = Submission(
                title: "", text: "", accused: (accused[report.id] ?? []).map(\.1))
        }
    }
}

extension InboundMessage {
    /// Why no act can be made of the message; `nil` if one can.
    fileprivate var deadProblem: Problem? {
        if case .dead(let problem, _) = content { problem } else { nil }
    }
}

extension Problem {
    fileprivate static func waitsDead(_ reason: String?) -> Problem {
        Problem(
            code: reason ?? "cannot_be_handled",
            text: "the office could not handle this act so far; its verdict comes once a person decided")
    }
}

extension UnitOfWork {
    /// Loads cases that are only needed for answers, so that the barrier can be checked.
    mutating func loadAnsweredAbout(_ reports: [Report], from database: Database) throws {
        guard !reports.isEmpty else { return }
        let barred = Dictionary(grouping: try database.run(ReadBarredUnits(reports: reports.map(\.id))).rows, by: \.0)
        // If an answer is still in the outbox, no second row is inserted and the database checks nothing. So the
        // directory is read again, not taken from memory.
        if !barred.isEmpty { office.directory = try OfficeDirectory.read(database) }
        for report in reports {
            cases.answeredAbout[report.id] = CaseFile(
                loaded: report, barred: Set((barred[report.id] ?? []).map(\.1)), handoffs: [], clocks: [])
        }
    }

    /// Gives a repeat the verdict of the first time (invariant 2), as far as the barrier admits its sender now.
    mutating func answerAgain(_ known: Repeat) throws {
        let (inbound, row) = (known.inbound, known.row)
        // Its addressee rejected it again.
        if inbound.givenBack != nil { return try keepAsDeadLetter(inbound, .wrongWorker) }
        guard row.digest == inbound.digest else {
            return refuse(inbound, [.idReused], variant: inbound.digest.hexadecimal)
        }
        // If no act can be made of the message, each sending is answered, whatever the state of its dead letter.
        if let problem = inbound.deadProblem { return answerDeadAgain(inbound, problem) }
        switch row.verdict {
        case .held: return
        case .dead: answerDeadAgain(inbound, .waitsDead(known.deadBecause))
        case .taken, .refused:
            if row.reply != nil, let sender = inbound.sender {
                repeatAnswer(row, to: sender, inbound)
            } else if inbound.type == MessageType.reportSubmitted.rawValue, let report = report(of: inbound) {
                repeatSubmission(report, inbound: inbound)
            }
        }
    }

    /// Sends an answer again, unchanged. If the barrier excludes the party by now, a source gets a bare receipt,
    /// and others get nothing.
    private mutating func repeatAnswer(_ row: InboxRow, to sender: Party, _ inbound: InboundMessage) {
        guard let name = row.replyType, let type = MessageType(rawValue: name), let body = row.reply,
            let notices = Topology.Queue.notice(for: sender)
        else { return }
        guard admits(sender, type: type, about: Concern(stored: row.reportID.map { [$0] } ?? [])) else {
            if let report = report(of: inbound) { giveReceipt(inbound, about: report) }
            return
        }
        var (exchange, queue) = (Topology.Exchange.notice, notices)
        // A recall goes to the queue to which the handoff was sent.
        if type == .handoffRecalled, case .unit(let unit) = sender {
            (exchange, queue) = (Topology.Exchange.handoff, Topology.Queue.handoff(to: unit, express: row.express))
        }
        outgoing.send(
            OutboxRow(
                eventID: UnitOfWork.replyID(to: row.key), exchange: exchange, routingKey: queue, type: name,
                subject: row.subject, addressee: sender.description, reports: row.reportID.map { [$0] } ?? [],
                handoffID: nil, body: body),
            past: cases, in: office)
    }
}
