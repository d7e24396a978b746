import AMQP
import BrokerTopology
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "While the database is away",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct AwayTests {
    @Test("two hundred worker starts open no consumer and count no delivery; afterwards everything is handled")
    func opensNoConsumerBeforeDatabaseIsBack() throws {
        let office = try OfficeUnderTest()
        let (source, city) = (try office.source(), try office.unit("c01"))
        try office.startAll()
        let arrived = try office.handOff(from: source, to: city)
        try office.stopLanes()
        let ids = try (1...20).map { _ in try source.submit(.new()) }
        try city.sign(arrived)

        try office.closeDatabase()
        let administrator = try AMQP.Connection(
            try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
        let channel = try administrator.openChannel()
        for round in 1...50 {
            // Four at a time, each of which tries at least once before it is stopped.
            try office.startAll()
            try office.log.wait(for: "lane interrupted", lines: 4 * round)
            for queue in ["source.letter.submit", Topology.Queue.routing, "unit.c01.acts"] {
                let status = try administrator.declareQueue(QueueName(rawValue: queue), passive: true, on: channel)
                #expect(status.consumerCount == 0, "\(queue)")
            }
            try office.stopLanes()
        }
        let status = try administrator.declareQueue(
            QueueName(rawValue: "source.letter.submit"), passive: true, on: channel)
        #expect(status.messageCount == 20)
        // The broker knows what was never delivered: no message is blamed when a worker stops later.
        try administrator.consume(QueueName(rawValue: "source.letter.submit"), on: channel)
        guard case .delivery(let first)? = try administrator.nextEvent(within: 10) else {
            Issue.record("nothing is delivered")
            return
        }
        #expect(first.deliveryCount == 0)
        #expect(!first.redelivered)
        administrator.close()

        try office.openDatabase()
        try office.startAll()
        var answered: Set<String> = []
        for _ in ids { answered.insert(try #require(try source.receive().inReplyTo)) }
        #expect(answered == Set(ids))
        try office.waitForState("signed", of: arrived)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        #expect(try office.count("SELECT count(*) FROM attempt") == 0)
        try office.close()
    }

    @Test("a worker whose database goes away keeps its deliveries and connections, and continues afterwards")
    func keepsDeliveriesWhileDatabaseIsAway() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        try office.startAll()
        try source.submit(.new())
        _ = try source.receive()
        try office.closeDatabase()
        var ids: Set<String> = []
        for _ in 1...30 { ids.insert(try source.submit(.new())) }
        // Delivered, tried, kept.
        while !office.log.lines.contains(where: { $0.contains("waiting for the database") }) {
            ids.insert(try source.submit(.new()))
        }
        try office.openDatabase()
        for _ in ids { ids.remove(try source.receive().inReplyTo ?? "") }
        #expect(ids.isEmpty)
        #expect(office.log.lines.filter { $0.contains("lane ready") }.count == Worker.allCases.count)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }
}

extension OfficeUnderTest {
    /// No session in, and none left.
    func closeDatabase() throws {
        try maintain(
            "ALTER DATABASE \(databaseName) WITH ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '\(databaseName)'")
    }

    func openDatabase() throws { try maintain("ALTER DATABASE \(databaseName) WITH ALLOW_CONNECTIONS true") }
}
