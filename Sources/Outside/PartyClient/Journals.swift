import Casework
import Contract
package import Foundation

/// The key of a submission: its source and the source's id for it.
package struct SubmissionKey: Hashable, Comparable, CustomStringConvertible {
    package let source: String
    package let id: String

    package init(source: String, id: String) {
        self.source = source
        self.id = id
    }

    package var description: String { "source.\(source) \(id)" }

    package static func < (left: SubmissionKey, right: SubmissionKey) -> Bool {
        (left.source, left.id) < (right.source, right.id)
    }
}

/// The key of an act: the party and the CloudEvents id.
package struct ActKey: Hashable, Comparable, CustomStringConvertible {
    package let party: String
    package let id: String

    package init(party: String, id: String) {
        self.party = party
        self.id = id
    }

    package var description: String { "\(party) \(id)" }

    package static func < (left: ActKey, right: ActKey) -> Bool { (left.party, left.id) < (right.party, right.id) }
}

/// The journals of all parties, ready to be compared.
package struct Journals {
    /// Confirmed reports; if a report was published several times, the first.
    package private(set) var submissions: [SubmissionKey: JournalEntry] = [:]
    /// Confirmed acts of units.
    package private(set) var acts: [ActKey: JournalEntry] = [:]
    /// What sources received about a submission, each message once.
    package private(set) var answers: [SubmissionKey: [JournalEntry]] = [:]
    /// `handoff.dispatched` as units received it, by handoff, each message once.
    package private(set) var dispatched: [String: [JournalEntry]] = [:]
    /// Parties that keep a journal.
    package private(set) var parties: Set<String> = []
    package private(set) var redelivered = 0
    package private(set) var tornLines = 0

    private var delivered: Set<ActKey> = []

    package init(folder: URL) throws {
        for file in try JournalFolder.files(in: folder) {
            tornLines += try JournalReader(file: file).read { note($0) }
        }
        delivered = []
    }

    private mutating func note(_ entry: JournalEntry) {
        parties.insert(entry.party)
        switch entry.fact {
        case .published: notePublished(entry)
        case .delivered: noteDelivered(entry)
        }
    }

    private mutating func notePublished(_ entry: JournalEntry) {
        if entry.type == MessageType.reportSubmitted.rawValue, let source = entry.party.sourceID {
            let key = SubmissionKey(source: source, id: entry.id)
            if submissions[key] == nil { submissions[key] = entry }
        } else {
            let key = ActKey(party: entry.party, id: entry.id)
            if acts[key] == nil { acts[key] = entry }
        }
    }

    private mutating func noteDelivered(_ entry: JournalEntry) {
        guard delivered.insert(ActKey(party: entry.party, id: entry.id)).inserted else {
            redelivered += 1
            return
        }
        if let source = entry.party.sourceID {
            answers[SubmissionKey(source: source, id: entry.inreplyto ?? entry.subject), default: []].append(entry)
        } else if entry.type == MessageType.handoffDispatched.rawValue {
            dispatched[entry.subject, default: []].append(entry)
        }
    }
}

extension String {
    /// The id after `source.`.
    package var sourceID: String? { hasPrefix("source.") ? String(dropFirst("source.".count)) : nil }
}
