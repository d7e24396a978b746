import AMQP
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "A message that stops the worker",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct TrapTests {
    @Test("only the message that stops the worker ends as a dead letter; its hundred neighbours are registered")
    func onlyTheTrapIsADeadLetter() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let trap = UUID().uuidString
        var ids: Set<String> = []
        for index in 1...101 { ids.insert(try source.submit(.new(), id: index == 30 ? trap : UUID().uuidString)) }
        // The supervisor of the workers starts them again.
        var deaths = 0
        var worker = try WorkerProcess(.intake, of: office, trap: trap)
        while deaths < 20, try office.count("SELECT count(*) FROM dead_letter") == 0 {
            if worker.endsByItself(within: 0.2) {
                deaths += 1
                worker = try WorkerProcess(.intake, of: office, trap: trap)
            }
        }
        #expect(deaths < 20)
        try office.wait(for: ["100"], "SELECT count(*) FROM report", within: 30)
        var problems: [String: String] = [:]
        while !ids.isEmpty {
            let answer = try source.receive()
            ids.remove(answer.inReplyTo ?? "")
            if let problem = answer.problem { problems[answer.inReplyTo ?? ""] = problem }
        }
        #expect(problems == [trap: "stops_the_worker"])
        #expect(try office.texts("SELECT reason || event_id FROM dead_letter") == ["stops_the_worker" + trap])
        #expect(try office.inbox(trap, from: source.party) == "dead")
        worker.kill()
        #expect(try office.count("SELECT count(*) FROM attempt") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test(
        "a worker killed repeatedly from outside blames no message: all are registered after the last kill",
        arguments: [LanePoint.beforeCommit, .afterCommit])
    func blamesNoMessageForKills(point: LanePoint) throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        var ids: Set<String> = []
        for _ in 1...5 { ids.insert(try source.submit(.new())) }
        // Twice as many starts as a message that stops the worker gets.
        for _ in 1...10 { #expect(try WorkerProcess(.intake, of: office, killedAt: point).endsByItself()) }
        let worker = try WorkerProcess(.intake, of: office)
        // An answer may come twice: relayed, and again for the message that is delivered again.
        while !ids.isEmpty {
            let answer = try source.receive()
            #expect(answer.problem == nil)
            ids.remove(answer.inReplyTo ?? "")
        }
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.wait(for: ["0"], "SELECT count(*) FROM attempt")
        worker.kill()
        try office.expectWholeLedger()
        try office.close()
    }
}
