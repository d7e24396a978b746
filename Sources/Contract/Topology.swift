public import Casework
import Crypto
public import Foundation

/// The exchanges and queues of one office, and who may do what with them.
///
/// Exchanges that outsiders write are topic exchanges (their keys are checked by topic rules) with an alternate exchange,
/// because a publisher may forget `mandatory`. The office's own are direct ones without it: a return names its message.
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
    }

    public enum Queue {
        public static let intake = "bihuan.intake"
        public static let routing = "bihuan.routing"
        public static let routingExpress = "bihuan.routing.express"
        public static let feedback = "bihuan.feedback"
        public static let unroutable = "bihuan.unroutable"
        public static let dead = "bihuan.dead"

        public static func command(_ worker: Worker) -> String { "bihuan.command.\(worker.rawValue)" }
        public static func inbox(_ unit: UnitID) -> String { "unit.\(unit.rawValue).inbox" }
        public static func express(_ unit: UnitID) -> String { "unit.\(unit.rawValue).express" }
        public static func notice(_ unit: UnitID) -> String { "unit.\(unit.rawValue).notice" }
        public static func notice(_ source: SourceID) -> String { "source.\(source.rawValue).notice" }
        public static func reply(_ person: PersonID) -> String { "person.\(person.rawValue).reply" }

        /// Where answers and notices for a party go; `nil` for the office itself, whose own notices are rows.
        public static func notice(for party: Party) -> String? {
            switch party {
            case .unit(let id): notice(id)
            case .source(let id): notice(id)
            case .person(let id): reply(id)
            case .office: nil
            }
        }
    }

    /// No dropped connection may push a message over it: every prefetched delivery is charged for each drop.
    public static let deliveryLimit = 100_000
}

/// A broker user with a password.
public struct BrokerUser: Sendable {
    public var party: Party
    public var password: String

    public init(party: Party, password: String) {
        self.party = party
        self.password = password
    }
}

/// A RabbitMQ definitions file: users, rights, exchanges, queues and bindings of one office, loaded at node start.
public struct Definitions: Sendable {
    public var virtualHost: String
    public var units: [UnitID]
    public var sources: [SourceID]
    public var persons: [PersonID]
    public var users: [BrokerUser]
    /// A user with all rights for the operator of a private node; `nil` leaves it out.
    public var administrator: (name: String, password: String)?

    public init(
        virtualHost: String, units: [UnitID], sources: [SourceID], persons: [PersonID], users: [BrokerUser],
        administrator: (name: String, password: String)? = nil
    ) {
        self.virtualHost = virtualHost
        self.units = units
        self.sources = sources
        self.persons = persons
        self.users = users
        self.administrator = administrator
    }

    /// The file's bytes. Passwords stand in it as salted SHA-256, RabbitMQ's own form.
    public func json() throws -> Data {
        let file = DefinitionsFile(
            users: users.map { .init($0.party.description, $0.password, tags: "") }
                + (administrator.map { [.init($0.name, $0.password, tags: "administrator")] } ?? []),
            vhosts: [.init(name: virtualHost)],
            permissions: users.map(permission)
                + (administrator.map {
                    [.init(user: $0.name, vhost: virtualHost, configure: ".*", write: ".*", read: ".*")]
                } ?? []),
            topic_permissions: users.flatMap(topicPermissions),
            exchanges: exchanges, queues: queues, bindings: bindings)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return try encoder.encode(file)
    }

    /// What a user may configure (nothing), write and read: regular expressions over exchanges and queues.
    private func permission(_ user: BrokerUser) -> DefinitionsFile.Permission {
        let (write, read): (String, String)
        switch user.party {
        case .unit(let id):
            (write, read) = ("^bihuan\\.feedback$", "^unit\\.\(id.rawValue)\\.(express|inbox|notice)$")
        case .source(let id):
            (write, read) = ("^bihuan\\.intake$", "^source\\.\(id.rawValue)\\.notice$")
        case .person(let id):
            (write, read) = ("^bihuan\\.command$", "^person\\.\(id.rawValue)\\.reply$")
        case .office(.intake):
            (write, read) = ("^bihuan\\.(work|notice|handoff)$", "^bihuan\\.(intake|command\\.intake)$")
        case .office(.routing):
            (write, read) = (
                "^bihuan\\.(handoff|notice|work)$", "^bihuan\\.(routing(\\.express)?|command\\.routing)$"
            )
        case .office(.deadlines):
            (write, read) = ("^bihuan\\.(notice|work)$", "^bihuan\\.command\\.deadlines$")
        case .office(.feedback):
            (write, read) = (
                "^bihuan\\.(work|notice|handoff)$", "^bihuan\\.(feedback|unroutable|dead|command\\.feedback)$"
            )
        }
        return .init(user: user.party.description, vhost: virtualHost, configure: "^$", write: write, read: read)
    }

    /// Without a topic rule a user may use any key of a topic exchange it may write.
    private func topicPermissions(_ user: BrokerUser) -> [DefinitionsFile.TopicPermission] {
        let own = "^\(user.party.description.replacing(".", with: "\\."))\\."
        let rules: [(String, String)]
        switch user.party {
        case .unit: rules = [(Topology.Exchange.feedback, own)]
        case .source: rules = [(Topology.Exchange.intake, own)]
        case .person: rules = [(Topology.Exchange.command, own)]
        case .office: rules = []
        }
        return rules.map {
            .init(user: user.party.description, vhost: virtualHost, exchange: $0.0, write: $0.1, read: "^$")
        }
    }

