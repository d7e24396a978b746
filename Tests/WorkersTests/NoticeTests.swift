import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Notices of the database", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct NoticeTests {
    @Test("the worker's log has each database warning's severity and code, on every connection, without its words")
    func logsNoticesWithoutWords() throws {
        let office = try OfficeUnderTest()
        try office.change(
            """
            CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE WARNING 'of %', NEW.body USING ERRCODE = '01ABC'; RETURN NEW; END $$;
            CREATE TRIGGER warns BEFORE INSERT ON report_text FOR EACH ROW EXECUTE FUNCTION warn()
            """)
        try office.start(.intake)
        let source = try office.source()
        for count in 1...2 {
            var report = Submission.new()
            report.text += "不可入日志"
            try source.submit(report)
            try office.log.wait(for: "notice from the database", lines: count)
            _ = try source.receive()
            // The next report comes over another connection.
            try office.change(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND usename = 'bihuan_intake'
                """)
        }
        let lines = office.log.lines.filter { $0.contains("notice from the database") }
        #expect(lines.count == 2)
        #expect(
            lines.allSatisfy { $0.hasPrefix("warning ") && $0.contains("WARNING") && $0.contains("01ABC") }, "\(lines)")
        #expect(!office.log.lines.contains { $0.contains("不可入日志") })
        try office.close()
    }
}
