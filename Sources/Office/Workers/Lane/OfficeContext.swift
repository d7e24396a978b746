import Basics
import CaseStore
import Casework
import Contract

/// What a decision may see of the office: constant while it decides. The same stands before a transaction, for what
/// can be prepared.
struct OfficeContext: Sendable {
    let worker: Worker
    /// As it was read last: before a transaction it may be out of date, and nothing is decided by it then.
    var directory: OfficeDirectory
    let rulebook: Rulebook
    let vault: Vault
    let digestKey: DigestKey
    /// Business time (invariant 11), told once the locks are held: what waited for a case must not tell of a moment
    /// before what it waited for.
    var now: Instant
    /// Wall time, for what is transport.
    let wall: Instant
    var limits = Limits.standard
    /// Of deferred messages, tried in one transaction.
    var deferredBytesMax = Int.max

    /// Who it is in the ledger and in what it sends: `office.routing`.
    var name: String { Party.office(worker).description }

    // MARK: What the ledger commits to

    /// A commitment to bytes that a party sent or got: see `DigestKey.salt`.
    func commitment(to sha256: [UInt8], of report: ReportID, for party: Party) -> String {
        Commitment.make(sha256, salt: digestKey.salt(of: report, for: party.description))
    }

    /// How the ledger names an act: its id is its sender's own text, and the ledger keeps none.
    func commitment(toAct key: InboxKey, of report: ReportID) -> String {
        Commitment.act(key.eventID, salt: digestKey.salt(of: report, for: key.sender))
    }
}
