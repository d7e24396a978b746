import AMQP
import Contract
import Foundation
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import Installation

@testable import bihuan

/// The layout of an earlier version: one queue for all sources, one for all units.
enum EarlierLayout {
    /// The exchange, the queue and the key of each binding.
    static let bindings = [
        ("bihuan.intake", "bihuan.intake", "#"), ("bihuan.feedback", "bihuan.feedback", "#"),
        ("bihuan.work", "bihuan.feedback", "bihuan.feedback"),
    ]

    /// Gives a virtual host this layout; `parties` lose the queues of what they send.
    static func make(by administrator: AMQP.Connection, parties: [Party]) throws {
        let channel = try administrator.openChannel()
        for queue in parties.compactMap(Topology.Queue.inbound(from:)) {
            _ = try administrator.deleteQueue(QueueName(rawValue: queue), on: channel)
        }
        for queue in Topology.Queue.retired {
            var arguments: FieldTable = [
                "x-queue-type": "quorum", "x-delivery-limit": 100_000, "x-dead-letter-exchange": "bihuan.dead",
                "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
            ]
            if queue == "bihuan.feedback" { arguments["x-single-active-consumer"] = true }
            try administrator.declareQueue(QueueName(rawValue: queue), arguments: arguments, on: channel)
        }
        for (exchange, queue, key) in bindings {
            try administrator.bindQueue(
                QueueName(rawValue: queue), to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: key),
                on: channel)
        }
        try administrator.closeChannel(channel)
    }
}

/// A broker without workers; a consumer of the test plays them.
@Suite("bihuan topology, on a broker of an earlier version", .serialized)
struct TopologyMoveTests {
    @Test(
        "by rabbitmqctl, a broker of an earlier version is moved once its workers are stopped, and finished when empty")
    func movesByControl() throws {
        let office = try TopologyOffice()
        defer { office.close() }
        try movesAndFinishes(try office.byControl())
    }

    @Test("the same by the management interface, whose figures are some seconds old")
    func movesByManagement() throws {
        let office = try TopologyOffice()
        defer { office.close() }
        try movesAndFinishes(try office.byManagement())
    }

    private func movesAndFinishes(_ way: TopologyWay) throws {
        #expect(try way.run("apply", "--passwords", way.passwordFile).status == 0)
        let administrator = try way.administrator()
        defer { administrator.close() }
        try EarlierLayout.make(
            by: administrator,
            parties: TopologyOffice.units.map { .unit(UnitID(unchecked: $0)) } + [.source(SourceID(unchecked: "web"))])
        try way.byHand("DELETE", ["policies", way.virtualHost, "bihuan.inbound"])
        let broker = Broker(connection: administrator, channel: try administrator.openChannel())
        try waitsForWorkers(way, broker)
        try movesWithoutWorkers(way, broker)
        try finishesWhenEmpty(way, broker)
    }

    private struct Broker {
        let connection: AMQP.Connection
        let channel: ChannelNumber

        /// The ready messages of a queue; `nil` if there is none.
        func depth(_ queue: String) throws -> Int {
            try connection.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount
        }

        func publish() throws {
            let publisher = try Publisher(on: connection)
            _ = try publisher.publish(
                [1], to: "bihuan.intake", key: "source.web.report.submitted", properties: Properties(), token: 0,
                deadline: 5)
            #expect(try publisher.settle(within: 10).map(\.outcome) == [.confirmed])
            try connection.closeChannel(publisher.channel)
        }
    }

