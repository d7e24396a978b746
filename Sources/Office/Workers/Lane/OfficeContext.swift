import Basics
import CaseStore
import Casework
import Contract
import Foundation

/// The data of the office that a decision uses; constant during the decision. The same type is used before a
/// transaction, for preparation.
struct OfficeContext: Sendable {
    let worker: Worker
    /// The directory as it was last read. Before a transaction it may be out of date, and then nothing is decided
    /// by it.
    var directory: OfficeDirectory
    let rulebook: Rulebook
    let vault: Vault
    /// The keys of the boxes that this worker opens.
    let boxes: BoxKeys
    let digestKey: DigestKey
    /// Business time (invariant 11), set when the locks are held: a transaction that waited for a case must not
    /// have a time before the one that it waited for.
    var now: Instant
    /// Wall time, used for transport.
    let wall: Instant
    var limits = Limits.standard
    /// The maximum bytes of deferred messages tried in one transaction.
    var deferredBytesMax = Int.max

    /// The actor in the ledger and the sender of messages, such as `office.routing`.
    var name: String { Party.office(worker).description }

    /// A message of this worker.
    func event<Payload: Codable & Sendable>(
        _ type: MessageType, id: UUID, subject: String, inReplyTo: String? = nil, at time: Instant? = nil,
        contentType: String = "application/json", data: Payload
    ) -> CloudEvent<Payload> {
        CloudEvent(
            id: id.lowercased, source: .office(worker), type: type, subject: subject, time: time ?? now,
            inreplyto: inReplyTo, datacontenttype: contentType, data: data)
    }

    // MARK: Commitments in the ledger

    /// A commitment to bytes that a party sent or received: see `DigestKey.salt`.
    func commitment(to sha256: [UInt8], of report: ReportID, for party: Party) -> String {
        Commitment.make(sha256, salt: digestKey.salt(of: report, for: party.description))
    }

    /// A commitment to the id of an act. The id is a text of the sender, and the ledger stores no such text.
    func commitment(toAct key: InboxKey, of report: ReportID) -> String {
        Commitment.act(key.eventID, salt: digestKey.salt(of: report, for: key.sender))
    }
}
