import AMQP
import BrokerTopology
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

extension PrivateServerTests {
    /// RabbitMQ's `consumer_timeout`, half an hour by default: who acknowledges nothing for so long loses the channel
    /// (406).
    @Suite("The broker's acknowledgement time-out")
    struct AckTimeoutTests {
        /// Holds for channels that are opened from now on.
        private func withTimeout(milliseconds: Int, _ body: (OfficeUnderTest) throws -> Void) throws {
            let servers = try PrivateServers.here()
            func set(_ timeout: Int, tick: Int) throws {
                let said = try servers.control(
                    "eval",
                    """
                    application:set_env(rabbit, consumer_timeout, \(timeout)), application:set_env(rabbit, \
                    channel_tick_interval, \(tick)).
                    """)
                try #require(said.contains("ok"))
            }
            try set(milliseconds, tick: 200)
            defer { try? set(1_800_000, tick: 60_000) }
            try body(try servers.office())
        }

        /// Until no lane consumes from intake's queue.
        private func waitUntilClosed(_ office: OfficeUnderTest) throws {
            let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
            defer { admin.close() }
            let channel = try admin.openChannel()
            let end = ContinuousClock.now + .seconds(20)
            while try admin.declareQueue(QueueName(rawValue: "source.letter.submit"), passive: true, on: channel)
                .consumerCount > 0
            {
                try #require(ContinuousClock.now < end, "the broker closed no channel")
            }
        }

        private func expectOnce(_ ids: Set<String>, _ office: OfficeUnderTest, _ source: PartyClient) throws {
            var received: Set<String> = []
            while received != ids {
                let answer = try source.receive(within: 20)
                #expect(answer.problem == nil)
                received.insert(answer.inReplyTo ?? "")
            }
            try office.wait(for: ["\(ids.count)"], "SELECT count(*) FROM report")
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            try office.wait(for: ["0"], "SELECT count(*) FROM attempt")
            try office.expectWholeLedger()
        }

        @Test("it passes while a commit waits for its standby: the lane reopens its channel, and the batch is answered")
        func reopensChannelWhileCommitWaitsForStandby() throws {
            try withTimeout(milliseconds: 2_000) { office in
                let source = try office.source()
                let lane = try office.start(.intake)
                try office.log.wait(for: "lane ready")
                let database = try office.database()
                defer { database.close() }
                func alter(_ words: String) throws {
                    try database.execute("ALTER SYSTEM \(words)")
                    try database.execute("SELECT pg_reload_conf()")
                }
                try alter("SET synchronous_standby_names = 'nobody'")
                defer { try? alter("RESET synchronous_standby_names") }
                let ids = Set(try (1...5).map { _ in try source.submit(.new()) })
                try waitUntilClosed(office)
                try alter("RESET synchronous_standby_names")
                try office.log.wait(for: "lane ready", lines: 2)
                // What was committed is answered once more at most, under the same id.
                try expectOnce(ids, office, source)
                #expect(office.log.lines.contains { $0.contains("lane interrupted") && $0.contains("406") })
                try lane.stop()
                try office.close()
            }
        }

        @Test("it passes repeatedly while somebody locks one message's row: the message does not stop the worker")
        func survivesTimeoutWhileRowIsLocked() throws {
            try withTimeout(milliseconds: 1_000) { office in
                let source = try office.source()
                var settings = PostgreSQL.ConnectionSettings(
                    url: office.servers.databaseURL(database: office.databaseName))
                settings.idleInTransactionTimeoutMilliseconds = 0
                let holder = try Database(settings)
                defer { holder.close() }
                // Another transaction has claimed the act and does not end.
                let id = UUID().uuidString
                try holder.execute(
                    """
                    BEGIN;
                    INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at)
                        VALUES ('source.letter', '\(id)', decode(repeat('00', 32), 'hex'), 'taken', '', now())
                    """)
                try source.submit(.new(), id: id)
                try office.start(.intake) { $0.database.lockTimeoutMilliseconds = 300 }
                // More often than a message may be tried alone.
                try office.log.wait(for: "lane ready", lines: 8, withinSeconds: 60)
                #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
                try holder.execute("ROLLBACK")
                try expectOnce([id], office, source)
                try office.close()
            }
        }
    }
}
