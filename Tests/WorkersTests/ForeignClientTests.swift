import AMQP
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Clients in other languages",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ForeignClientTests {
    @Test(
        "a report from source.py is registered, signed, filed and concluded by unit.py, and closed",
        arguments: ForeignProgram.Release.all)
    func closesTheLoopInPython(release: ForeignProgram.Release) throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let unit = try ForeignProgram(
            "unit.py", ["--state", folder.path("unit"), "--run", "--case-word", "危房"], as: "unit.c01", of: office,
            release: release)
        let report = try folder.report(Sample.accusation())
        let first = try ForeignProgram(
            "source.py", ["--state", folder.path("source"), report], as: "source.letter", of: office, release: release)
        #expect(try first.status() == 0)
        let said = first.printed
        #expect(said.wholeMatch(of: /accepted \S+ registered\n/) != nil, "\(said)")

        try office.wait(for: ["closed"], "SELECT state FROM report", within: 30)
        #expect(
            try office.texts("SELECT state || ' ' || signed_by || ' ' || (case_filed_on IS NOT NULL) FROM handoff") == [
                "closed unit.c01 true"
            ])
        #expect(
            try office.texts("SELECT verdict FROM inbox WHERE sender = 'unit.c01'") == [
                "taken", "taken", "taken", "taken",
            ])

        // The same report again is the same act: it gets the same answer and is not registered twice.
        let again = try ForeignProgram(
            "source.py", ["--state", folder.path("source"), report], as: "source.letter", of: office, release: release)
        #expect(try again.status() == 0)
        #expect(again.printed == said)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        unit.terminate()
        #expect(try unit.status() == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("source.py prints that a report was rejected and why; an unanswered report goes again under the same id")
    func explainsRejectionInPython() throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        let early = [
            "--state", folder.path("source"), "--wait", "0.5", "--title", "举报张三", "--text", "反映张三挪用公款。", "--accused",
            "张三,township",
            "--region", "p-c01", "--category", "corruption",
        ]
        // No worker runs.
        for _ in 1...2 {
            #expect(try ForeignProgram("source.py", early, as: "source.letter", of: office).status() == 3)
        }
        try office.startAll()
        let late = try ForeignProgram(
            "source.py", early.map { $0 == "0.5" ? "30" : $0 }, as: "source.letter", of: office)
        #expect(try late.status() == 0)
        #expect(late.printed.hasPrefix("accepted "))
        #expect(try office.count("SELECT count(*) FROM report") == 1)

        let wrong = try ForeignProgram(
            "source.py", ["--state", folder.path("source"), "--text", "无", "--matter-kind", "gossip"],
            as: "source.letter", of: office)
        #expect(try wrong.status() == 1)
        #expect(wrong.printed.hasPrefix("rejected data.matterKind "))
        try office.close()
    }

    @Test(
        "a paper of half a megabyte follows its report in parts and is complete; sent again, nothing doubles",
        arguments: ForeignProgram.Release.all)
    func sendsLargePaperInPython(release: ForeignProgram.Release) throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let paper = folder.url.appending(path: "账页.jpg")
        try Data((0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }).write(to: paper)
        let arguments = [
            "--state", folder.path("source"), "--attach", paper.path, try folder.report(Sample.accusation()),
        ]
        for _ in 1...2 {
            let source = try ForeignProgram("source.py", arguments, as: "source.letter", of: office, release: release)
            #expect(try source.status() == 0)
            #expect(source.printed.wholeMatch(of: /accepted \S+ registered\n/) != nil)
        }
        #expect(try office.count("SELECT count(*) FROM attachment WHERE received_at IS NOT NULL") == 1)
        #expect(try office.count("SELECT count(*) FROM attachment_part") == 4)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        try office.close()
    }

    @Test("unit.py, killed between journalling a handoff and signing it, resumes there; nothing is doubled")
    func resumesBeforeSigning() throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let source = try office.source()
        for _ in 1...3 { try source.submit(.new()) }
        // It thinks for an hour, so it is killed before the first signature.
        let thinking = try ForeignProgram(
            "unit.py", ["--state", folder.path("unit"), "--run", "--think", "3600"], as: "unit.c01", of: office)
        try folder.wait(for: "3", in: "unit", "SELECT count(*) FROM heard")
        thinking.kill()
        #expect(try office.count("SELECT count(*) FROM inbox WHERE sender = 'unit.c01'") == 0)

        let unit = try ForeignProgram(
            "unit.py", ["--state", folder.path("unit"), "--once"], as: "unit.c01", of: office)
        #expect(try unit.status() == 0)
        try office.wait(for: ["3"], "SELECT count(*)::text FROM handoff WHERE state = 'closed'")
        #expect(
            try office.texts("SELECT verdict || ' ' || count(*) FROM inbox WHERE sender = 'unit.c01' GROUP BY verdict")
                == ["taken 9"])
        try office.close()
    }

    @Test("unit.py killed again and again among forty handoffs loses none and doubles none")
    func survivesRepeatedKills() throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let source = try office.source()
        for _ in 1...40 { try source.submit(.new()) }
        for acts in [1, 7, 20, 33, 52, 80] {
            let unit = try ForeignProgram(
                "unit.py", ["--state", folder.path("unit"), "--run"], as: "unit.c01", of: office)
            try office.waitUntil("SELECT count(*) >= \(acts) FROM inbox WHERE sender = 'unit.c01'")
            unit.kill()
        }
        let last = try ForeignProgram(
            "unit.py", ["--state", folder.path("unit"), "--once"], as: "unit.c01", of: office)
        #expect(try last.status() == 0)
        try office.wait(for: ["40"], "SELECT count(*)::text FROM handoff WHERE state = 'closed'")
        #expect(
            try office.texts("SELECT verdict || ' ' || count(*) FROM inbox WHERE sender = 'unit.c01' GROUP BY verdict")
                == ["taken 120"])
        try office.expectWholeLedger()
        try office.close()
    }

    @Test(
        "unit.py completes a conclusion that came back, and concludes again",
        arguments: ForeignProgram.Release.all)
    func completesReturnedConclusion(release: ForeignProgram.Release) throws {
        try ForeignProgram.requireTools("python3")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        try (try office.source()).submit(.new())
        let unit = try ForeignProgram(
            "unit.py", ["--state", folder.path("unit"), "--run", "--hasty"], as: "unit.c01", of: office,
            release: release)
        try office.wait(for: ["closed"], "SELECT state FROM handoff", within: 30)
        #expect(try office.texts("SELECT times_sent_back::text FROM handoff") == ["1"])
        unit.terminate()
        #expect(try unit.status() == 0)
        try office.close()
    }

    @Test("a unit written in shell concludes its handoffs, also after it was stopped")
    func concludesHandoffsInShell() throws {
        try ForeignProgram.requireTools("bash", "jq", "flock", "amqp-consume")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let source = try office.source()
        for closed in 1...2 {
            let unit = try ForeignProgram("unit.sh", [folder.path("unit")], as: "unit.c01", of: office)
            try source.submit(.new())
            try office.wait(for: ["\(closed)"], "SELECT count(*)::text FROM handoff WHERE state = 'closed'", within: 40)
            unit.terminate()
            _ = try unit.status()
        }
        #expect(
            try office.texts("SELECT verdict || ' ' || count(*) FROM inbox WHERE sender = 'unit.c01' GROUP BY verdict")
                == ["taken 6"])
        try office.close()
    }

    @Test(
        "a report from source.sh is registered, signed, filed and concluded by unit.sh; sent again, it is a repeat",
        arguments: ForeignProgram.Release.all)
    func closesTheLoopInShell(release: ForeignProgram.Release) throws {
        try ForeignProgram.requireTools("bash", "jq", "flock", "amqp-consume", "timeout")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        let report = try folder.report(Sample.accusation())
        let arguments = [folder.path("source"), report]
        // No worker runs.
        let early = try ForeignProgram(
            "source.sh", arguments, as: "source.letter", of: office, environment: ["WAIT": "1"], release: release)
        #expect(try early.status() == 3)
        try office.startAll()
        let unit = try ForeignProgram(
            "unit.sh", [folder.path("unit")], as: "unit.c01", of: office, environment: ["CASE_WORD": "危房"],
            release: release)
        let first = try ForeignProgram("source.sh", arguments, as: "source.letter", of: office, release: release)
        #expect(try first.status() == 0)
        let said = first.printed
        #expect(said.wholeMatch(of: /accepted \S+ registered\n/) != nil, "\(said)")

        try office.wait(for: ["closed"], "SELECT state FROM report", within: 40)
        #expect(
            try office.texts("SELECT state || ' ' || signed_by || ' ' || (case_filed_on IS NOT NULL) FROM handoff") == [
                "closed unit.c01 true"
            ])
        #expect(
            try office.texts("SELECT verdict FROM inbox WHERE sender = 'unit.c01'") == [
                "taken", "taken", "taken", "taken",
            ])

        let again = try ForeignProgram("source.sh", arguments, as: "source.letter", of: office, release: release)
        #expect(try again.status() == 0)
        #expect(again.printed == said)
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        unit.terminate()
        _ = try unit.status()

        try Data(#"{"text":"无","matterKind":"gossip"}"#.utf8).write(to: URL(fileURLWithPath: report))
        let wrong = try ForeignProgram("source.sh", arguments, as: "source.letter", of: office, release: release)
        #expect(try wrong.status() == 1)
        #expect(wrong.printed.hasPrefix("rejected data.matterKind "))
        try office.close()
    }

    @Test("a shell unit that cannot write accepts nothing; once it can, the missed messages come again")
    func shellTakesNothingItCannotStore() throws {
        try ForeignProgram.requireTools("bash", "jq", "flock", "amqp-consume")
        let (office, folder) = (try OfficeUnderTest(), try Folder())
        try office.startAll()
        let complaints = folder.url.appending(path: "complaints")
        let unit = try ForeignProgram("unit.sh", [folder.path("unit")], as: "unit.c01", of: office, errors: complaints)
        try eventually(within: 30) { FileManager.default.fileExists(atPath: folder.path("unit/sent")) }
        // A file where the script needs a folder.
        try FileManager.default.moveItem(atPath: folder.path("unit/heard"), toPath: folder.path("unit/away"))
        try Data().write(to: folder.url.appending(path: "unit/heard"))
        try (try office.source()).submit(.new())
        try eventually(within: 30) { try String(contentsOf: complaints, encoding: .utf8).contains("unit/heard") }
        #expect(try office.count("SELECT count(*) FROM inbox WHERE sender = 'unit.c01'") == 0)

        try FileManager.default.removeItem(atPath: folder.path("unit/heard"))
        try FileManager.default.moveItem(atPath: folder.path("unit/away"), toPath: folder.path("unit/heard"))
        try office.wait(for: ["closed"], "SELECT state FROM handoff", within: 40)
        unit.terminate()
        _ = try unit.status()
        try office.close()
    }

    @Test("amqp-publish cannot name its user: the office tells the key's owner what is missing")
    func explainsMissingUser() throws {
        try ForeignProgram.requireTools("amqp-publish")
        let office = try OfficeUnderTest()
        try office.startAll()
        let city = try office.unit("c01")
        let arrived = try office.handOff(from: try office.source(), to: city)
        let act = city.prepare(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        var url = try #require(URLComponents(string: office.servers.brokerURL))
        (url.user, url.path) = ("unit.c01", "/" + office.virtualHost)
        let publishing = try ForeignProgram(
            "/usr/bin/amqp-publish",
            [
                "--url", try #require(url.string), "--exchange", city.exchange, "--routing-key", act.key,
                "--persistent",
                "--content-type", MediaType.cloudEvents, "--body", String(decoding: act.body, as: UTF8.self),
            ],
            as: "unit.c01", of: office)
        #expect(try publishing.status() == 0)
        let refusal = try city.receive()
        #expect(refusal.type == MessageType.messageRefused.rawValue)
        #expect(refusal.problem == "no_user_id")
        #expect(refusal.inReplyTo == act.id)
        #expect(try office.handoffState(arrived) != "signed")
        // The same act, sent as it should be, counts.
        try city.publish(act)
        try office.waitForState("signed", of: arrived)
        try office.close()
    }
}

/// A folder of a test's own, taken away with it.
final class Folder {
    let url = FileManager.default.temporaryDirectory.appending(path: "foreign-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    /// The data of `report.submitted` as a file.
    func report(_ submission: Submission) throws -> String {
        let file = url.appending(path: "report.json")
        try JSONEncoder().encode(submission).write(to: file)
        return file.path
    }

    /// Waits until a query of a SQLite file gives this.
    func wait(for expected: String, in name: String, _ sql: String, within seconds: Double = 30) throws {
        let look = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])"
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            process.arguments = ["-c", look, path(name), sql]
            process.standardOutput = output
            // There is no such table before the program has begun.
            process.standardError = FileHandle.nullDevice
            try process.run()
            let seen = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            if seen == expected + "\n" { return }
        }
        Issue.record("never \(expected): \(sql)")
    }
}

extension OfficeUnderTest {
    /// Waits until a condition on the tables holds.
    func waitUntil(
        _ condition: String, within seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try wait(
            for: ["t"], "SELECT CASE WHEN (\(condition)) THEN 't' ELSE 'f' END", within: seconds,
            sourceLocation: sourceLocation)
    }
}
