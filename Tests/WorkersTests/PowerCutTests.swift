import Basics
import AMQP
import Casework
import Contract
import Foundation
import LocalServers
import TestOffice
import Testing

@testable import Workers

extension PrivateServerTests {
    @Suite(
        "A machine that loses power",
        .enabled(if: NetworkNamespace.obstacle == nil, "\(NetworkNamespace.obstacle ?? "")"))
    struct PowerCutTests {
        @Test(
            "its rows are sent, its locks end and its deliveries return, although no server was notified",
            arguments: [LanePoint.beforeCommit, .afterCommit])
        func othersFinishWorkAfterPowerCut(point: LanePoint) throws {
            let servers = try PrivateServers.here()
            let network = try #require(servers.network)
            let office = try servers.office()
            let source = try office.source()
            let id = try source.submit(.new())
            let cut = try WorkerProcess(.intake, of: office, stoppedAt: point, leaseSeconds: 20, in: network)
            defer {
                cut.kill()
                try? network.mend()
            }
            try cut.stopsItself()
            try network.cut()
            // Its kernel cannot notify anybody.
            cut.kill()
            let began = ContinuousClock.now
            let left = try office.texts("SELECT event_id FROM outbox ORDER BY 1")
            #expect(left.count == (point == .afterCommit ? 2 : 0))
            #expect(try office.count("SELECT count(*) FROM lane_lease") == 1)

            try office.start(.intake)
            let receipt = try source.receive(within: 30)
            #expect(receipt.inReplyTo == id && (left.isEmpty || left.contains(receipt.id)))
            if point == .afterCommit { try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 30) }
            let session =
                "SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND client_addr <> '127.0.0.1'"
            try office.wait(for: ["0"], session, within: 30)
            #expect((ContinuousClock.now - began).inSeconds < 30)
            // The broker gives the silent peer up by its heartbeat, and hands the message to the other.
            try office.settle()
            try office.wait(for: ["1"], "SELECT count(*) FROM report")
            #expect((ContinuousClock.now - began).inSeconds < 30)
            #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
            try office.expectWholeLedger()
            try office.close()
        }
    }
}
