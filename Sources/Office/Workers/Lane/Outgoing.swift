import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// The outbox rows and notices to persons that a transaction creates. The barrier is checked here, at the only
/// exit: every method that adds a row or a notice checks it (invariant 5).
struct Outgoing {
    private(set) var rows: [OutboxRow] = []
    private(set) var notices: [PersonNotice] = []

    /// The first row added after the first `count` rows; `nil` if the barrier stopped it.
    func row(after count: Int) -> OutboxRow? { rows.count > count ? rows[count] : nil }

    // MARK: The exit

    /// Adds a message to the outbox, if the barrier admits it.
    /// - Parameters:
    ///   - concern: what the message is about, for the barrier.
    ///   - queue: the queue of the addressee; `nil` for its queue of notices.
    /// - Returns: the SHA-256 of the body, or `nil` if the barrier stopped the message.
    mutating func send<Payload: Codable & Sendable>(
        _ event: CloudEvent<Payload>, id: UUID, to addressee: Party, about concern: Concern, handoff: HandoffID?,
        queue: String?, past cases: Cases, in office: OfficeContext
    ) -> [UInt8]? {
        guard cases.admits(addressee, type: event.type, about: concern, in: office),
            let key = queue ?? Topology.Queue.notice(for: addressee)
        else { return nil }
        let exchange: String
        if case .office = addressee {
            exchange = Topology.Exchange.work
        } else {
            exchange = queue == nil ? Topology.Exchange.notice : Topology.Exchange.handoff
        }
        let body = Wire.encode(event)
        rows.append(
            OutboxRow(
                eventID: id, exchange: exchange, routingKey: key, type: event.type.rawValue, subject: event.subject,
                addressee: addressee.description, reports: concern.reports, handoffID: handoff, body: body))
        return Array(SHA256.hash(data: body))
    }

    /// Adds a message that is made already to the outbox, unchanged, if the barrier admits it.
    /// - Returns: whether the barrier admits it.
    @discardableResult
    mutating func send(_ row: OutboxRow, past cases: Cases, in office: OfficeContext) -> Bool {
        guard let addressee = Party(row.addressee), let type = MessageType(rawValue: row.type),
            cases.admits(addressee, type: type, about: Concern(stored: row.reports), in: office)
        else { return false }
        rows.append(row)
        return true
    }

    /// Adds a notice for every supervisor whom the barrier admits to the case; for a sealed report only for its
    /// custodian, if that person is still a supervisor. Of a sealed report the accused are not stored: the barrier was
    /// asked for the custodian at intake (`OfficeDirectory.custodian`), and cannot be asked for anybody later.
    mutating func notifySupervisors(
        _ kind: String, of handoff: HandoffID, rule: String, _ file: CaseFile, past cases: Cases,
        in office: OfficeContext
    ) {
        let custodian = file.report.custodian
        for person in office.directory.persons(with: .supervisor)
        where custodian.map({ $0 == person.id }) ?? cases.admits(person, to: file) {
            notices.append(
                PersonNotice(
                    id: UUID.version7(at: office.wall), person: person.id, reportID: file.report.id,
                    handoffID: handoff, kind: kind, rule: rule, createdAt: office.now))
        }
    }

    /// Adds a notice for every supervisor about a duty of a unit or the office. It is about no report.
    mutating func notifySupervisors(_ kind: String, of clock: ClockID?, rule: String, in office: OfficeContext) {
        for person in office.directory.persons(with: .supervisor) {
            notices.append(
                PersonNotice(
                    id: UUID.version7(at: office.wall), person: person.id, reportID: nil, handoffID: nil,
                    clockID: clock, kind: kind, rule: rule, createdAt: office.now))
        }
    }

    /// Adds a notice about an approval for those of these persons whom the barrier admits to what it is about.
    /// - Returns: the number of notices.
    @discardableResult
    mutating func notify(
        _ persons: some Sequence<PersonRow>, _ kind: String, of approval: Approval, past cases: Cases,
        in office: OfficeContext
    ) -> Int {
        let clock = approval.clock.id(startingAt: approval.askedAt)
        let admitted = persons.filter { cases.admits($0, to: approval) }.sorted { $0.id < $1.id }
        for person in admitted {
            notices.append(
                PersonNotice(
                    id: UUID.version7(at: office.wall), person: person.id, reportID: approval.reportID,
                    handoffID: approval.handoffID, clockID: clock, kind: kind, rule: approval.rule,
                    createdAt: office.now))
        }
        return admitted.count
    }

