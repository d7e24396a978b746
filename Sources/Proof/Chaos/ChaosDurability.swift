import AMQP
import AuditStore
import BrokerTopology
import CaseStore
import Contract
import Foundation
import Installation
import LocalServers
import PostgreSQL

/// The settings that an acknowledgement depends on. If they are wrong, a run would prove nothing and is refused.
struct ChaosDurability: Sendable {
    struct Queue: Sendable, Hashable {
        let name: String
        let type: String
        let isDurable: Bool

        /// Whether the queue survives its node.
        var isLasting: Bool { type == "quorum" && isDurable }
    }

    var settings: [String: String]
    var queues: [Queue]
    /// The checked messages, by exchange.
    var messages: [String: Int] = [:]
    var messagesNotPersistent = 0

    /// The exchanges that carry the office's messages under load.
    static let exchanges = [
        Topology.Exchange.intake, Topology.Exchange.work, Topology.Exchange.handoff, Topology.Exchange.feedback,
        Topology.Exchange.notice,
    ]

    init(settings: [String: String], queues: [Queue]) { (self.settings, self.queues) = (settings, queues) }

    /// Reads the settings from the servers.
    init(_ office: LocalOffice) throws {
        let connection = try PostgreSQL.Connection(office.configuration.databaseSettings("bihuan-lab chaos"))
        defer { connection.close() }
        settings = Dictionary(
            uniqueKeysWithValues: try connection.run(ReadDurability()).rows.map { ($0.name, $0.value) })
        let listed = try office.servers.rabbitmqctl([
            "-q", "list_queues", "-p", office.configuration.broker.virtualHost, "name", "type", "durable",
            "--no-table-headers",
        ])
        queues = listed.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            return words.count == 3 ? Queue(name: words[0], type: words[1], isDurable: words[2] == "true") : nil
        }
    }

    /// The settings that make a run meaningless.
    var problems: [String] {
        var problems = ["fsync", "synchronous_commit", "full_page_writes"].filter { settings[$0] != "on" }.map {
            "\($0) is \(settings[$0] ?? "unknown"), not on"
        }
        if queues.isEmpty { problems.append("there are no queues") }
        problems += queues.filter { !$0.isLasting }.map {
            "the queue \($0.name) is \($0.type), durable \($0.isDurable)"
        }
        return problems
    }

    /// Why the checked messages do not prove that all are persistent.
    var messageProblems: [String] {
        var problems = Self.exchanges.filter { messages[$0, default: 0] == 0 }.map {
            "no message was seen on the exchange \($0)"
        }
        if messagesNotPersistent > 0 { problems.append("\(messagesNotPersistent) messages were not persistent") }
        return problems
    }

    /// All problems of settings and messages.
    var allProblems: [String] { problems + messageProblems }

    var lines: [String] {
        let seen = Self.exchanges.map { "\($0) \(messages[$0, default: 0])" }.joined(separator: ", ")
        return [
            "PostgreSQL: "
                + settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: ", "),
            "RabbitMQ: \(queues.count) queues, of them quorum and durable \(queues.count { $0.isLasting })",
            "messages looked at on their way, of them not persistent \(messagesNotPersistent): \(seen)",
        ]
    }

    /// Checks copies of messages until every exchange had some, through a temporary queue that is deleted with its
    /// connection.
    mutating func look(at office: LocalOffice, seconds: Double) throws {
        let broker = try AMQP.Connection(try office.configuration.operatorBrokerSettings())
        defer { broker.close() }
        let channel = try broker.openChannel()
        let queue = QueueName(rawValue: "chaos.copies")
        _ = try broker.declareQueue(queue, durable: false, exclusive: true, on: channel)
        defer { _ = try? broker.deleteQueue(queue, on: channel) }
        let sample = SampleOffice.standard
        for exchange in [Topology.Exchange.intake, Topology.Exchange.feedback] {
            try bind(queue, exchange, "#", broker, channel)
        }
        for key in [Topology.Queue.routing, Topology.Queue.routingExpress] {
            try bind(queue, Topology.Exchange.work, key, broker, channel)
        }
        for unit in sample.units {
            for key in [Topology.Queue.inbox(unit.id), Topology.Queue.express(unit.id)] {
                try bind(queue, Topology.Exchange.handoff, key, broker, channel)
            }
        }
        for source in sample.sources {
            try bind(queue, Topology.Exchange.notice, Topology.Queue.notice(source.id), broker, channel)
        }
        try broker.setPrefetch(200, on: channel)
        try broker.consume(queue, on: channel)
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, !messageProblems.isEmpty {
            guard case .delivery(let delivery)? = try broker.nextEvent(within: 0.5) else { continue }
            messages[delivery.exchange, default: 0] += 1
            if delivery.properties.deliveryMode != .persistent { messagesNotPersistent += 1 }
            try broker.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
        }
    }

    private func bind(
        _ queue: QueueName, _ exchange: String, _ key: String, _ broker: AMQP.Connection, _ channel: ChannelNumber
    ) throws {
        try broker.bindQueue(queue, to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: key), on: channel)
    }
}
