import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Handoffs that a unit asks for again",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ResendTests {
    private static let lost = HandoffResendRequested(cause: "lost", text: "队列清理时误删。")

    /// The messages of a handoff to its unit, in the order of their arrival.
    private func handOff(in office: OfficeUnderTest, to unit: PartyClient) throws -> (Delivery, ReceivedMessage) {
        try office.source().submit(.new())
        let delivery = try unit.next(unit.inbox)
        return (delivery, try ReceivedMessage(delivery))
    }

    @Test("a unit gets the same bytes under the same event id in the same queue, unsigned and in hand")
    func sendsSameBytesAgain() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let (first, handoff) = try handOff(in: office, to: city)
        func expectAgain() throws {
            let again = try city.next(city.inbox)
            #expect(again.body == first.body && again.routingKey == first.routingKey)
            #expect(again.properties.userID == Party.office(.routing).description)
            #expect(again.properties.type == MessageType.handoffDispatched.rawValue)
            #expect(again.properties.messageID != first.properties.messageID)
        }
        try office.settle()
        try city.send(.handoffResendRequested, subject: handoff.subject, Self.lost)
        try expectAgain()
        #expect(try office.texts("SELECT state FROM handoff") == ["dispatched"])
        try city.send(.handoffSigned, subject: handoff.subject, HandoffSigned(digest: first.digest))
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        try city.send(.handoffResendRequested, subject: handoff.subject, Self.lost)
        try expectAgain()
        #expect(try city.receiveUntilDecided().isEmpty)
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        #expect(try office.texts("SELECT state FROM handoff") == ["signed"])
        #expect(
            try office.texts(
                "SELECT convert_from(bytes, 'UTF8')::json ->> 'by' FROM ledger_entry WHERE bytes LIKE '%\"resent\"%'")
                == ["unit.c01", "unit.c01"])
        // Stored once, and three rows of the outbox referred to it.
        #expect(try office.count("SELECT count(*) FROM handoff_body") == 1)
        #expect(try office.count("SELECT count(*) FROM sent.message WHERE body_of IS NOT NULL AND body IS NULL") == 3)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("one copy is on its way at a time; a row that another worker cannot open is left to routing")
    func keepsOneCopyUnderWay() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let routing = try office.start(.routing)
        try office.start(.feedback)
        let city = try office.unit("c01")
        let (first, handoff) = try handOff(in: office, to: city)
        try office.wait(for: ["dispatched"], "SELECT state FROM handoff")
        try routing.stop()
        for _ in 1...2 { try city.send(.handoffResendRequested, subject: handoff.subject, Self.lost) }
        #expect(try city.receiveUntilDecided().map(\.problem) == ["not_confirmed_yet"])
        try city.send(.handoffResendRequested, subject: handoff.subject, Self.lost)
        #expect(try city.receiveUntilDecided().map(\.problem) == ["not_confirmed_yet"])

        let database = try office.database()
        defer { database.close() }
        func rows(_ opensHandoffs: Bool) throws -> [UUID] {
            try database.run(
                ReadOutbox(
                    lanes: ["routing left"], choice: .allBut([]), opensHandoffs: opensHandoffs, countMax: 9,
                    bytesMax: 1 << 20)
            ).rows.map(\.row.eventID)
        }
        #expect(try rows(false).isEmpty)
        #expect(try rows(true).map(\.lowercased) == [handoff.id])
        #expect(
            try office.texts("SELECT worker || ' ' || lane FROM outbox WHERE body_of IS NOT NULL") == [
                "routing routing left"
            ])

        try office.start(.routing)
        #expect(try city.next(city.inbox).body == first.body)
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        #expect(try city.nextIfAny(city.inbox) == nil)
        try office.close()
    }

    @Test("only the addressed unit asks, while the handoff is open, for what is kept, with a known cause")
    func refusesOthers() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (city, other) = (try office.unit("c01"), try office.unit("d1"))
        let (first, handoff) = try handOff(in: office, to: city)
        func ask(_ unit: PartyClient, _ cause: String = "lost") throws -> [String?] {
            try unit.send(.handoffResendRequested, subject: handoff.subject, HandoffResendRequested(cause: cause))
            return try unit.receiveUntilDecided().map(\.problem)
        }
        #expect(try ask(other) == ["unknown_handoff"])
        #expect(try ask(city, "bored") == ["bad_value"])
        // Purged: nothing is left to be sent, and no chain is touched.
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        try office.change(
            "CREATE TABLE kept AS SELECT * FROM handoff_body; DELETE FROM handoff_body")
        #expect(try ask(city) == ["not_kept"])
        try office.expectWholeLedger()
        try office.change("INSERT INTO handoff_body SELECT * FROM kept")
        try city.send(.handoffSigned, subject: handoff.subject, HandoffSigned(digest: first.digest))
        try office.wait(for: ["signed"], "SELECT state FROM handoff")
        try office.person("li").send(.commandRecall, subject: handoff.subject, CommandRecall(reason: "误转"))
        try office.wait(for: ["recalled"], "SELECT state FROM handoff")
        #expect(try ask(city) == ["recalled"])
        // Nothing is kept of what was passed up sealed.
        let superior = try office.unit("superior")
        try office.source().submit(Sample.accusation(level: "central"))
        let sealed = try ReceivedMessage(try superior.next(superior.express))
        try superior.send(.handoffResendRequested, subject: sealed.subject, Self.lost)
        #expect(try superior.receiveUntilDecided().map(\.problem) == ["not_kept"])
        #expect(try office.count("SELECT count(*) FROM handoff_body") == 1)
        try office.close()
    }

    @Test("a unit that is barred meanwhile gets nothing, and the ledger says so")
    func withdrawsFromBarredUnit() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let routing = try office.start(.routing)
        try office.start(.feedback)
        let city = try office.unit("c01")
        let (_, handoff) = try handOff(in: office, to: city)
        try office.wait(for: ["dispatched"], "SELECT state FROM handoff")
        try routing.stop()
        try city.send(.handoffResendRequested, subject: handoff.subject, Self.lost)
        try office.wait(for: ["1"], "SELECT count(*)::text FROM outbox WHERE body_of IS NOT NULL")
        try office.change("INSERT INTO barred_root SELECT id, 'c01' FROM report")
        try office.start(.routing)
        try office.wait(for: ["0"], "SELECT count(*)::text FROM outbox")
        #expect(try office.count("SELECT count(*) FROM ledger_entry WHERE bytes LIKE '%\"withdrawn\"%'") == 1)
        #expect(try city.nextIfAny(city.inbox) == nil)
        #expect(try office.texts("SELECT state FROM handoff") == ["dispatched"])
        try office.close()
    }
}
