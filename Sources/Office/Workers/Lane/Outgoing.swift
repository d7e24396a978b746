import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// What leaves the office by a transaction: rows of the outbox, and notices to persons. The barrier stands here, at the
/// one exit: nothing enters but by what asks it (invariant 5).
struct Outgoing {
    private(set) var rows: [OutboxRow] = []
    private(set) var notices: [PersonNotice] = []

    /// The row that was sent after there were so many; `nil` where the barrier stood.
    func row(after count: Int) -> OutboxRow? { rows.count > count ? rows[count] : nil }

    // MARK: The exit

    /// Sends a message, if the barrier admits it.
    /// - Parameter queue: the queue of the addressee; `nil` for its notices.
    /// - Returns: the body's digest, or `nil` where the barrier stood.
    mutating func send<Payload: Codable & Sendable>(
        _ event: CloudEvent<Payload>, id: UUID, to addressee: Party, reports: [ReportID], handoff: HandoffID?,
        queue: String?, past cases: Cases, in office: OfficeContext
    ) -> [UInt8]? {
        guard cases.admits(addressee, type: event.type, reports: reports, in: office),
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
                addressee: addressee.description, reports: reports, handoffID: handoff, body: body))
        return Array(SHA256.hash(data: body))
    }

    /// Sends the office's own message once more, as it was, if the barrier admits it still.
    /// - Returns: whether it did.
    @discardableResult
    mutating func sendAgain(_ row: OutboxRow, past cases: Cases, in office: OfficeContext) -> Bool {
        guard let addressee = Party(row.addressee), let type = MessageType(rawValue: row.type),
            cases.admits(addressee, type: type, reports: row.reports, in: office)
        else { return false }
        rows.append(row)
        return true
    }

    /// For every supervisor whom the barrier lets see the case; of a sealed one for its custodian, while that is a
    /// supervisor.
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

    mutating func takeBack(to count: Int) { rows.removeLast(rows.count - count) }

    // MARK: Writing

    /// Holds the office to the limit that it sets others. What comes in is refused where it could not be handed on, so
    /// a message over the limit is a fault of ours: the act that asks for it is kept as a dead letter, and nothing of
    /// it is written or sent.
    func checkSizes(_ limits: Limits) throws {
        for row in rows where row.body.count > limits.messageBytesMax {
            throw Oversize(type: row.type, addressee: row.addressee, bytes: row.body.count)
        }
    }

    /// - Parameter sent: rows that the broker has, or will never take.
    func commands(from lane: String, of office: OfficeContext, deleting sent: [UUID]) -> [any Command] {
        var commands: [any Command] = []
        if !notices.isEmpty { commands.append(InsertPersonNotices(notices: notices)) }
        // First: an answer that goes again has the same id, and the barrier judges only rows that are entered.
        if !sent.isEmpty { commands.append(DeleteOutbox(eventIDs: sent)) }
        if !rows.isEmpty {
            commands.append(
                InsertOutbox(rows: rows, worker: office.worker.rawValue, lane: lane, createdAt: office.wall))
        }
        return commands
    }
}

/// A message of the office's own over the limit of all messages.
struct Oversize: PlainlyWorded, CustomStringConvertible {
    let type: String
    let addressee: String
    let bytes: Int
    var description: String { "\(type) to \(addressee) would have \(bytes) bytes, more than a message may" }
}