    mutating func takeBack(to count: Int) { rows.removeLast(rows.count - count) }

    // MARK: Writing

    /// Checks the office's own messages against the limit of all messages.
    ///
    /// Intake refuses a report that could not be forwarded, so a message over the limit is a fault of the office:
    /// its act is kept as a dead letter, and nothing is written or sent.
    /// - Throws: `Oversize`.
    func checkSizes(_ limits: Limits) throws {
        for row in rows where row.body.count > limits.messageBytesMax {
            throw Oversize(type: row.type, addressee: row.addressee, bytes: row.body.count)
        }
    }

    /// The commands that write the notices and outbox rows.
    /// - Parameter sent: rows to delete: the broker has confirmed them, or they will never be sent.
    func commands(from lane: String, of office: OfficeContext, deleting sent: [UUID]) -> [any Command] {
        var commands: [any Command] = []
        if !notices.isEmpty { commands.append(InsertPersonNotices(notices: notices)) }
        // Deletes come first: an answer that is sent again has the same id, and the barrier judges only new rows.
        if !sent.isEmpty { commands.append(DeleteOutbox(eventIDs: sent)) }
        if !rows.isEmpty {
            commands.append(
                InsertOutbox(rows: rows, worker: office.worker.rawValue, lane: lane, createdAt: office.wall))
        }
        return commands
    }
}

/// A message of the office is larger than the limit of all messages.
struct Oversize: PlainlyWorded, CustomStringConvertible {
    let type: String
    let addressee: String
    let bytes: Int
    var description: String { "\(type) to \(addressee) would have \(bytes) bytes, more than a message may" }
}

// MARK: The barrier

/// What a message is about. Each sender says it: nothing is about no case by default.
enum Concern {
    /// It says nothing of any case and may go to anybody.
    case noCase
    case reports([ReportID])

    /// What is stored with a message of the office, in which no report means `noCase`.
    init(stored reports: [ReportID]) { self = reports.isEmpty ? .noCase : .reports(reports) }

    /// What is stored.
    var reports: [ReportID] { if case .reports(let reports) = self { reports } else { [] } }
}

extension Cases {
    /// Whether the barrier admits a message to an addressee; checked for every message that leaves. A bare receipt
    /// has no content, so a source always gets it.
    ///
    /// `files` are read under the report's lock, which every new root takes, so the answer holds until the commit; the
    /// triggers see a tree that changed. `answeredAbout` is read without the lock: an answer sent again says nothing
    /// new, and a bar that is entered meanwhile comes after it. A row that waits is asked about again (`Lane.send`).
    func admits(_ addressee: Party, type: MessageType, about concern: Concern, in office: OfficeContext) -> Bool {
        guard case .reports(let reports) = concern else { return true }
        let cases = reports.compactMap { files[$0] ?? answeredAbout[$0] }
        // A case that is not loaded cannot be checked, nor can one that is not named: this fails closed.
        guard cases.count == reports.count, !cases.isEmpty else { return false }
        switch addressee {
        case .office: return true
        case .unit(let unit): return Barrier.admits(unit, to: cases)
        case .source(let source):
            if type == .reportReceived { return true }
            guard !cases.contains(where: { $0.report.receiptOnly && $0.report.source == source }) else { return false }
            guard let unit = office.directory.sources[source]?.unit else { return true }
            return Barrier.admits(unit, to: cases)
        case .person(let id):
            guard let person = office.directory.persons[id] else { return false }
            return cases.allSatisfy { admits(person, to: $0) }
        }
    }

    /// Whether the barrier admits a person to what an approval is about.
    func admits(_ person: PersonRow, to approval: Approval) -> Bool {
        guard let report = approval.reportID else { return true }
        return files[report].map { admits(person, to: $0) } ?? false
    }

    /// Whether the barrier admits a person to a case. Fails closed: the accused of a case that is sealed or not
    /// loaded are not known.
    func admits(_ person: PersonRow, to file: CaseFile) -> Bool {
        guard let content = contents[file.report.id], file.report.verdict != .passedUp else { return false }
        return Barrier.admits(
            personNamed: person.name, unit: person.unit, recusedFrom: person.recusedFrom,
            content: content, to: file)
    }
}
