import Basics
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

extension PrivateServerTests {
    /// What other tests raise by triggers, made with disks, standbys and pages of a cluster's own.
    @Suite("Faults of a real database server")
    struct RealFaultTests {
        /// A report whose text takes 1.4 KB however it is compressed.
        private static func bulky(_ characters: Int = 450) throws -> Submission {
            var submission = Submission.new()
            let scalars = try (0..<characters).map { _ in
                try #require(Unicode.Scalar(UInt32.random(in: 0x4E00...0x9FA5)))
            }
            submission.text.unicodeScalars.append(contentsOf: scalars)
            return submission
        }

        /// Everything is answered within two seconds of the fault's end, registered once, and logged once.
        /// - Parameter earlier: how many lines were logged before the fault.
        private func expectOnce(
            _ ids: Set<String>, _ office: OfficeUnderTest, _ source: PartyClient, since ended: ContinuousClock.Instant,
            loggedBefore earlier: Int = 0
        ) throws {
            var received: Set<String> = []
            while received.count < ids.count {
                let answer = try source.receive(within: 10)
                #expect(answer.problem == nil)
                received.insert(answer.inReplyTo ?? "")
            }
            #expect(ContinuousClock.now - ended < .seconds(2))
            #expect(received == ids)
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            let endings = office.log.lines.prefix(earlier).count { $0.contains("fault ended after") }
            try office.log.wait(for: "fault ended after", lines: endings + 1)
            let said = office.log.lines.dropFirst(earlier).filter {
                $0.contains("waiting for the database") || $0.contains("installation fault")
            }
            #expect((1...4).contains(said.count), "\(said)")
            try office.expectWholeLedger()
        }

        @Test("an office with a cluster of its own shares no virtual host with one of another database")
        func ownClusterSharesNoVirtualHost() throws {
            let cluster = try Cluster()
            defer { cluster.remove() }
            let here = try PooledOffice(of: PrivateServers.here().testServers)
            let there = try PooledOffice(of: cluster.testServers())
            #expect(here.virtualHost != there.virtualHost)
            there.giveBack()
            here.giveBack()
        }

        @Test(
            "the disk of a table is full: all messages are stored once there is room",
            .enabled(if: SmallDisk.obstacle == nil, "\(SmallDisk.obstacle ?? "")"))
        func storesEverythingAfterFullTable() throws {
            let disk = try SmallDisk(megabytes: 8)
            try Cluster.own(disk.directory)
            defer { disk.remove() }
            let cluster = try Cluster()
            defer { cluster.remove() }
            try cluster.start()
            try cluster.makeTemplate()
            let office = try cluster.office()
            try cluster.execute("CREATE TABLESPACE small LOCATION '\(disk.directory)'")
            try office.change("ALTER TABLE report_text SET TABLESPACE small")
            let source = try office.source()
            try office.start(.intake)
            try office.start(.routing)
            try disk.fill()
            var ids: Set<String> = []
            while !office.log.lines.contains(where: { $0.contains("waiting for the database") && $0.contains("53100") })
            {
                ids.insert(try source.submit(try Self.bulky()))
            }
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            let count = office.log.lines.count { $0.contains("attempt failed") }
            try office.log.wait(for: "attempt failed", lines: count + 4)
            disk.free()
            try expectOnce(ids, office, source, since: .now)
            #expect(try office.count("SELECT count(*) FROM report") == ids.count)
            try office.close()
        }

        @Test(
            "the disk of the write-ahead log fills and the server ends: all is stored after it starts again",
            .enabled(if: SmallDisk.obstacle == nil, "\(SmallDisk.obstacle ?? "")"))
        func storesEverythingAfterFullLog() throws {
            let disk = try SmallDisk(megabytes: 48)
            try Cluster.own(disk.directory)
            defer { disk.remove() }
            let cluster = try Cluster(["--waldir=\(disk.directory)/wal", "--wal-segsize=1"])
            defer { cluster.remove() }
            try cluster.start("max_wal_size=8MB", "min_wal_size=2MB")
            try cluster.makeTemplate()
            let office = try cluster.office()
            let source = try office.source()
            try office.start(.intake)
            try office.start(.routing)
            try source.submit(.new())
            _ = try source.receive()
            try disk.fill()
            var ids: Set<String> = []
            while !office.log.lines.contains(where: {
                $0.contains("waiting for the database") || $0.contains("lane interrupted")
            }) {
                ids.insert(try source.submit(try Self.bulky(2_000)))
            }
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            // It cannot recover either while there is no room.
            cluster.stop(SIGQUIT)
            disk.free()
            try cluster.start("max_wal_size=8MB", "min_wal_size=2MB")
            try expectOnce(ids, office, source, since: .now)
            #expect(try office.count("SELECT count(*) FROM report") == ids.count + 1)
            try office.close()
        }

