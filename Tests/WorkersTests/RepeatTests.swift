import AMQP
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite("Repeats", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct RepeatTests {
    private let reporter = Reporter(name: "孙诉", phone: "13711112222")

    @Test("a report repeated by the same reporter is registered and linked, and not handed off again")
    func linksRepeat() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, web, city) = (try office.source(), try office.source("web"), try office.unit("c01"))
        let said = Submission.new(reporters: [reporter])
        let first = try office.handOff(said, from: source, to: city)
        try web.submit(said)
        let again = try web.receive()
        #expect(again.data["state"] as? String == "linked_as_repeat")
        #expect(again.data["rule"] as? String == "cn-discipline@1/repeat-reporter")
        #expect(again.number != first.number)
        #expect(
            try office.texts("SELECT o.source_id FROM report r JOIN report o ON o.id = r.repeat_of") == [
                first.submission
            ])

        // Another reporter's report is no repeat; nor is one with more content.
        let other = Submission(
            matterKind: said.matterKind, title: said.title, text: said.text, region: said.region,
            reporters: [Reporter(name: "李诉", phone: "13733334444")], accused: said.accused,
            allegations: said.allegations)
        _ = try office.handOff(other, from: source, to: city)
        var more = said
        more.text += "另有新情况。"
        _ = try office.handOff(more, from: source, to: city)
        try office.settle()
        #expect(try office.count("SELECT count(*) FROM handoff") == 3)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("the first of equal reports in one batch is the original, and the others are linked to it")
    func linksRepeatsInOneBatch() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let said = Submission.new()
        for _ in 1...5 { try source.submit(said) }
        try office.start(.intake)
        var states: [String] = []
        for _ in 1...5 { states.append(try #require(try source.receive().data["state"] as? String)) }
        #expect(states == ["registered"] + Array(repeating: "linked_as_repeat", count: 4))
        #expect(try office.count("SELECT count(DISTINCT repeat_of) FROM report WHERE state = 'linked_as_repeat'") == 1)
        try office.close()
    }

    @Test("exactly one of equal reports on two lanes at once is the original")
    func linksRepeatsOnTwoLanes() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let kinds = (1...20).map { _ in Submission.new(reporters: [reporter]) }
        for said in (kinds + kinds + kinds).shuffled() { try source.submit(said) }
        for _ in 1...2 { try office.start(.intake) { $0.batchSizeMax = 4 } }
        try office.wait(for: ["60"], "SELECT count(*) FROM report")
        #expect(try office.count("SELECT count(*) FROM report WHERE state = 'registered'") == 20)
        #expect(
            try office.count(
                "SELECT count(*) FROM report r JOIN report o ON o.id = r.repeat_of WHERE o.state = 'registered'") == 40)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }
}
