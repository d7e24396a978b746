import AMQP
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import Synchronization
import Testing
import TestOffice

@testable import Workers

extension PrivateServerTests {
    @Suite("A queue that takes no messages")
    struct SilentQueueTests {
        /// A queue whose process stands still confirms nothing, as one without a majority.
        private func silence(_ queue: String, of office: OfficeUnderTest, _ isSilent: Bool) throws {
            let process = "'\(office.virtualHost)_\(queue)'"
            let said = try PrivateServers.here().control("eval", "sys:\(isSilent ? "suspend" : "resume")(\(process)).")
            try #require(said.contains("ok"))
        }

        @Test(
            "a queue without confirms delays its own rows only, few or many; they all arrive once it is back",
            arguments: [5, 600])
        func parksOnlySilentQueue(count: Int) throws {
            let office = try PrivateServers.here().office()
            let (source, city, province) = (try office.source(), try office.unit("c01"), try office.unit("d1"))
            try office.start(.intake)
            try office.start(.routing)
            try silence("unit.c01.inbox", of: office, true)
            for _ in 1...count { try source.submit(.new()) }
            try office.log.wait(for: "a queue takes no messages", withinSeconds: 40)
            // The lane continues with the others, and more rows for the silent queue do not stop it again.
            for _ in 1...3 {
                try source.submit(.new())
                try source.submit(.new(level: "province"))
                _ = try province.receiveHandoff(within: 30)
            }
            try office.wait(for: ["\(count + 3)"], "SELECT count(*) FROM handoff WHERE state = 'released'", within: 60)
            let expected = Set(try office.texts("SELECT event_id FROM outbox WHERE routing_key = 'unit.c01.inbox'"))
            #expect(expected.count == count + 3)
            let parked = office.log.lines.filter { $0.contains("a queue takes no messages") }
            // Another is parked with it where it was first written to at that moment, and is free again at once.
            #expect(
                parked.filter { $0.contains("unit.c01.inbox") && $0.contains("confirms nothing") }.count == 1,
                "\(parked)")

