import Casework
import Contract
import Foundation
import PartyClient

/// Every line of all journals that an invariant is judged by: what was sent how often, and what came in answer.
struct Correspondence {
    /// A message as a party received it, each once.
    struct Received: Hashable {
        let party: String
        let type: String
        let subject: String
    }

    /// Acts whose publish was confirmed more than once.
    private(set) var sentAgain: Set<ActKey> = []
    /// Messages that came to their party more than once.
    private(set) var deliveredAgain: Set<ActKey> = []
    /// Answers to an act: for each id of an answer the digests of the bodies that came under it.
    private(set) var answers: [ActKey: [String: Set<String>]] = [:]
    /// The units that say to have signed for a handoff.
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
