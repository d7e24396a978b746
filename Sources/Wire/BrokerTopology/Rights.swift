import Basics
import Casework
public import Contract
import Foundation

/// A kind of broker user of the office: a party (a unit, a source, a person, a worker), or a monitor, which only
/// reads.
public enum BrokerRole: Hashable, Sendable, CustomStringConvertible {
    case party(Party)
    /// Reads the management interface and queue depths, but no message. Its name matches `[a-z0-9-]{1,40}`.
    case monitor(String)

    /// The user's name: `unit.u7`, `source.web`, `person.li`, `office.intake`, `monitor.prometheus`.
    public var description: String {
        switch self {
        case .party(let party): party.description
        case .monitor(let name): BrokerRole.monitorPrefix + name
        }
    }

    static let monitorPrefix = "monitor."

    /// RabbitMQ's tags, separated by commas. `monitoring` gives read access to the management interface, including
    /// the queues of all owners, but to no message.
    public var tags: String {
        switch self {
        case .party: ""
        case .monitor: "monitoring"
        }
    }

    /// The limits of the user. A party may open so many connections and channels and no more, so that it cannot use
    /// up the broker's.
    var limits: [String: Int] {
        switch self {
        case .party(let party) where !party.isOffice:
            ["max-connections": Topology.partyConnectionsMax, "max-channels": Topology.partyChannelsMax]
        case .party, .monitor: [:]
        }
    }

    /// True if a text is a valid monitor name; the rule is the same as for the ids of parties.
    public static func isMonitorName(_ name: String) -> Bool { UnitID(name) != nil }

    /// True if a user name has one of this office's prefixes.
    public static func isOurs(_ user: String) -> Bool {
        ["unit.", "source.", "person.", "office.", monitorPrefix].contains { user.hasPrefix($0) }
    }
}

/// The permissions of a broker user in the office's virtual host. No user may configure: exchanges and queues are
/// made when the topology is applied.
///
/// RabbitMQ has one regular expression each for reading and writing and searches it anywhere in a name, so both ends
/// are anchored: a user that may read `unit.u1.inbox` must not read `unit.u10.inbox` or `unit.u1.inbox.copy`.
public struct Rights: Equatable, Sendable {
    /// The exchanges to which it publishes.
    public let exchanges: [String]
    /// The queues from which it consumes; `*` stands for the id of any party.
    public let queues: [String]
    /// The required prefix of routing keys on topic exchanges; on direct ones the key is the queue's name.
    public let keyPrefix: String?

    /// The permissions of a role. Workers get exactly what their desks use (`Worker.queues`, `Worker.exchanges`): a
    /// missing permission shows at once as a refused publish, a superfluous one never shows.
    public init(_ role: BrokerRole) {
        switch role {
        case .party(let party):
            keyPrefix = party.isOffice ? nil : "\(party)."
            switch party {
            case .unit: (exchanges, queues) = ([Topology.Exchange.feedback], Topology.Queue.all(of: party))
            case .source: (exchanges, queues) = ([Topology.Exchange.intake], Topology.Queue.all(of: party))
            case .person: (exchanges, queues) = ([Topology.Exchange.command], Topology.Queue.all(of: party))
            case .office(let worker): (exchanges, queues) = (worker.exchanges, worker.readableQueues)
            }
        case .monitor: (exchanges, queues, keyPrefix) = ([], [], nil)
        }
    }

    // MARK: RabbitMQ's form

    public var configure: String { Rights.nothing }
    public var write: String { Rights.pattern(of: exchanges) }
    public var read: String { Rights.pattern(of: queues) }

    /// A rule for each topic exchange that it may write: without one the broker allows every key. No party binds, so
    /// none may read keys.
    public var topics: [(exchange: String, write: String, read: String)] {
        guard let keyPrefix else { return [] }
        return exchanges.filter(Topology.Exchange.outsiders.contains).map {
            ($0, "^" + Rights.escaped(keyPrefix), Rights.nothing)
        }
    }

    private static let nothing = "^$"

    /// A pattern of exactly these names. `unit.u1.inbox` and similar names have a common prefix, which the pattern
    /// contains once.
    static func pattern(of names: [String]) -> String {
        guard let first = names.first else { return nothing }
        guard names.count > 1 else { return "^\(escaped(first))$" }
        var stem = first
        for name in names { stem = stem.commonPrefix(with: name) }
        // The prefix ends at a dot, for readability: `bihuan.intake` and `bihuan.command.intake` share `bihuan.`.
        stem = stem.lastIndex(of: ".").map { String(stem[...$0]) } ?? ""
        let rests = names.map { escaped(String($0.dropFirst(stem.count))) }.sorted()
        return "^\(escaped(stem))(\(rests.joined(separator: "|")))$"
    }

    /// Whether it may consume from a queue.
    public func mayRead(_ queue: String) -> Bool { queues.contains { Topology.Queue.matches(queue, $0) } }

    /// Escapes a name for a pattern. Names consist of letters, digits, hyphens and dots; only the dot has a meaning
    /// there. `*` becomes any id.
    private static func escaped(_ name: String) -> String {
        name.replacing(".", with: "\\.").replacing("*", with: "[a-z0-9-]+")
    }
}
