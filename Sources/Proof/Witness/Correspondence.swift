import Casework
import Contract
import Foundation
import PartyClient

/// The journal lines that the invariants need: what was sent how often, and which answers came.
struct Correspondence {
    /// A message received by a party, counted once.
    struct Received: Hashable {
        let party: String
        let type: String
        let subject: String
    }

    /// Acts whose publish was confirmed more than once.
    private(set) var sentAgain: Set<ActKey> = []
    /// Messages delivered to their party more than once.
    private(set) var deliveredAgain: Set<ActKey> = []
    /// Answers to an act: the digests of the bodies by the answer's id.
    private(set) var answers: [ActKey: [String: Set<String>]] = [:]
    /// The units that recorded a signature for a handoff.
    private(set) var signers: [String: Set<String>] = [:]
    private(set) var received: [Received] = []

    private var published: Set<ActKey> = []
    private var delivered: Set<ActKey> = []

    init(folder: URL) throws {
        for file in try JournalFolder.files(in: folder) { try JournalReader(file: file).read { note($0) } }
        published = []
        delivered = []
    }

    private mutating func note(_ entry: JournalEntry) {
        let key = ActKey(party: entry.party, id: entry.id)
        switch entry.fact {
        case .published:
            if !published.insert(key).inserted { sentAgain.insert(key) }
            if entry.type == MessageType.handoffSigned.rawValue {
                signers[entry.subject, default: []].insert(entry.party)
            }
        case .delivered:
            if let act = entry.inreplyto {
                answers[ActKey(party: entry.party, id: act), default: [:]][entry.id, default: []].insert(entry.digest)
            }
            guard delivered.insert(key).inserted else {
                deliveredAgain.insert(key)
                return
            }
            received.append(Received(party: entry.party, type: entry.type, subject: entry.subject))
        }
    }
}
