public import Basics
import Casework
public import Contract

/// The exchanges and queues of one office.
///
/// Exchanges that outsiders write are topic exchanges (topic rules check their keys) with an alternate exchange,
/// because a publisher may forget `mandatory`. The office's own exchanges are direct (`unroutable`
/// and `dead`: fanout) and have no alternate one: the broker returns an unroutable message to the office.
public enum Topology {
    public enum Exchange {
        public static let intake = "bihuan.intake"
        public static let feedback = "bihuan.feedback"
        public static let command = "bihuan.command"
        public static let work = "bihuan.work"
        public static let handoff = "bihuan.handoff"
        public static let notice = "bihuan.notice"
        public static let unroutable = "bihuan.unroutable"
        public static let dead = "bihuan.dead"

        /// The exchange for messages to a party's own queue.
        public static func sending(to queue: String) -> String {
            queue.hasSuffix(".inbox") || queue.hasSuffix(".express") ? handoff : notice
        }

        /// The exchanges that outsiders write; a message that matches no queue goes to `unroutable`.
        public static let outsiders = [intake, feedback, command]
        public static let all = [intake, feedback, command, work, handoff, notice, unroutable, dead]
    }

    public enum Queue {
        public static let routing = "bihuan.routing"
        public static let routingExpress = "bihuan.routing.express"
        public static let unroutable = "bihuan.unroutable"
        public static let dead = "bihuan.dead"

        /// The queues of the office itself.
        public static let office =
            [routing, routingExpress] + Worker.allCases.map { command($0) } + [unroutable, dead]
        /// The queues that all sources and all units once shared. A broker may still hold them, with messages:
        /// workers read them to their end before they read the queues of the parties.
        public static let retired = Worker.allCases.compactMap(\.retiredQueue)

        public static func command(_ worker: Worker) -> String { "bihuan.command.\(worker.rawValue)" }
        public static func inbox(_ unit: UnitID) -> String { "unit.\(unit.rawValue).inbox" }
        public static func express(_ unit: UnitID) -> String { "unit.\(unit.rawValue).express" }
        /// The queue of a handoff, and of the message that takes it back.
        public static func handoff(to unit: UnitID, express isExpress: Bool) -> String {
            isExpress ? express(unit) : inbox(unit)
        }
        public static func notice(_ unit: UnitID) -> String { "unit.\(unit.rawValue).notice" }
        public static func notice(_ source: SourceID) -> String { "source.\(source.rawValue).notice" }
        public static func reply(_ person: PersonID) -> String { "person.\(person.rawValue).reply" }

        /// What a source submits; only the office reads it.
        public static func submit(_ source: SourceID) -> String { "source.\(source.rawValue).submit" }
        /// The acts of a unit; only the office reads them.
        public static func acts(_ unit: UnitID) -> String { "unit.\(unit.rawValue).acts" }
        /// The queue with what a party sends to the office; `nil` for persons, whose commands share a queue for each
        /// worker, and for the office.
        public static func inbound(from party: Party) -> String? {
            switch party {
            case .unit(let id): acts(id)
            case .source(let id): submit(id)
            case .person, .office: nil
            }
        }
        /// The queues of what parties send; `*` stands for the id of any party.
        static let inboundKinds = Worker.allCases.compactMap(\.partyQueues)
        /// A regular expression for them.
        static let inboundPattern = inboundKinds.map { Rights.pattern(of: [$0]) }.joined(separator: "|")

        /// Which of `inboundKinds` the queue is, by its name.
        public static func inboundKind(of queue: String) -> String? { inboundKinds.first { matches(queue, $0) } }

        /// Whether a name fits another one, in which `*` stands for any id.
        static func matches(_ queue: String, _ kind: String) -> Bool {
            let (words, pattern) = (queue.split(separator: "."), kind.split(separator: "."))
            return pattern.count == words.count && zip(pattern, words).allSatisfy { $0 == "*" || $0 == $1 }
        }

        /// Whether the office reads the queue, by its name; all others are read by parties.
        public static func isReadByOffice(_ queue: String) -> Bool {
            queue.hasPrefix("bihuan.") || inboundKind(of: queue) != nil
        }

        /// A party's own queues, which it may read.
        public static func all(of party: Party) -> [String] {
            switch party {
            case .unit(let id): [inbox(id), express(id), notice(id)]
            case .source(let id): [notice(id)]
            case .person(let id): [reply(id)]
            case .office: []
            }
        }

        /// A regular expression for the queues of answers and notices of all parties.
        public static let noticePattern = "^(unit|source)\\.[a-z0-9-]+\\.notice$|^person\\.[a-z0-9-]+\\.reply$"

        /// The queue of answers and notices for a party; `nil` for the office itself, whose own notices are rows.
        public static func notice(for party: Party) -> String? {
            switch party {
            case .unit(let id): notice(id)
            case .source(let id): notice(id)
            case .person(let id): reply(id)
            case .office: nil
            }
        }
    }

    /// The most bytes of unread messages in one queue of notices. Beyond it the broker refuses messages, and the
    /// office keeps them for later.
    public static let noticeBytesMax = 64 << 20
    /// The usual limit of unread bytes in the queue of what one party sends. Beyond it the broker refuses the party's
    /// messages, so a flood delays only its sender.
    public static let inboundBytesMax = 64 << 20
    /// The most unread bytes of messages that no queue took.
    public static let unroutableBytesMax = 64 << 20
    /// The most connections and channels that the broker user of a party may have.
    public static let partyConnectionsMax = 32
    public static let partyChannelsMax = 256

    /// High enough that no message reaches it by lost connections: each loss counts for every prefetched delivery.
    public static let deliveryLimit = 100_000
}