    /// While a worker reads the queue of an earlier version, its sources keep their way; units, whom nobody reads, get
    /// the new one.
    private func waitsForWorkers(_ way: TopologyWay, _ broker: Broker) throws {
        try broker.publish()
        let worker = try way.connect("office.intake")
        defer { worker.close() }
        let channel = try worker.openChannel()
        try worker.consume("bihuan.intake", on: channel)
        let seen = try way.run("diff")
        #expect(
            seen.status == 1
                && Set(seen.lines).isSuperset(of: [
                    "+ queue source.web.submit", "+ queue unit.u1.acts", "+ policy bihuan.inbound",
                    "+ binding bihuan.intake -> source.web.submit by \"source.web.#\"",
                    "- binding bihuan.intake -> bihuan.intake by \"#\"",
                    "- binding bihuan.feedback -> bihuan.feedback by \"#\"",
                    "- binding bihuan.work -> bihuan.feedback by its name",
                ]) && !seen.lines.contains("- queue bihuan.intake"), "\(seen.output)")
        let applied = try way.run("apply")
        #expect(applied.status == 1, "\(applied.output)\(applied.errors)")
        #expect(
            Set(applied.lines).isSuperset(of: [
                "+ queue source.web.submit", "+ queue unit.u1.acts", "+ policy bihuan.inbound",
                "+ binding bihuan.feedback -> unit.u1.acts by \"unit.u1.#\"",
                "- binding bihuan.feedback -> bihuan.feedback by \"#\"",
                "- binding bihuan.work -> bihuan.feedback by its name",
                "left: + binding bihuan.intake -> source.web.submit by \"source.web.#\"",
                "left: - binding bihuan.intake -> bihuan.intake by \"#\"",
                """
                queue bihuan.intake is still in use: it is of an earlier version and has 1 consumers. Stop the \
                workers, apply again, then start them
                """,
            ]), "\(applied.output)")
        #expect(!applied.output.contains("--prune removes"), "\(applied.output)")
        try broker.publish()
        #expect(try broker.depth("source.web.submit") == 0)
    }

    private func movesWithoutWorkers(_ way: TopologyWay, _ broker: Broker) throws {
        let applied = try way.run("apply")
        #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        #expect(
            Set(applied.lines) == [
                "+ binding bihuan.intake -> source.web.submit by \"source.web.#\"",
                "- binding bihuan.intake -> bihuan.intake by \"#\"",
            ])
        let seen = try way.run("diff")
        #expect(seen.status == 0 && seen.lines == ["nothing differs"], "\(seen.output)")
        #expect(seen.errors.contains("note: the queue bihuan.intake is of an earlier version"), "\(seen.errors)")
        try broker.publish()
        #expect(try broker.depth("source.web.submit") == 1 && broker.depth("bihuan.intake") == 2)
        #expect(try way.run("apply", "--prune", "--with-messages").lines == ["nothing to do"])
        #expect(try broker.depth("bihuan.intake") == 2, "what lies in it is never pruned")
    }

    private func finishesWhenEmpty(_ way: TopologyWay, _ broker: Broker) throws {
        let early = try way.run("apply", "--finish")
        #expect(
            early.status == 1
                && Set(early.lines) == [
                    "- queue bihuan.feedback",
                    """
                    queue bihuan.intake was kept: it holds 2 messages and has 0 consumers. The workers read it to its \
                    end: finish later
                    """,
                ], "\(early.output)\(early.errors)")
        let worker = try way.connect("office.intake")
        defer { worker.close() }
        let channel = try worker.openChannel()
        let tag = try worker.consume("bihuan.intake", on: channel)
        var last: Delivery?
        while last?.deliveryTag != 2 {
            guard case .delivery(let delivery)? = try worker.nextEvent(within: 10) else {
                Issue.record("the two messages did not come")
                return
            }
            last = delivery
        }
        try worker.stopConsuming(consumerTag: tag, on: channel)
        // Nobody consumes and nothing is ready, but two messages are not acknowledged.
        let unsettled = try way.run("apply", "--finish")
        #expect(
            unsettled.status == 1
                && unsettled.lines.contains { $0.hasPrefix("queue bihuan.intake was kept: it holds 2 messages and") },
            "\(unsettled.output)\(unsettled.errors)")
        try worker.acknowledge(upTo: 2, multiple: true, on: channel)
        // The management interface learns of it some seconds later.
        let end = ContinuousClock.now + .seconds(60)
        var finished = try way.run("apply", "--finish")
        while finished.status != 0, ContinuousClock.now < end { finished = try way.run("apply", "--finish") }
        #expect(
            finished.status == 0 && finished.lines == ["- queue bihuan.intake"],
            "\(finished.output)\(finished.errors)")
        #expect(try broker.depth("source.web.submit") == 1, "the queues of parties are not touched")
        let clean = try way.run("diff")
        #expect(clean.status == 0 && !clean.errors.contains("earlier version"), "\(clean.errors)")
    }
}
