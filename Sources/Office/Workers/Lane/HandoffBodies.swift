import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL

/// The body of a handoff's message is made once, by routing, and stored under a key that only routing holds. Sending,
/// sending again and later an approval refer to it: outbox rows carry no copy.
extension UnitOfWork {
    /// A body that this transaction stores.
    struct NewBody {
        let eventID: UUID
        let bytes: [UInt8]
        let digest: [UInt8]
    }

    /// Makes and stores the body of a handoff's message.
    mutating func keepBody(_ data: HandoffDispatched, of handoff: HandoffID) throws -> NewBody {
        let id = UUID.version7(at: office.wall)
        let event = office.event(.handoffDispatched, id: id, subject: handoff.description, data: data)
        let bytes = Wire.encode(event)
        cases.newBodies.append(
            HandoffBody(handoffID: handoff, eventID: id, box: try office.boxes.seal(bytes, for: .handoff(handoff))))
        return NewBody(eventID: id, bytes: bytes, digest: Array(SHA256.hash(data: bytes)))
    }

    /// Sends the stored body of a handoff to its unit, if the barrier admits it. Only routing can: the body names it as
    /// its sender. Another worker writes the row, and leaves it to routing.
    /// - Parameter bytes: the body; empty where another worker has it.
    /// - Returns: whether the barrier admits it.
    mutating func sendStored(_ handoff: Handoff, eventID: UUID, bytes: [UInt8] = []) -> Bool {
        outgoing.send(
            OutboxRow(
                eventID: eventID, exchange: Topology.Exchange.handoff,
                routingKey: Topology.Queue.handoff(to: handoff.unit, express: handoff.express),
                type: MessageType.handoffDispatched.rawValue, subject: handoff.id.description,
                addressee: Party.unit(handoff.unit).description, reports: [handoff.reportID], handoffID: handoff.id,
                body: bytes, isStored: true, leftTo: office.worker == .routing ? nil : Worker.routing.rawValue),
            past: cases, in: office)
    }

    // MARK: Asked for again

    /// Loads what is stored of handoffs that units asked for again.
    mutating func loadBodies(of handoffs: [HandoffID], from database: Database) throws {
        guard !handoffs.isEmpty else { return }
        for row in try database.run(ReadHandoffBodies(handoffs: handoffs)).rows { cases.bodies[row.handoffID] = row }
    }

    /// Sends the handoff to its unit again, with the same bytes under the same event id.
    ///
    /// One copy is on its way at a time, so that a unit gets no more than it takes.
    /// - Throws: a `Problem` if nothing is stored, an earlier copy still waits, or the barrier stops it.
    mutating func sendAgain(_ handoff: Handoff) throws {
        guard let body = cases.bodies[handoff.id] else { throw Problem.bodyNotKept }
        guard !body.isWaiting, !outgoing.rows.contains(where: { $0.eventID == body.eventID }) else {
            throw Problem.stillBeingSent
        }
        guard sendStored(handoff, eventID: body.eventID) else { throw Problem.unknownHandoff }
    }
}

extension Problem {
    fileprivate static let bodyNotKept = Problem(
        code: "not_kept", path: "subject",
        text: "the office keeps nothing of this handoff that it could send again, as of what was passed up sealed")
    fileprivate static let stillBeingSent = Problem(
        code: "not_confirmed_yet", path: "subject",
        text: "an earlier copy is still on its way to your queue: read the queue, and ask again if it is not there"
    )
}
