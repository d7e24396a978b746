import AMQP
import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("The closed loop", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct LoopTests {
    @Test("a report is submitted, handled, and its closing answered")
    func closesTheLoop() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let id = try source.submit(Sample.accusation())

        let accepted = try source.event(source.notices, as: ReportAccepted.self)
        #expect(accepted.type == .reportAccepted)
        #expect(accepted.inreplyto == id)
        #expect(accepted.subject == id)
        #expect(accepted.data.state == .registered)

        let city = try office.unit("c01")
        let delivery = try city.next(city.inbox)
        let dispatched = try JSONDecoder().decode(CloudEvent<HandoffDispatched>.self, from: Data(delivery.body))
        #expect(dispatched.type == .handoffDispatched)
        #expect(dispatched.data.number == accepted.data.number)
        let handoff = dispatched.subject

        let digest = Array(SHA256.hash(data: delivery.body)).hexadecimal
        try city.send(.handoffSigned, subject: handoff, HandoffSigned(digest: digest))
        try city.send(
            .dispositionDecided, subject: handoff, DispositionDecided(disposition: "preliminary_verification"))
        try city.send(
            .handoffConcluded, subject: handoff,
            HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。", reporterAnswered: true))
        let judged = try city.event(city.notices, as: ConclusionJudged.self)
        #expect(judged.type == .conclusionAccepted)
        try office.wait(for: ["closed"], "SELECT state FROM report")
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        try office.close()
    }
}
