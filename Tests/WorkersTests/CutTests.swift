import AMQP
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Synchronization
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Lost connections and killed processes",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct CutTests {
    /// What happens to a lane at a point, once.
    enum Cut: String, CaseIterable, CustomTestStringConvertible {
        /// The database ends the session: the transaction is gone.
        case sessionEndedBeforeCommit
        /// The commit stands, its confirmation is lost.
        case commitUnknown
        /// The lane loses both connections to the broker before it acknowledges.
        case connectionLostBeforeAcknowledgement

        var testDescription: String { rawValue }

        var point: LanePoint {
            switch self {
            case .sessionEndedBeforeCommit: .beforeCommit
            case .commitUnknown: .afterCommit
            case .connectionLostBeforeAcknowledgement: .afterPublish
            }
        }
    }

    private struct ConnectionLost: Error {}

    /// Makes the cut at the first batch that reaches its point.
    private func interrupt(
        _ cut: Cut, _ office: OfficeUnderTest, lane name: String
    ) -> @Sendable (LanePoint) throws -> Void {
        let isOver = Atomic<Bool>(false)
        let settings = PostgreSQL.ConnectionSettings(url: office.servers.databaseURL(database: office.databaseName))
        return { point in
            guard point == cut.point,
                isOver.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged
            else { return }
            switch cut {
            case .sessionEndedBeforeCommit:
                let superuser = try PostgreSQL.Connection(settings)
                try superuser.execute(
                    """
                    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'bihuan \
                    \(name)'
                    """
                )
                superuser.close()
            // The lane repeats a transaction when it does not know whether it was committed.
            case .commitUnknown: throw StaleCase()
            case .connectionLostBeforeAcknowledgement: throw ConnectionLost()
            }
        }
    }

    /// All messages of a queue until none comes for a moment.
    private func all(_ client: PartyClient, _ queue: String) throws -> [ReceivedMessage] {
        var received: [ReceivedMessage] = [try ReceivedMessage(try client.next(queue))]
        while let more = try client.nextIfAny(queue) { received.append(try ReceivedMessage(more)) }
        return received
    }

    /// Twenty loops, each lane of them cut off once: one effect each, every answer at least once and always the same,
    /// nothing left.
    private func expectOneEffectEach(
        _ office: OfficeUnderTest, sourceLocation: SourceLocation = #_sourceLocation, _ startLanes: () throws -> Void
    ) throws {
        let (source, city) = (try office.source(), try office.unit("c01"))
        let ids = try (1...20).map { _ in try source.submit(.new()) }
        try startLanes()
        try office.wait(for: ["20"], "SELECT count(*) FROM handoff", within: 40, sourceLocation: sourceLocation)
        try office.settle(sourceLocation: sourceLocation)
        let dispatched = try all(city, city.inbox)
        #expect(Set(dispatched.map(\.subject)).count == 20, sourceLocation: sourceLocation)
        #expect(Set(dispatched.map(\.id)).count == 20, sourceLocation: sourceLocation)
        #expect(Set(dispatched.map(\.delivery.body)).count == 20, sourceLocation: sourceLocation)
        let receipts = try all(source, source.notices)
        #expect(Set(receipts.compactMap(\.inReplyTo)) == Set(ids), sourceLocation: sourceLocation)
        #expect(Set(receipts.map(\.delivery.body)).count == 20, sourceLocation: sourceLocation)
        #expect(try office.count("SELECT count(*) FROM report") == 20, sourceLocation: sourceLocation)
        #expect(
            try office.count("SELECT count(*) FROM handoff WHERE state = 'dispatched'") == 20,
            sourceLocation: sourceLocation)
        #expect(
            try office.count("SELECT count(*) FROM ledger_entry JOIN report ON report.id = chain") == 60,
            sourceLocation: sourceLocation)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0, sourceLocation: sourceLocation)

        for one in Dictionary(grouping: dispatched, by: \.subject).values {
            let delivery = one[0].delivery
            let arrived = Arrived(handoff: one[0].subject, digest: delivery.digest, number: "", submission: "")
            try city.sign(arrived)
            try city.decide(arrived)
            try city.conclude(arrived)
        }
        try office.wait(
            for: ["20"], "SELECT count(*) FROM handoff WHERE state = 'closed'", within: 40,
            sourceLocation: sourceLocation)
        try office.settle(sourceLocation: sourceLocation)
        let judged = try all(city, city.notices)
        #expect(Set(judged.map(\.type)) == [MessageType.conclusionAccepted.rawValue], sourceLocation: sourceLocation)
        #expect(Set(judged.map(\.subject)).count == 20, sourceLocation: sourceLocation)
        #expect(Set(judged.map(\.delivery.body)).count == 20, sourceLocation: sourceLocation)
        // Registered, routed, dispatched, signed, decided, concluded, accepted.
        #expect(
            try office.count("SELECT count(*) FROM ledger_entry JOIN report ON report.id = chain") == 140,
            sourceLocation: sourceLocation)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0, sourceLocation: sourceLocation)
        try office.expectWholeLedger(sourceLocation: sourceLocation)
    }

    @Test(
        "a lane that is cut off resumes by itself: one effect each, answers arrive, the outbox empties",
        arguments: Cut.allCases)
    func laneResumesAfterCut(cut: Cut) throws {
        let office = try OfficeUnderTest()
        try expectOneEffectEach(office) {
            for worker in [Worker.intake, .routing, .feedback] {
                let name = "\(worker)-cut"
                try office.start(worker, name: name) { $0.interrupt = interrupt(cut, office, lane: name) }
            }
        }
        try office.close()
    }

    @Test("the unfinished work of a killed process is finished by others", arguments: LanePoint.allCases)
    func othersFinishKilledProcess(point: LanePoint) throws {
        let office = try OfficeUnderTest()
        let killed = try [Worker.intake, .routing, .feedback].map { try WorkerProcess($0, of: office, killedAt: point) }
        try expectOneEffectEach(office) {
            // Each is killed with its first batch; then another takes its place.
            for (worker, process) in zip([Worker.intake, .routing], killed) {
                #expect(process.endsByItself())
                try office.start(worker)
            }
            try office.start(.feedback)
        }
        killed[2].kill()
        try office.close()
    }

    @Test("another worker's relay sends the outbox of a dead lane under the same ids")
    func relaysOutboxOfDeadLane() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let id = try source.submit(.new())
        let killed = try WorkerProcess(.intake, of: office, killedAt: .afterCommit)
        #expect(killed.endsByItself())
        let left = try office.texts("SELECT event_id FROM outbox ORDER BY 1")
        #expect(left.count == 2)
        // The message itself is no longer there to be read again.
        let taker = try office.client(.office(.intake))
        _ = try taker.next("source.letter.submit")
        taker.close()
        try office.start(.intake)
        let receipt = try source.receive()
        #expect(receipt.inReplyTo == id)
        #expect(left.contains(receipt.id))
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        try office.close()
    }
}
