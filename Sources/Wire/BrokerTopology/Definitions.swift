public import Basics
import Casework
public import Contract
public import Foundation

/// A broker user, with its password if it is known here.
public struct BrokerUser: Sendable {
    public var role: BrokerRole
    public var password: String?

    public init(_ role: BrokerRole, password: String?) {
        self.role = role
        self.password = password
    }

    public init(party: Party, password: String) { self.init(.party(party), password: password) }
}

/// The broker definitions of one office: users, permissions, exchanges, queues, bindings and policies.
public struct Definitions: Sendable {
    public var virtualHost: String
    public var units: [UnitID]
    public var sources: [SourceID]
    public var persons: [PersonID]
    public var users: [BrokerUser]
    /// A user with all permissions, for the operator of a private node; `nil` for none.
    public var administrator: (name: String, password: String?)?
    /// The most unread bytes in the queue of what one party sends.
    public var inboundBytesMax: Int

    public init(
        virtualHost: String, units: [UnitID], sources: [SourceID], persons: [PersonID], users: [BrokerUser],
        administrator: (name: String, password: String?)? = nil, inboundBytesMax: Int = Topology.inboundBytesMax
    ) {
        self.virtualHost = virtualHost
        self.units = units
        self.sources = sources
        self.persons = persons
        self.users = users
        self.administrator = administrator
        self.inboundBytesMax = inboundBytesMax
    }

    /// The bytes of a file for `load_definitions`. Passwords are hashed with salted SHA-256, RabbitMQ's own format; a
    /// user whose password is not known here has no hash and cannot log in.
    public func json() throws -> Data { try file().json() }

    public func file() -> DefinitionsFile {
        var file = DefinitionsFile()
        file.vhosts = [.init(name: virtualHost)]
        for user in users {
            let (name, rights) = (user.role.description, Rights(user.role))
            file.users.append(
                .init(
                    name: name, password_hash: user.password.map(PasswordHash.make) ?? "", tags: user.role.tags,
                    limits: user.role.limits))
            file.permissions.append(
                .init(
                    user: name, vhost: virtualHost, configure: rights.configure, write: rights.write, read: rights.read)
            )
            file.topic_permissions += rights.topics.map {
                .init(user: name, vhost: virtualHost, exchange: $0.exchange, write: $0.write, read: $0.read)
            }
        }
        if let administrator {
            let hash = administrator.password.map(PasswordHash.make) ?? ""
            file.users.append(.init(name: administrator.name, password_hash: hash, tags: "administrator"))
            file.permissions.append(
                .init(user: administrator.name, vhost: virtualHost, configure: ".*", write: ".*", read: ".*"))
        }
        file.exchanges = exchanges
        file.queues = queues
        file.bindings = bindings
        file.policies = [
            bound("bihuan.notices", Topology.Queue.noticePattern, bytesMax: Topology.noticeBytesMax),
            bound("bihuan.inbound", Topology.Queue.inboundPattern, bytesMax: inboundBytesMax),
            bound("bihuan.unroutable", "^bihuan\\.unroutable$", bytesMax: Topology.unroutableBytesMax),
        ]
        return file
    }

    /// A policy that limits the unread bytes of the queues with such names: beyond it the broker refuses messages.
    private func bound(_ name: String, _ pattern: String, bytesMax: Int) -> DefinitionsFile.Policy {
        .init(
            vhost: virtualHost, name: name, pattern: pattern,
            definition: ["max-length-bytes": .number(bytesMax), "overflow": .text("reject-publish")])
    }

    private var parties: [Party] { units.map { .unit($0) } + sources.map { .source($0) } + persons.map { .person($0) } }

    private var exchanges: [DefinitionsFile.Exchange] {
        Topology.Exchange.all.map { name in
            switch name {
            case let name where Topology.Exchange.outsiders.contains(name):
                .init(
                    name: name, vhost: virtualHost, type: "topic",
                    arguments: ["alternate-exchange": .text(Topology.Exchange.unroutable)])
            case Topology.Exchange.unroutable, Topology.Exchange.dead:
                .init(name: name, vhost: virtualHost, type: "fanout")
            default: .init(name: name, vhost: virtualHost, type: "direct")
            }
        }
    }

    private var queues: [DefinitionsFile.Queue] {
        let last: [String: DefinitionsFile.Value] = [
            "x-queue-type": .text("quorum"), "x-delivery-limit": .number(Topology.deliveryLimit),
        ]
        let dying = last.merging([
            "x-dead-letter-exchange": .text(Topology.Exchange.dead), "x-dead-letter-strategy": .text("at-least-once"),
            "x-overflow": .text("reject-publish"),
        ]) { _, new in new }
        // The messages of a party are read in their order: one lane reads at a time, and another takes over when it
        // ends.
        let inOrder = dying.merging(["x-single-active-consumer": .flag(true)]) { _, new in new }
        func queues(_ names: [String], _ arguments: [String: DefinitionsFile.Value]) -> [DefinitionsFile.Queue] {
            names.map { .init(name: $0, vhost: virtualHost, arguments: arguments) }
        }
        let ends = [Topology.Queue.unroutable, Topology.Queue.dead]
        return queues(Topology.Queue.office.filter { !ends.contains($0) }, dying) + queues(ends, last)
            + queues(parties.compactMap(Topology.Queue.inbound(from:)), inOrder)
            + queues(parties.flatMap(Topology.Queue.all(of:)), dying)
    }

    private var bindings: [DefinitionsFile.Binding] {
        func bind(_ exchange: String, _ queue: String, _ key: String) -> DefinitionsFile.Binding {
            .init(source: exchange, vhost: virtualHost, destination: queue, routing_key: key)
        }
        return [
            bind(Topology.Exchange.work, Topology.Queue.routing, Topology.Queue.routing),
            bind(Topology.Exchange.work, Topology.Queue.routingExpress, Topology.Queue.routingExpress),
            bind(Topology.Exchange.unroutable, Topology.Queue.unroutable, ""),
            bind(Topology.Exchange.dead, Topology.Queue.dead, ""),
        ]
            + Worker.allCases.map {
                bind(Topology.Exchange.command, Topology.Queue.command($0), "*.*.\($0.rawValue).#")
            }
            + sources.map { bind(Topology.Exchange.intake, Topology.Queue.submit($0), "\(Party.source($0)).#") }
            + units.flatMap { unit in
                let queue = Topology.Queue.acts(unit)
                return [
                    bind(Topology.Exchange.feedback, queue, "\(Party.unit(unit)).#"),
                    // Feedback sends itself markers through the queue, to know how far it has read it.
                    bind(Topology.Exchange.work, queue, queue),
                ]
            }
            + parties.flatMap { party in
                Topology.Queue.all(of: party).map { queue in
                    // Handoffs go to inbox and express queue, all other messages to the queue of notices.
                    bind(
                        queue == Topology.Queue.notice(for: party)
                            ? Topology.Exchange.notice : Topology.Exchange.handoff, queue, queue)
                }
            }
    }
}
