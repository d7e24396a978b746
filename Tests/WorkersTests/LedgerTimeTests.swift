import Basics
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite("Times in the ledger", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct LedgerTimeTests {
    @Test("an act that waited for its case is entered with the time it got the case, so chain times never go back")
    func entersTimeAfterLock() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try office.settle()

        let other = try office.database()
        defer { other.close() }
        try other.execute("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT FROM report FOR NO KEY UPDATE")
        try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest, signedBy: "收发员"))
        try office.wait(
            for: ["1"],
            """
            SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = \
            'Lock'
            """
        )
        let released = Instant.wall()
        try other.execute("COMMIT")
        try office.wait(for: ["signed"], "SELECT state FROM handoff")
        let at = try office.texts(
            """
            SELECT convert_from(bytes, 'UTF8')::jsonb->>'at' FROM ledger_entry WHERE convert_from(bytes, \
            'UTF8')::jsonb->>'event' = 'signed'
            """
        )
        let entered = try #require(at.first.flatMap { Instant($0) })
        #expect(entered >= released)
        try office.close()
    }
}
