import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "Messages that were altered or sent again by another",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct AlteredMessageTests {
    @Test("a signature with one bit flipped, in each of its bytes: it signs only if it still says the same")
    func flippedSignatureSignsNothingElse() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        func signature(_ handoff: String, _ digest: String) -> PreparedAct {
            city.prepare(.handoffSigned, subject: handoff, HandoffSigned(digest: digest, signedBy: "zhou"))
        }
        let empty = UUID().uuidString.lowercased()
        let length = signature(empty, String(repeating: "0", count: 64)).body.count
        for _ in 0..<length { try source.submit(.new()) }
        var mayBeSigned: [String: Bool] = [:]
        for place in 0..<length {
            let arrived = try city.receiveHandoff()
            let act = signature(arrived.handoff, arrived.digest)
            try #require(act.body.count == length)
            var body = act.body
            body[place] ^= 1
            mayBeSigned[arrived.handoff] = Self.saysTheSame(body, as: act.body)
            try city.publish(
                body, to: city.exchange, key: act.key, properties: city.properties(act.type, act.subject))
        }
        _ = try city.receiveUntilDecided()
        let signed = Set(try office.texts("SELECT id::text FROM handoff WHERE signed_at IS NOT NULL"))
        #expect(mayBeSigned.count == length && mayBeSigned.values.contains(false))
        for (handoff, may) in mayBeSigned where !may { #expect(!signed.contains(handoff), "\(handoff)") }
        #expect(signed.count > 20, "a flip in a name of no meaning changes no meaning")
        #expect(try office.count("SELECT count(*) FROM handoff WHERE state = 'signed'") == signed.count)
        #expect(
            Set(try office.texts("SELECT verdict FROM inbox WHERE sender = 'unit.c01'")).isSubset(of: [
                "taken", "refused", "dead",
            ]))
        try office.expectWholeLedger()
        try office.close()
    }

    /// What makes a signature: who, what, about which handoff, of which bytes. The office reads no other field for it,
    /// but a time must be one, and an id must be an id.
    private static func saysTheSame(_ altered: [UInt8], as original: [UInt8]) -> Bool {
        guard let json = try? JSONSerialization.jsonObject(with: Data(altered)) as? [String: Any],
            let before = try? JSONSerialization.jsonObject(with: Data(original)) as? [String: Any],
            let id = json["id"] as? String, Limits.standard.admitsID(id),
            let time = json["time"] as? String, Instant(time) != nil
        else { return false }
        let data = json["data"] as? [String: Any]
        return ["source", "type", "subject", "specversion"].allSatisfy {
            json[$0] as? String == before[$0] as? String
        }
            && (json["datacontenttype"] as? String).map { $0.hasSuffix("json") } != false
            && data?["digest"] as? String == (before["data"] as? [String: Any])?["digest"] as? String
    }

    @Test("the exact bytes of one party's act, sent by another under its own name, are refused and change nothing")
    func strangersRepeatChangesNothing() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, web) = (try office.source(), try office.source("web"))
        let (city, county, li) = (try office.unit("c01"), try office.unit("c01-d01"), try office.person("li"))
        let id = UUID().uuidString
        let report = source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        try source.publish(report)
        _ = try source.receive()
        let arrived = try city.receiveHandoff()
        let signature = city.prepare(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))

        /// Under the key and the user that the broker admits.
        func repeated(_ act: PreparedAct, by thief: PartyClient, _ type: MessageType) throws -> String? {
            try thief.publish(
                act.body, to: thief.exchange, key: type.routingKey(from: thief.party),
                properties: thief.properties(type, act.subject))
            return try thief.receive().problem
        }
        // Before the city has signed, and after.
        for _ in 1...2 {
            try office.settle()
            let digests = try office.tableDigests()
            #expect(try repeated(signature, by: county, .handoffSigned) == "wrong_source")
            #expect(try repeated(signature, by: web, .reportSubmitted) == "wrong_source")
            #expect(try repeated(signature, by: li, .commandRecall) == "wrong_source")
            #expect(try repeated(report, by: web, .reportSubmitted) == "wrong_source")
            #expect(try repeated(report, by: city, .handoffSigned) == "wrong_source")
            try office.settle()
            #expect(try office.tableDigests() == digests)
            try city.publish(signature)
            try office.waitForState("signed", of: arrived)
        }
        #expect(try office.inbox(signature.id, from: city.party) == "taken")
        #expect(try office.inbox(signature.id, from: county.party) == "refused")
        try office.close()
    }

    @Test("the time that a sender writes moves no clock: an old or a future one changes nothing but itself")
    func timeOfSenderMovesNothing() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        for time in ["1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z"] {
            let arrived = try office.handOff(from: source, to: city)
            let act = city.prepare(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
            var json = try #require(try JSONSerialization.jsonObject(with: Data(act.body)) as? [String: Any])
            json["time"] = time
            var properties = city.properties(act.type, act.subject)
            properties.timestamp = time.hasPrefix("1970") ? 0 : 32_503_679_999
            try city.publish(
                [UInt8](try JSONSerialization.data(withJSONObject: json)), to: city.exchange, key: act.key,
                properties: properties)
            try office.waitForState("signed", of: arrived)
        }
        #expect(
            try office.texts(
                "SELECT (abs(extract(epoch FROM signed_at - now())) < 300)::text FROM handoff") == ["true", "true"])
        #expect(
            try office.count(
                """
                SELECT count(*) FROM clock WHERE started_at NOT BETWEEN now() - interval '1 day' \
                AND now() + interval '1 day'
                """) == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("names of attachments that are paths are names: no unit's client opens, makes or runs what they say")
    func pathsInNamesAreNames() throws {
        try ForeignProgram.requireTools("python3", "bash", "jq", "flock", "amqp-consume")
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, folder) = (try office.source(), try Folder())
        let mark = "/tmp/bihuan-attack-\(UUID().uuidString.prefix(8))"
        let names = [
            "../../../../../../../../..\(mark)", mark, "/etc/passwd", "..", ".", "C:\\Windows\\win.ini",
            "\\\\host\\share",
            "a/b.jpg", "账页.jpg; touch \(mark)", "$(touch \(mark)).jpg", "`touch \(mark)`", "-rf", "~/.bashrc",
            "file:\(mark)", "name\u{202E}gpj.exe", "con.txt\r\n.jpg",
        ]
        for name in names {
            var submission = Submission.new()
            submission.title = name
            submission.attachments = [Attachment(name: name, bytes: 3, sha256: String(repeating: "0d", count: 32))]
            let id = try source.submit(submission)
            let answer = try source.receive()
            #expect(answer.inReplyTo == id && answer.type == MessageType.reportAccepted.rawValue, "\(name)")
        }
        // A name with U+0000 is no text of the contract.
        var submission = Submission.new()
        submission.attachments = [
            Attachment(name: "a\0.jpg", bytes: 3, sha256: String(repeating: "0d", count: 32))
        ]
        try source.submit(submission)
        #expect(try source.receive().problem == "control_character")

        let before = Set(try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.contains("attack") })
        // Half of the handoffs each.
        for program in ["unit.sh", "unit.py"] {
            let arguments =
                program == "unit.py" ? ["--state", folder.path("unit.db"), "--run"] : [folder.path("unit")]
            let half = program == "unit.sh" ? names.count / 2 : names.count
            let unit = try ForeignProgram(program, arguments, as: "unit.c01", of: office)
            try office.waitUntil("SELECT count(*) >= \(half) FROM handoff WHERE state = 'closed'", within: 90)
            unit.terminate()
            _ = try unit.status()
        }
        #expect(!FileManager.default.fileExists(atPath: mark))
        let after = Set(try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.contains("attack") })
        #expect(after.subtracting(before).isEmpty)
        let made = try #require(FileManager.default.enumerator(atPath: folder.url.path)).compactMap { $0 as? String }
        #expect(made.count > 10)
        for path in made {
            #expect(path.wholeMatch(of: /[A-Za-z0-9_.\/-]+/) != nil, "a file is called after what was sent: \(path)")
        }
        try office.close()
    }
}
