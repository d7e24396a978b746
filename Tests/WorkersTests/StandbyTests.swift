import AMQP
import Casework
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

extension PrivateServerTests {
    @Suite("Waits that no message causes")
    struct StandbyTests {
        private static let waiting = """
            SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'bihuan \
            intake-%'
            """

        @Test("a commit waits for a missing standby; one with a cancelled wait is acknowledged once the standby has it")
        func waitsForStandby() throws {
            let office = try PrivateServers.here().office()
            let source = try office.source()
            let lane = try office.start(.intake) {
                // Short, so that the wait outlasts both by far.
                $0.database.statementTimeoutMilliseconds = 300
                $0.broker.heartbeatSeconds = 2
                // Not renewed meanwhile, which would wait too.
                $0.leaseSeconds = 600
            }
            try source.submit(.new())
            _ = try source.receive()
            let standby = try Database(ConnectionSettings(url: office.servers.databaseURL))
            defer { standby.close() }
            defer {
                try? standby.execute("ALTER SYSTEM RESET synchronous_standby_names");
                try? standby.execute("SELECT pg_reload_conf()")
            }
            try demandStandby(of: office.servers.databaseURL)
            let ids = Set(try (1...5).map { _ in try source.submit(.new()) })

            let long = Self.waiting + " AND state_change < clock_timestamp() - interval '7 s'"
            try office.wait(for: ["1"], long, within: 25)
            let sessions = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'bihuan intake-%'"
            let session = try office.texts(sessions)
            #expect(session.count == 1)
            #expect(try source.nextIfAny(source.notices) == nil)
            // An administrator cancels the wait: the commit must not count yet.
            try office.wait(for: ["1"], Self.waiting + " AND pg_cancel_backend(pid)")
            try office.wait(for: ["1"], Self.waiting + " AND query LIKE '%lane_lease%'")
            #expect(try source.nextIfAny(source.notices) == nil)
            #expect(try office.texts(sessions) == session)

            try standby.execute("ALTER SYSTEM RESET synchronous_standby_names")
            try standby.execute("SELECT pg_reload_conf()")
            var received: Set<String> = []
            while received.count < ids.count { received.insert(try source.receive().inReplyTo ?? "") }
            #expect(received == ids)
            try office.wait(for: ["0"], Self.waiting)
            #expect(try office.count("SELECT count(*) FROM report") == 6)
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            #expect(!office.log.lines.contains { $0.contains("lane interrupted") || $0.contains("stood still") })
            #expect(
                office.log.lines.filter { $0.contains("lane ready") }.count == 1,
                "both connections to the broker were kept")
            try lane.stop()
            try office.close()
        }

        @Test("a repeat of another lane's commit without standby is acknowledged only once the standby has it")
        func acknowledgesRepeatOnceStandbyHasIt() throws {
            let office = try PrivateServers.here().office()
            let (source, city) = (try office.source(), try office.unit("c01"))
            // Leases that are not renewed meanwhile, which would wait too.
            for worker in Worker.allCases { try office.start(worker) { $0.leaseSeconds = 600 } }
            let arrived = try office.handOff(from: source, to: city)
            let signature = city.prepare(
                .handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
            try city.publish(signature)
            try office.waitForState("signed", of: arrived)
            try office.settle()
            let database = try office.database()
            defer { database.close() }
            defer {
                try? database.execute("ALTER SYSTEM RESET synchronous_standby_names");
                try? database.execute("SELECT pg_reload_conf()")
            }
            try demandStandby(of: office.servers.databaseURL)
            let waiting = Self.waiting.replacing("intake", with: "feedback")
            #expect(try office.count(waiting) == 0)
            try city.publish(signature)
            try office.wait(for: ["1"], waiting)
            try database.execute("ALTER SYSTEM RESET synchronous_standby_names")
            try database.execute("SELECT pg_reload_conf()")
            try office.settle()
            try office.close()
        }

        @Test("a lane that is asked to stop while its commit waits for a standby ends soon, and acknowledges nothing")
        func stopsDuringWaitForStandby() throws {
            let office = try PrivateServers.here().office()
            let source = try office.source()
            let lane = try office.start(.intake) { $0.leaseSeconds = 600 }
            try office.log.wait(for: "lane ready")
            let standby = try Database(ConnectionSettings(url: office.servers.databaseURL))
            defer { standby.close() }
            defer {
                try? standby.execute("ALTER SYSTEM RESET synchronous_standby_names");
                try? standby.execute("SELECT pg_reload_conf()")
            }
            try demandStandby(of: office.servers.databaseURL)
            let id = try source.submit(.new())
            try office.wait(for: ["t"], "SELECT CASE WHEN (\(Self.waiting)) > 0 THEN 't' END")
            try lane.stop()
            try standby.execute("ALTER SYSTEM RESET synchronous_standby_names")
            try standby.execute("SELECT pg_reload_conf()")
            try office.start(.intake)
            #expect(try source.receive().inReplyTo == id)
            #expect(try office.count("SELECT count(*) FROM report") == 1)
            try office.close()
        }
    }
}
