import Basics
import Casework
public import Contract
import Foundation

/// Who logs in at the broker for the office: a party (a unit, a source, a person, a worker), or a monitor that only
/// looks.
public enum BrokerRole: Hashable, Sendable, CustomStringConvertible {
    case party(Party)
    /// Reads the management interface and queue depths, no message. Its name matches `[a-z0-9-]{1,40}`.
    case monitor(String)

    /// The user's name: `unit.u7`, `source.web`, `person.li`, `office.intake`, `monitor.prometheus`.
    public var description: String {
        switch self {
        case .party(let party): party.description
        case .monitor(let name): BrokerRole.monitorPrefix + name
        }
    }

    static let monitorPrefix = "monitor."

    /// RabbitMQ's tags, separated by commas. `monitoring` opens the management interface for reading, queues of all
    /// owners included, and no message.
    public var tags: String {
        switch self {
        case .party: ""
        case .monitor: "monitoring"
        }
    }

    /// Whether a monitor may be called so: what ids of parties are made of.
    public static func isMonitorName(_ name: String) -> Bool { UnitID(name) != nil }

    /// Whether a user's name is one that this office gives, whoever bears it.
    public static func isOurs(_ user: String) -> Bool {
        ["unit.", "source.", "person.", "office.", monitorPrefix].contains { user.hasPrefix($0) }
    }
}

/// What a broker user may do in the office's virtual host. Nobody configures anything: exchanges and queues are made by
/// whoever applies the topology.
///
/// RabbitMQ takes one regular expression each for reading and writing and finds it anywhere in a name, so both ends are
/// anchored: a user that may read `unit.u1.inbox` must not read `unit.u10.inbox` or `unit.u1.inbox.copy`.
public struct Rights: Equatable, Sendable {
    /// The exchanges it publishes to.
    public let exchanges: [String]
    /// The queues it consumes from.
    public let queues: [String]
    /// What routing keys must begin with, on topic exchanges; on direct ones the key is the queue's name.
    public let keyPrefix: String?

    /// Workers get what their desks use and no more (`Worker.queues`, `Worker.exchanges`): what is missing shows as a
    /// refused publish at once, what is too much never shows.
    public init(_ role: BrokerRole) {
        switch role {
        case .party(let party):
            keyPrefix = party.isOffice ? nil : "\(party)."
            switch party {
            case .unit: (exchanges, queues) = ([Topology.Exchange.feedback], Topology.Queue.all(of: party))
            case .source: (exchanges, queues) = ([Topology.Exchange.intake], Topology.Queue.all(of: party))
            case .person: (exchanges, queues) = ([Topology.Exchange.command], Topology.Queue.all(of: party))
            case .office(let worker): (exchanges, queues) = (worker.exchanges, worker.queues)
            }
        case .monitor: (exchanges, queues, keyPrefix) = ([], [], nil)
        }
    }

    // MARK: As RabbitMQ takes them

    public var configure: String { Rights.nothing }
    public var write: String { Rights.pattern(of: exchanges) }
    public var read: String { Rights.pattern(of: queues) }

    /// A rule for each topic exchange it may write: without one the broker allows every key. Nobody binds, so nobody
    /// reads keys.
    public var topics: [(exchange: String, write: String, read: String)] {
        guard let keyPrefix else { return [] }
        return exchanges.filter(Topology.Exchange.outsiders.contains).map {
            ($0, "^" + Rights.escaped(keyPrefix), Rights.nothing)
        }
    }

    private static let nothing = "^$"

    /// Exactly these names. `unit.u1.inbox` and its like share their beginning, which the pattern then names once.
    private static func pattern(of names: [String]) -> String {
        guard let first = names.first else { return nothing }
        guard names.count > 1 else { return "^\(escaped(first))$" }
        var stem = first
        for name in names { stem = stem.commonPrefix(with: name) }
        // Up to a dot, so that a person can read it; `bihuan.intake` and `bihuan.command.intake` share `bihuan.`.
        stem = stem.lastIndex(of: ".").map { String(stem[...$0]) } ?? ""
        let rests = names.map { escaped(String($0.dropFirst(stem.count))) }.sorted()
        return "^\(escaped(stem))(\(rests.joined(separator: "|")))$"
    }

    /// Names consist of letters, digits, hyphens and dots; of these only the dot means something in an expression.
    private static func escaped(_ name: String) -> String { name.replacing(".", with: "\\.") }
}