    private var exchanges: [DefinitionsFile.Exchange] {
        let alternate = ["alternate-exchange": DefinitionsFile.Value.text(Topology.Exchange.unroutable)]
        func exchange(_ name: String, _ type: String, _ arguments: [String: DefinitionsFile.Value] = [:]) -> DefinitionsFile.Exchange {
            .init(name: name, vhost: virtualHost, type: type, arguments: arguments)
        }
        return [
            exchange(Topology.Exchange.intake, "topic", alternate), exchange(Topology.Exchange.feedback, "topic", alternate),
            exchange(Topology.Exchange.command, "topic", alternate), exchange(Topology.Exchange.work, "direct"),
            exchange(Topology.Exchange.handoff, "direct"), exchange(Topology.Exchange.notice, "direct"),
            exchange(Topology.Exchange.unroutable, "fanout"), exchange(Topology.Exchange.dead, "fanout"),
        ]
    }

    private var officeQueues: [String] {
        [Topology.Queue.intake, Topology.Queue.routing, Topology.Queue.routingExpress, Topology.Queue.feedback]
            + Worker.allCases.map(Topology.Queue.command)
    }

    private var partyQueues: [String] {
        units.flatMap { [Topology.Queue.inbox($0), Topology.Queue.express($0), Topology.Queue.notice($0)] }
            + sources.map { Topology.Queue.notice($0) } + persons.map { Topology.Queue.reply($0) }
    }

    private var queues: [DefinitionsFile.Queue] {
        let dying: [String: DefinitionsFile.Value] = [
            "x-queue-type": .text("quorum"), "x-delivery-limit": .number(Topology.deliveryLimit),
            "x-dead-letter-exchange": .text(Topology.Exchange.dead), "x-dead-letter-strategy": .text("at-least-once"),
            "x-overflow": .text("reject-publish"),
        ]
        let last: [String: DefinitionsFile.Value] = [
            "x-queue-type": .text("quorum"), "x-delivery-limit": .number(Topology.deliveryLimit),
        ]
        // What a unit says in order is heard in order: one lane at a time reads, and another takes over when it goes.
        let inOrder = dying.merging(["x-single-active-consumer": .flag(true)]) { _, new in new }
        return (officeQueues + partyQueues).map {
            .init(name: $0, vhost: virtualHost, arguments: $0 == Topology.Queue.feedback ? inOrder : dying)
        }
            + [Topology.Queue.unroutable, Topology.Queue.dead].map { .init(name: $0, vhost: virtualHost, arguments: last) }
    }

    private var bindings: [DefinitionsFile.Binding] {
        func bind(_ exchange: String, _ queue: String, _ key: String) -> DefinitionsFile.Binding {
            .init(source: exchange, vhost: virtualHost, destination: queue, routing_key: key)
        }
        return [
            bind(Topology.Exchange.intake, Topology.Queue.intake, "#"),
            bind(Topology.Exchange.feedback, Topology.Queue.feedback, "#"),
            bind(Topology.Exchange.work, Topology.Queue.routing, Topology.Queue.routing),
            bind(Topology.Exchange.work, Topology.Queue.routingExpress, Topology.Queue.routingExpress),
            bind(Topology.Exchange.unroutable, Topology.Queue.unroutable, ""),
            bind(Topology.Exchange.dead, Topology.Queue.dead, ""),
        ]
            + Worker.allCases.map { bind(Topology.Exchange.command, Topology.Queue.command($0), "*.*.\($0.rawValue).#") }
            + units.flatMap {
                [
                    bind(Topology.Exchange.handoff, Topology.Queue.inbox($0), Topology.Queue.inbox($0)),
                    bind(Topology.Exchange.handoff, Topology.Queue.express($0), Topology.Queue.express($0)),
                    bind(Topology.Exchange.notice, Topology.Queue.notice($0), Topology.Queue.notice($0)),
                ]
            }
            + sources.map { bind(Topology.Exchange.notice, Topology.Queue.notice($0), Topology.Queue.notice($0)) }
            + persons.map { bind(Topology.Exchange.notice, Topology.Queue.reply($0), Topology.Queue.reply($0)) }
    }
}

/// The shape of RabbitMQ's definitions file; the field names are RabbitMQ's.
private struct DefinitionsFile: Encodable {
    var users: [User]
    var vhosts: [VirtualHost]
    var permissions: [Permission]
    var topic_permissions: [TopicPermission]
    var exchanges: [Exchange]
    var queues: [Queue]
    var bindings: [Binding]

    enum Value: Encodable {
        case text(String), number(Int), flag(Bool)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .flag(let flag): try container.encode(flag)
            }
        }
    }

    struct User: Encodable {
        var name: String
        var password_hash: String
        var hashing_algorithm = "rabbit_password_hashing_sha256"
        var tags: String

        init(_ name: String, _ password: String, tags: String) {
            self.name = name
            self.tags = tags
            let salt = (0..<4).map { _ in UInt8.random(in: 0...255) }
            password_hash = Data(salt + SHA256.hash(data: salt + Array(password.utf8))).base64EncodedString()
        }
    }

    struct VirtualHost: Encodable { var name: String }
    struct Permission: Encodable { var user, vhost, configure, write, read: String }
    struct TopicPermission: Encodable { var user, vhost, exchange, write, read: String }
    struct Exchange: Encodable {
        var name, vhost, type: String
        var durable = true
        var auto_delete = false
        var `internal` = false
        var arguments: [String: Value]
    }
    struct Queue: Encodable {
        var name, vhost: String
        var durable = true
        var auto_delete = false
        var arguments: [String: Value]
    }
    struct Binding: Encodable {
        var source, vhost, destination: String
        var destination_type = "queue"
        var routing_key: String
        var arguments: [String: Value] = [:]
    }
}
