import AMQP
import BrokerTopology
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Messages that the broker does not take",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct UndeliverableTests {
    /// Works on the queues of the office as an administrator.
    private func administer(_ office: OfficeUnderTest, _ work: (AMQP.Connection, ChannelNumber) throws -> Void) throws {
        let connection = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        defer { connection.close() }
        try work(connection, try connection.openChannel())
    }

    @Test("a handoff to a unit without a queue is undeliverable, its report needs review, and the lane continues")
    func reviewsReportOfUnitWithoutQueue() throws {
        let office = try OfficeUnderTest()
        try administer(office) { connection, channel in
            try connection.deleteQueue(QueueName(rawValue: "unit.c01.inbox"), on: channel)
        }
        try office.startAll()
        let source = try office.source()
        try source.submit(.new())
        try office.wait(for: ["undeliverable"], "SELECT state FROM handoff")
        #expect(try office.texts("SELECT state || ' ' || reason FROM report") == ["needs_review undeliverable"])
        #expect(try office.count("SELECT count(*) FROM clock WHERE ended_at IS NULL") == 0)
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        // It is a state of the handoff, not a dead letter.
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        _ = try source.receive()
        _ = try office.handOff(.new(level: "province"), from: source, to: try office.unit("d1"))
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("an answer without a queue is kept as one dead letter")
    func keepsUndeliverableAnswer() throws {
        let office = try OfficeUnderTest()
        try administer(office) { connection, channel in
            try connection.deleteQueue(QueueName(rawValue: "source.letter.notice"), on: channel)
        }
        try office.startAll()
        let source = try office.source()
        try source.submit(.new())
        _ = try (try office.unit("c01")).receiveHandoff()
        try office.settle()
        #expect(
            try office.texts("SELECT reason || routing_key FROM dead_letter") == ["undeliverablesource.letter.notice"])
        try office.close()
    }

    @Test(
        "a message that a full queue refuses is sent again when there is room, also by a lane that does not relay",
        arguments: [true, false])
    func resendsNackedMessage(relays: Bool) throws {
        let office = try OfficeUnderTest()
        // In place of the source's queue, one with room for one message.
        try administer(office) { connection, channel in
            let queue = QueueName(rawValue: "source.letter.notice")
            try connection.deleteQueue(queue, on: channel)
            try connection.declareQueue(
                queue, arguments: ["x-max-length": 1, "x-overflow": "reject-publish"], on: channel)
            try connection.bindQueue(
                queue, to: ExchangeName(rawValue: Topology.Exchange.notice), key: RoutingKey(rawValue: queue.rawValue),
                on: channel)
        }
        try office.start(.intake, relays: relays)
        let (source, web) = (try office.source(), try office.source("web"))
        let ids = try (1...4).map { _ in try source.submit(.new()) }
        try office.wait(for: ["4"], "SELECT count(*) FROM report")
        // Others are answered meanwhile.
        try web.submit(.new())
        #expect(try web.receive().type == MessageType.reportAccepted.rawValue)
        try office.wait(for: ["3"], "SELECT count(*) FROM outbox WHERE addressee = 'source.letter'")
        var answered: Set<String> = []
        for _ in ids { answered.insert(try #require(try source.receive().inReplyTo)) }
        #expect(answered == Set(ids))
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox WHERE addressee = 'source.letter'")
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }
}
