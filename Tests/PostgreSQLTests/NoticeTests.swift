import Foundation
import PostgreSQL
import Testing

@Suite(.enabled(if: TestDatabase.isAvailable, TestDatabase.whyDisabled), .timeLimit(.minutes(1)))
struct NoticeTests {
    @Test("notices reach the listener with severity and code; descriptions omit their words")
    func deliversNoticesWithCodes() throws {
        try TestDatabase.connected { connection in
            let received = ReceivedNotices()
            connection.onNotice = { received.notices.append($0) }
            try connection.execute(
                "DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING USING MESSAGE = 'secret', ERRCODE = '01ABC'; END $$")
            #expect(received.notices.map(\.debugDetail) == ["hello", "secret"])
            var dumped = ""
            dump(received.notices[1], to: &dumped)
            #expect("\(received.notices[1])" == "PostgreSQL: WARNING, SQLSTATE 01ABC")
            #expect(!"\(dumped) \(String(reflecting: received.notices))".contains("secret"))
            connection.onNotice = nil
            try connection.execute("DROP TABLE IF EXISTS nothing")
            #expect(received.notices.count == 2)
        }
    }

    @Test("a notice handler can neither use the connection nor close it")
    func keepsHandlerFromUsingConnection() throws {
        try TestDatabase.reading { connection in
            let refusals = Refusals()
            connection.onNotice = { [unowned connection] _ in
                do throws(PostgreSQLError) { try connection.ping() } catch { refusals.errors.append(error) }
                connection.close()
            }
            try connection.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
            #expect(refusals.errors.map(\.code) == [.invalidArgument])
            connection.onNotice = nil
            try connection.ping()
        }
    }

    @Test("NOTIFY reaches a listening session in order, and waiting for nothing ends in time")
    func receivesNotificationsInOrder() throws {
        try TestDatabase.with { database in
            let (listener, speaker) = (try database.connect(), try database.connect())
            defer {
                listener.close()
                speaker.close()
            }
            try listener.execute("LISTEN news")
            #expect(try listener.notifications(withinMilliseconds: 20).isEmpty)
            try speaker.execute("NOTIFY news, 'one'; NOTIFY news, 'two'; NOTIFY other, 'three'")
            var received: [ServerNotification] = []
            try eventually {
                received += try listener.notifications(withinMilliseconds: 1000)
                return received.count >= 2
            }
            #expect(received.map(\.payload) == ["one", "two"] && received.allSatisfy { $0.channel == "news" })
            #expect(received[0].processID == speaker.backendProcessID)
            try speaker.run(EndSession(processID: listener.backendProcessID))
            #expect(try error { _ = try listener.notifications(withinMilliseconds: 10_000) }.isConnectionLost)
        }
    }
}

private final class Refusals {
    var errors: [PostgreSQLError] = []
}