            try silence("unit.c01.inbox", of: office, false)
            try office.log.wait(for: "a queue takes messages again", withinSeconds: 70)
            try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 40)
            try office.wait(
                for: ["\(count + 3)"], "SELECT count(*) FROM handoff h WHERE state = 'dispatched' AND unit = 'c01'",
                within: 20)
            var arrived: Set<String> = [try ReceivedMessage(city.next(city.inbox)).id]
            while let next = try city.nextIfAny(city.inbox) { arrived.insert(try ReceivedMessage(next).id) }
            #expect(arrived == expected)
            #expect(try office.count("SELECT count(*) FROM handoff") == count + 6)
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            #expect(
                office.log.lines.filter { $0.contains("takes messages again") && $0.contains("unit.c01.inbox") }.count
                    == 1)
            try office.expectWholeLedger()
            try office.close()
        }

        @Test("a message waiting for a silent queue is withheld once its unit is barred, and the rest is sent")
        func withholdsRowsOfBarredUnit() throws {
            let office = try PrivateServers.here().office()
            let (source, city) = (try office.source(), try office.unit("c01"))
            try office.start(.intake)
            try office.start(.routing)
            try silence("unit.c01.inbox", of: office, true)
            try source.submit(.new())
            try office.log.wait(for: "a queue takes no messages", withinSeconds: 40)
            for unit in ["d2", nil, "d2"] { try source.submit(.new(unit: unit)) }
            try office.wait(for: ["4"], "SELECT count(*) FROM handoff WHERE state = 'released'", within: 60)
            let harmless = Set(
                try office.texts(
                    """
                    SELECT event_id FROM outbox WHERE routing_key = 'unit.c01.inbox' AND NOT reports && \
                    ARRAY(SELECT report_id FROM barred_root)
                    """
                ))
            #expect(harmless.count == 2)
            try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
            try silence("unit.c01.inbox", of: office, false)
            try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 90)
            try office.wait(
                for: ["dispatched", "dispatched", "recalled", "recalled"], "SELECT state FROM handoff ORDER BY 1",
                within: 20)
            var arrived: Set<String> = [try ReceivedMessage(city.next(city.inbox)).id]
            while let next = try city.nextIfAny(city.inbox) { arrived.insert(try ReceivedMessage(next).id) }
            #expect(arrived == harmless)
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            try office.expectWholeLedger()
            try office.close()
        }

        @Test("a message waiting while the broker takes no connections is withheld once its unit is barred")
        func withholdsRowsWhileBrokerIsAway() throws {
            let servers = try PrivateServers.here()
            let office = try servers.office()
            let (source, city) = (try office.source(), try office.unit("c01"))
            try office.start(.intake)
            // Cut off from the broker after the commit: the rows it wrote are in its memory, and wait for a
            // connection.
            let away = Mutex(true)
            try office.start(.routing) {
                $0.interrupt = { point in
                    guard point == .afterCommit, away.withLock({ $0 }) else { return }
                    away.withLock { $0 = false }
                    try servers.control("set_user_limits", "office.routing", "{\"max-connections\": 0}")
                    try servers.control("close_all_user_connections", "office.routing", "a test")
                }
            }
            try source.submit(.new(unit: "d2"))
            try office.log.wait(for: "lane interrupted", withinSeconds: 40)
            try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
            try servers.control("clear_user_limits", "office.routing", "all")
            try office.wait(for: ["recalled barred"], "SELECT state || ' ' || ended_because FROM handoff", within: 60)
            try source.submit(.new())
            let only = try city.receiveHandoff(within: 30)
            #expect(try office.texts("SELECT state FROM handoff WHERE id = '\(only.handoff)'").first != "recalled")
            #expect(try city.nextIfAny(city.inbox) == nil)
            try office.close()
        }

        @Test("the rows that a full queue refuses stay in the database, and one row is tried ever more rarely")
        func keepsRowsOfFullQueue() throws {
            let office = try PrivateServers.here().office()
            let admin = try AMQP.Connection(try office.servers.broker(user: "admin", virtualHost: office.virtualHost))
            defer { admin.close() }
            let channel = try admin.openChannel()
            defer { for queue: QueueName in ["full", "open"] { _ = try? admin.deleteQueue(queue, on: channel) } }
            try admin.declareQueue(
                "full", arguments: ["x-max-length": .int(1), "x-overflow": .string("reject-publish")], on: channel)
            try admin.bindQueue("full", to: ExchangeName(rawValue: Topology.Exchange.notice), key: "full", on: channel)
            try admin.declareQueue("open", on: channel)
            try admin.bindQueue("open", to: ExchangeName(rawValue: Topology.Exchange.notice), key: "open", on: channel)
            let broker = try office.settings.broker
            var outboxPublisher = OutboxPublisher(broker, worker: .intake, name: "outboxPublisher")
            try outboxPublisher.connect()
            defer { outboxPublisher.disconnect() }
            outboxPublisher.add((1...300).map { Self.row("full", $0) } + [Self.row("open", 1)], justWritten: true)
            try outboxPublisher.flush(confirmsWithin: 10)
            #expect(!outboxPublisher.isBehind)
            #expect(outboxPublisher.takeSettled().confirmed.map(\.routingKey).sorted() == ["full", "open"])
            #expect(outboxPublisher.eventIDs.isEmpty, "rows of a full queue are held in memory")
            #expect(outboxPublisher.parked.keys == ["full"])
            #expect(outboxPublisher.parked.due(at: .now) == [])
            // Others are not delayed, and rows for the full queue are not even taken.
            outboxPublisher.add((1...300).map { Self.row("full", $0) } + [Self.row("open", 1)], justWritten: true)
            #expect(outboxPublisher.eventIDs.count == 1)
            outboxPublisher.tryParked(with: Self.row("full", 1))
            try Self.conclude(&outboxPublisher)
            #expect(outboxPublisher.takeSettled().confirmed.map(\.routingKey) == ["open"])
            #expect(outboxPublisher.parked.due(at: .now + .seconds(1.5)) == [])
            #expect(outboxPublisher.parked.due(at: .now + .seconds(2.5)) == ["full"])
            _ = try admin.get("full", on: channel)
            outboxPublisher.tryParked(with: Self.row("full", 1))
            // Unacknowledged, it is out of the way.
            try Self.conclude(&outboxPublisher)
            #expect(outboxPublisher.takeSettled().confirmed.map(\.routingKey) == ["full"])
            #expect(outboxPublisher.parked.keys == [] && outboxPublisher.parked.freed == ["full"])
            try office.close()
        }

        /// Until the rows that try are settled.
        private static func conclude(_ outboxPublisher: inout OutboxPublisher) throws {
            try eventually("the rows that try are settled", within: 10) {
                try outboxPublisher.flush(confirmsWithin: 0.05)
                return outboxPublisher.trials.isEmpty
            }
        }

        private static func row(_ key: String, _ number: Int) -> OutboxRow {
            OutboxRow(
                eventID: UUID(), exchange: Topology.Exchange.notice, routingKey: key, type: "t", subject: "",
                addressee: "source.letter", reports: [], handoffID: nil, body: Array("\(number)".utf8))
        }
    }
}

@Suite("The list of parked queues")
struct ParkedQueuesTests {
    @Test("a queue is tried after 1, 2, 4 … 60 seconds with one row; old refusals do not count; each change shows once")
    func backsOffToSixtySeconds() {
        let start = ContinuousClock.now
        var queues = ParkedQueues()
        queues.park("q", .refusing, at: start)
        queues.park("q", .refusing, at: start)
        #expect(queues.takeNews() == [.parked(key: "q", .refusing)])
        var now = start
        for seconds in [1.0, 2, 4, 8, 16, 32, 60, 60] {
            #expect(queues.due(at: now + .seconds(seconds - 0.1)) == [])
            now += .seconds(seconds)
            #expect(queues.due(at: now) == ["q"])
            queues.trying("q")
            #expect(queues.due(at: now) == [], "one row at a time")
            queues.park("q", .silent, at: now)
        }
        #expect(queues.takeNews() == [])
        #expect(queues.contains("q") && queues.keys == ["q"])
        queues.free("q")
        queues.free("q")
        #expect(queues.takeNews() == [.freed(key: "q")])
        #expect(queues.freed == ["q"] && !queues.contains("q"))
        queues.readBack(["q"])
        #expect(queues.freed == [])
        // A confirm of an earlier message shows that a silent queue lives, and nothing about a full one.
        queues.park("q", .refusing, at: now)
        queues.tookEarlier("q")
        #expect(queues.contains("q"))
        queues.free("q")
        queues.park("q", .silent, at: now)
        queues.tookEarlier("q")
        #expect(!queues.contains("q"))
        // It starts again after it is parked again.
        queues.park("q", .silent, at: now)
        #expect(queues.due(at: now + .seconds(1)) == ["q"])
        queues.trying("q")
        queues.forgetTrials()
        #expect(queues.due(at: now + .seconds(1)) == ["q"])
    }
}
