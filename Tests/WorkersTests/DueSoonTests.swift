import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Results that will be due",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DueSoonTests {
    @Test("seven days before a result is due the unit gets a notice with the clock and the time")
    func notifiesUnitSevenDaysBefore() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (source, department) = (try office.source(), try office.unit("d1"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        // A kind of handoff whose result is owed: a transfer.
        let arrived = try office.handOff(.new(level: "province"), from: source, to: department)
        try department.sign(arrived)
        try office.waitForState("signed", of: arrived)
        // Of the thirty days until feedback is due, twenty-four are over.
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 24 * 86_400), rate: 1))
        let notice = try department.event(department.notices, as: ClockNotice.self)
        #expect(
            notice.type == .noticeDueSoon && notice.subject == arrived.handoff && notice.source == .office(.deadlines))
        #expect(notice.data.clock == "feedback" && notice.data.step == 1)
        #expect(notice.data.dueAt.seconds(since: notice.data.startedAt) == 30 * 86_400)
        try office.close()
    }
}