        @Test("the standby of a dead primary is promoted: nothing is lost or doubled, and the old one is passed over")
        func losesNothingOnPromotion() throws {
            let primary = try Cluster()
            defer { primary.remove() }
            try primary.start()
            try primary.makeTemplate()
            let standby = try Cluster(standbyOf: primary)
            defer { standby.remove() }
            try standby.start()
            try demandStandby(of: primary.url)
            try primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
            let office = try primary.office(orOn: standby)
            let source = try office.source()
            try office.start(.intake)
            try office.start(.routing)
            var ids = Set(try (1...20).map { _ in try source.submit(.new()) })
            // Some are committed, some are under way.
            _ = try source.next(source.notices)
            primary.stop(SIGQUIT)
            for _ in 1...5 { ids.insert(try source.submit(.new())) }
            try office.log.wait(for: "waiting for the database")
            try standby.promote()
            let ended = ContinuousClock.now
            var received: Set<String> = []
            while received.count < ids.count - 1 { received.insert(try source.receive(within: 10).inReplyTo ?? "") }
            #expect(ContinuousClock.now - ended < .seconds(2))
            #expect(received.isSubset(of: ids))
            #expect(try office.count("SELECT count(*) FROM report") == ids.count)

            primary.remove()
            let old = try Cluster(standbyOf: standby, port: primary.port)
            defer { old.remove() }
            try old.start()
            try standby.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'bihuan %'")
            let second = try source.submit(.new())
            #expect(try source.receive().inReplyTo == second)

            // The server's operator makes it read-only: existing sessions get 25006, and no other server
            // accepts writes.
            let earlier = office.log.lines.count
            try standby.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            let third = try source.submit(.new())
            let count = office.log.lines.count { $0.contains("attempt failed") }
            try office.log.wait(for: "attempt failed", lines: count + 3)
            try standby.execute("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
            try expectOnce([third], office, source, since: .now, loggedBefore: earlier)
            #expect(try office.count("SELECT count(*) FROM report") == ids.count + 2)
            try office.close()
        }

        @Test("a page of a table is damaged: the messages that need it are set aside, and all others continue")
        func setsMessagesOnDamagedPageAside() throws {
            let cluster = try Cluster(["-k"])
            defer { cluster.remove() }
            try cluster.start()
            try cluster.makeTemplate()
            let office = try cluster.office()
            let (source, city) = (try office.source(), try office.unit("c01"))
            let intake = try office.start(.intake)
            for _ in 1...40 { try source.submit(try Self.bulky()) }
            for _ in 1...40 { _ = try source.receive() }
            try intake.stop()
            let page = "(ctid::text::point)[0] = 2"
            let damaged = Set(try office.texts("SELECT report_id::text FROM report_text WHERE \(page)"))
            try #require((1...10).contains(damaged.count))
            let file = try #require(try office.texts("SELECT pg_relation_filepath('report_text')").first)
            cluster.stop()
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(cluster.data)/\(file)"))
            try handle.seek(toOffset: 2 * 8192 + 4000)
            try handle.write(contentsOf: Data(repeating: 7, count: 64))
            try handle.close()
            try cluster.start()

            try office.start(.routing)
            var arrived = 0
            while arrived < 40 - damaged.count {
                _ = try city.receiveHandoff(within: 30)
                arrived += 1
            }
            try office.wait(
                for: ["\(damaged.count)"], "SELECT count(*) FROM dead_letter WHERE detail LIKE '%XX001%'", within: 30)
            #expect(Set(try office.texts("SELECT subject FROM dead_letter")) == damaged)
            #expect(try office.count("SELECT count(*) FROM handoff") == 40 - damaged.count)
            try office.close()
        }
    }
}
