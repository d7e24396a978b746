import AMQP
import BrokerTopology
import Casework
import Contract
import Foundation
import LocalServers
import Synchronization
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Servers that restart under load",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct RestartTests {
    /// The disturbances of the servers, one after another, while reports are sent.
    private static let blows: [@Sendable (LocalServers) throws -> Void] = [
        { try $0.restartPostgreSQL(mode: .immediate) },
        { try $0.restartPostgreSQL(mode: .fast) },
        { try $0.restartRabbitMQ() },
        {
            $0.killRabbitMQ()
            try $0.startRabbitMQ()
        },
    ]

    @Test("both servers restart and die under three hundred reports: each is registered, routed and answered once")
    func losesNothingOnRestarts() throws {
        let directory = URL(fileURLWithPath: "/tmp/bihuan-restart-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        let servers = try LocalServers.start(
            in: directory, definitions: try SmallOffice.definitions(virtualHost: TestServers.virtualHost(1)).json())
        defer { servers.stop() }
        try SmallOffice.makeTemplate(
            superuser: servers.superuserURL,
            owner: servers.databaseURL(
                user: "bihuan_owner", password: TestServers.password, database: TestServers.template))
        let office = try OfficeUnderTest(
            on: TestServers(
                databaseURL: servers.superuserURL,
                brokerURL: servers.amqpURL(user: "admin", password: TestServers.password, virtualHost: "/"), offices: 1)
        )
        for worker in [Worker.intake, .routing] { for _ in 1...2 { try office.start(worker) } }
        let source = PatientSource(office)
        for blow in RestartTests.blows {
            let isOver = Atomic<Bool>(false)
            let done = DispatchSemaphore(value: 0)
            let failed = Mutex<String?>(nil)
            Thread.detachNewThread {
                do { try blow(servers) } catch { failed.withLock { $0 = "\(error)" } }
                isOver.store(true, ordering: .releasing)
                done.signal()
            }
            // Some before, during and after it.
            for _ in 1...75 { source.submit(.new()) }
            done.wait()
            #expect(failed.withLock { $0 } == nil)
        }
        source.hearAll(within: 60)
        #expect(source.unanswered.isEmpty, "\(source.unanswered.count) without an answer")
        #expect(source.answers.values.allSatisfy { $0.count == 1 }, "an answer came in two versions")
        try office.wait(for: ["300"], "SELECT count(*) FROM handoff WHERE state = 'dispatched'", within: 60)
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 30)
        #expect(try office.count("SELECT count(*) FROM report") == 300)
        #expect(try office.count("SELECT count(*) FROM report WHERE state = 'routed'") == 300)
        #expect(try office.count("SELECT count(*) FROM handoff") == 300)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        #expect(try office.count("SELECT count(*) FROM ledger_entry JOIN report ON report.id = chain") == 900)
        try office.expectWholeLedger()
        try office.close()
    }
}

/// A source that sends each report until the broker has it, over as many connections as that takes.
private final class PatientSource {
    private let office: OfficeUnderTest
    private var client: PartyClient?
    private(set) var unanswered: Set<String> = []
    /// The bodies that came as answers, by what they answer.
    private(set) var answers: [String: Set<[UInt8]>] = [:]

    init(_ office: OfficeUnderTest) { self.office = office }

    func submit(_ submission: Submission) {
        let id = UUID().uuidString
        unanswered.insert(id)
        persist(for: 60) { client in
            try client.submit(submission, id: id)
            return true
        }
    }

    func hearAll(within seconds: Double) {
        persist(for: seconds) { client in
            while !unanswered.isEmpty {
                let received = try client.receive(within: seconds)
                let id = received.inReplyTo ?? ""
                unanswered.remove(id)
                answers[id, default: []].insert(received.delivery.body)
            }
            return true
        }
    }

    /// Tries over a new connection until it comes through or the time is over.
    private func persist(for seconds: Double, _ work: (PartyClient) throws -> Bool) {
        do {
            try eventually("the broker takes a message", within: seconds) {
                do {
                    if client == nil { client = try office.source() }
                    return try client.map(work) ?? false
                } catch {
                    client?.close()
                    client = nil
                    return false
                }
            }
        } catch {
            Issue.record(error)
        }
    }
}
