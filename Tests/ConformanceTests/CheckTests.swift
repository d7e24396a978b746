import AMQP
import Basics
import BrokerTopology
import Contract
import Foundation
import Synchronization
import Testing
import TestOffice

@testable import Conformance

@Suite(
    "The check of a unit's system",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct CheckTests {
    /// A flaw of the example unit, the one scenario that it fails, and words that its reason holds.
    static let flaws: [(flaw: String, scenario: String, words: String)] = [
        ("silent", "signs", "no handoff.signed"),
        ("hashes-json-anew", "signs", "hash the bytes as they came"),
        ("trims-bodies", "chinese-text", "hash the bytes as they came"),
        ("cuts-bodies", "large-body", "hash the bytes as they came"),
        ("strict-about-fields", "unknown-fields", "no handoff.signed"),
        ("deaf-to-express", "express", "no handoff.signed"),
        ("signs-anew", "delivered-twice", "handoff.signed came again under another id"),
        ("ignores-returned-conclusions", "concludes-again", "no second handoff.concluded after conclusion.returned"),
        ("acts-after-recall", "recall", "handoff.progress came after the recall was acknowledged"),
        ("forgets-early-recalls", "recall-first", "handoff.signed came after the recall was acknowledged"),
        ("loops-on-refusals", "refusal", "the unit loops"),
        ("stops-at-unknown-types", "unknown-type", "nobody reads"),
        ("names-no-user", "form", "user-id is missing"),
        ("wrong-key", "form", "the routing key must be unit.c01.handoff.signed"),
        ("not-persistent", "form", "delivery-mode must be 2"),
        ("makes-up-words", "words", "data.outcome: the policy does not know this word"),
        ("never-decides", "concludes", "the last conclusion was sent back: 没有处置意见"),
        ("one-id-for-all", "ids", "differ; a resend is the same bytes"),
        ("goes-on-when-closed", "order", "handoff.progress came while the handoff was closed"),
        ("signs-for-others", "uninvited", "which was never handed to this unit"),
    ]

    @Test(
        "the Python example passes every scenario, also when it accepts only what fits the published schemas",
        arguments: [
            "none", "takes-only-what-fits",
        ])
    func examplePasses(change: String) throws {
        let verdicts = try check(flaw: change)
        #expect(verdicts.map(\.scenario) == Scenario.all.map(\.name))
        for verdict in verdicts { #expect(verdict.outcome == .passed, "\(verdict.scenario): \(verdict.reasons)") }
    }

    @Test("the shell example passes every scenario")
    func shellExamplePasses() throws {
        let host = try TestHost()
        defer { host.giveBack() }
        let unit = try UnitProcess(example: "unit.sh", at: try host.broker)
        defer { unit.stop() }
        var options = try host.options()
        options.patienceSeconds = 30
        // Each act is a process of its own: it takes its time.
        options.listenSeconds = 3
        for verdict in try onThread({ [options] in try Check(options).run() }) {
            #expect(verdict.outcome == .passed, "\(verdict.scenario): \(verdict.reasons)")
        }
    }

    @Test("each flaw of a unit fails its own scenario and no other, in words that name it")
    func findsEachFlaw() throws {
        // Several units at once, each on a virtual host of its own: most of the time is waiting.
        let lanes = 4
        let results = Mutex<[String: Result<[Verdict], any Error>]>([:])
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            for (index, row) in Self.flaws.enumerated() where index % lanes == lane {
                let result = Result { try check(flaw: row.flaw) }
                results.withLock { $0[row.flaw] = result }
            }
        }
        for row in Self.flaws {
            let verdicts = try #require(results.withLock { $0[row.flaw] }).get()
            let failed = verdicts.filter { $0.outcome == .failed }
            #expect(failed.map(\.scenario) == [row.scenario], "\(row.flaw): \(failed)")
            #expect(
                failed.flatMap(\.reasons).contains { $0.contains(row.words) },
                "\(row.flaw): \(failed.flatMap(\.reasons))")
        }
    }

    @Test("one scenario can be played alone; the one about all messages plays a handoff for it")
    func playsOneScenario() throws {
        for name in ["large-body", "form"] {
            let host = try TestHost()
            defer { host.giveBack() }
            let unit = try UnitProcess(flaw: "not-persistent", at: try host.broker)
            defer { unit.stop() }
            var options = try host.options()
            options.only = name
            let verdicts = try onThread { [options] in try Check(options).run() }
            #expect(verdicts.map(\.scenario) == [name])
            #expect(verdicts.map(\.outcome) == [name == "form" ? .failed : .passed])
        }
    }

    @Test("a check is refused without a reader, with running workers, with queued messages, or for no known scenario")
    func refusesChecksThatCannotRun() throws {
        let host = try TestHost()
        defer { host.giveBack() }
        var options = try host.options()
        options.connectSeconds = 0.2
        let queues = ["unit.c01.express", "unit.c01.inbox", "unit.c01.notice"]
        #expect(problem(options) == .nobodyReads(queues))
        options.only = "unheard-of"
        #expect(problem(options) == .unknownScenario("unheard-of"))
        options.only = nil

        let connection = try AMQP.Connection(try host.servers.broker(user: "admin", virtualHost: host.name))
        defer { connection.close() }
        let publisher = try Publisher(on: connection)
        let queue = QueueName(rawValue: "unit.c01.acts")
        _ = try publisher.publish(
            [1], to: .default, key: RoutingKey(rawValue: queue.rawValue), properties: Properties(), token: 0,
            deadline: 5)
        _ = try publisher.settle(within: 5)
        #expect(problem(options) == .messagesLieThere(1, in: queue.rawValue))
        let channel = try connection.openChannel()
        _ = try connection.purgeQueue(queue, on: channel)
        try connection.consume(queue, on: channel)
        #expect(problem(options) == .workersRun(queue.rawValue))
    }

    /// Why no check was made.
    private func problem(_ options: Check.Options) -> ConformanceError? {
        do {
            _ = try onThread { try Check(options).run() }
            return nil
        } catch {
            return error as? ConformanceError
        }
    }

    private func check(flaw: String) throws -> [Verdict] {
        let host = try TestHost()
        defer { host.giveBack() }
        let unit = try UnitProcess(flaw: flaw, at: try host.broker)
        defer { unit.stop() }
        let options = try host.options()
        return try onThread { try Check(options).run() }
    }
}

/// With the stack that an AMQP connection needs, which not every thread has.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) throws -> Value {
    let result = Mutex<Result<Value, any Error>?>(nil)
    WorkThread(named: "check") {
        let outcome = Result { try work() }
        result.withLock { $0 = outcome }
    }.join()
    return try #require(result.withLock { $0 }).get()
}
