import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "What a database dump reveals",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct DumpTests {
    @Test("no digest in any column is found by trying names, with every byte string of the dump as key or salt")
    func digestsRevealNoNames() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let submitted = try SubmittedData.submit(office, name: Guess.names[617])
        let dump = try Dump(office)
        #expect(dump.keys.count > 30, "keys of the dump to try")

        // Without a key: each of the thousand names.
        for name in Guess.names {
            #expect(Guess(name, submitted).plain.filter { dump.holds($0.value) }.map(\.how) == [], "\(name)")
        }
        // With keys only the right name need be tried: no other could match.
        let guess = Guess(Guess.names[617], submitted)
        #expect(Set(dump.keys.flatMap { guess.keyed($0) }.filter { dump.holds($0.value) }.map(\.how)) == [])

        // The same with the office's own key: every kind of digest is there to be found.
        let found = Set(guess.keyed(office.digestKeyBytes).filter { dump.holds($0.value) }.map(\.how))
        #expect(
            found == [
                "digest of report", "digest of refused", "digest of unreadable", "repeat: text", "repeat: reporter",
                "paper",
                "part", "commitment to report", "commitment to paper", "commitment to signature",
            ])
        // And a digest without a key would be seen.
        try office.change(
            "INSERT INTO attempt (digest, count, noted_at) "
                + "VALUES (sha256('\\x\(submitted.report.hexadecimal)'), 1, now())"
        )
        let leaking = try Dump(office)
        #expect(guess.plain.filter { leaking.holds($0.value) }.map(\.how) == ["SHA-256 of report"])
        try office.close()
    }

    @Test("with a new vault key repeats and resent submissions are recognised, and papers can be sent")
    func recognisesRepeatsUnderNewVaultKey() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let paper = Array("一页账".utf8)
        let sha256 = Array(SHA256.hash(data: paper)).hexadecimal
        var said = Submission.new(reporters: [Reporter(name: "孙诉", phone: "13711112222")])
        said.attachments = [Attachment(name: "账.txt", bytes: paper.count, sha256: sha256)]
        try office.start(.intake)
        let first = source.prepare(.reportSubmitted, id: "first", subject: "first", said)
        try source.publish(first)
        let accepted = try source.receive()
        try office.stopLanes()

        // As the page instructs for an intended exchange.
        try office.change("DELETE FROM secret_check WHERE name = 'vault'")
        let other = Vault(recipient: VaultKey(Curve25519.KeyAgreement.PrivateKey()).recipient)
        try office.start(.intake) { $0.vault = other }
        try source.submit(said, id: "again")
        #expect(try source.receive().data["state"] as? String == "linked_as_repeat")
        try source.publish(first)
        let same = try source.receive()
        #expect(same.number == accepted.number && same.id == accepted.id)
        try source.send(.attachmentPart, subject: "first", AttachmentPart(sha256: sha256, part: 1, content: paper))
        try source.send(.attachmentPart, subject: "first", AttachmentPart(sha256: sha256, count: 1))
        #expect(try source.receive().data["papersPending"] == nil)
        // The unit gets the digest that was announced.
        let city = try office.unit("c01")
        try office.start(.routing) { $0.vault = other }
        let handoff = try ReceivedMessage(try city.next(city.inbox))
        #expect((handoff.data["attachments"] as? [[String: Any]])?.first?["sha256"] as? String == sha256)
        try office.close()
    }
}

/// A secret that is not the database's own.
@Suite(
    "Secrets that were mixed up",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct WrongSecretTests {
    @Test(
        "a worker with another secret than the database's takes no message, and logs the remedy",
        arguments: [SecretName.vault, .digest, .box(.attachments), .box(.deadLetters)])
    func takesNoMessageUnderWrongSecret(name: SecretName) throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        try office.start(.intake)
        try source.submit(.new())
        _ = try source.receive()
        try office.stopLanes()
        let other = Array(repeating: UInt8(7), count: 32)
        try office.start(.intake) {
            switch name {
            case .vault: $0.vault = Vault(recipient: VaultKey(Curve25519.KeyAgreement.PrivateKey()).recipient)
            case .digest: $0.digestKey = try DigestKey(keyBytes: other)
            case .box(let kind): $0.boxes = try BoxKeys(office.boxKeys.merging([kind: other]) { $1 })
            }
        }
        let id = try source.submit(.new())
        let (file, remedy) =
            switch name {
            case .vault: ("vault.publicKey", "restore it in bihuan.yaml")
            case .digest: ("digest.key", "restore the key from its backup")
            case .box(let kind): ("\(kind.rawValue).key", "restore the key from its backup")
            }
        try office.log.wait(for: "\(file) is not the key that this database was written with")
        #expect(office.log.lines.contains { $0.contains(remedy) })
        #expect(try office.count("SELECT count(*) FROM report") == 1)
        try office.stopLanes()
        try office.start(.intake)
        #expect(try source.receive().inReplyTo == id)
        try office.close()
    }
}

/// The bytes that a reporter submitted; a guesser of names knows all of them but the name.
private struct SubmittedData {
    let report: [UInt8]
    let refused: [UInt8]
    let unreadable: [UInt8]
    let secondBody: [UInt8]
    let paper: [UInt8]
    let submission: Submission
    /// The report as the office names it.
    let reportID: ReportID
    let signature: String

    static let id = "dump-1"

    static func paper(_ name: String) -> [UInt8] { Array("收条：今收到\(name)现金五千元。".utf8) }

    static func submission(_ name: String, text: String = "") -> Submission {
        var submission = Sample.accusation(
            "我叫\(name)，反映甲市某镇副镇长张三贪污公款。\(text)", reporters: [Reporter(name: name, phone: "13711112222")])
        submission.attachments = [
            Attachment(name: "\(name)的收条.txt", bytes: paper(name).count, sha256: sha256(paper(name)).hexadecimal)
        ]
        return submission
    }

    static func body(_ name: String, id: String = id, text: String = "", kind: String = "accusation") -> [UInt8] {
        var submission = submission(name, text: text)
        submission.matterKind = kind
        return Wire.encode(
            CloudEvent(
                id: id, source: .source(SourceID(unchecked: "letter")), type: .reportSubmitted, subject: id,
                time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: submission))
    }

    static func unreadable(_ name: String) -> [UInt8] { Array("\(name)：这不是JSON".utf8) }

    /// A report with a paper, the same again, another body under its id, one that is refused, one that cannot be read,
    /// an attempt that was noted; the handoff is signed.
    static func submit(_ office: OfficeUnderTest, name: String) throws -> SubmittedData {
        let (source, city) = (try office.source(), try office.unit("c01"))
        func publish(_ body: [UInt8]) throws -> ReceivedMessage {
            let key = MessageType.reportSubmitted.routingKey(from: source.party)
            let properties = Properties(
                contentType: MediaType.cloudEvents, messageID: UUID().uuidString, userID: source.party.description)
            try source.publish(body, to: Topology.Exchange.intake, key: key, properties: properties)
            return try source.receive()
        }
        #expect(try publish(body(name)).type == MessageType.reportAccepted.rawValue)
        #expect(try publish(body(name, id: "dump-2")).data["state"] as? String == "linked_as_repeat")
        #expect(try publish(body(name, text: "补充")).problem == "id_reused")
        #expect(try publish(body(name, id: "dump-3", kind: "unheard-of")).type == MessageType.reportRejected.rawValue)
        #expect(try publish(unreadable(name)).problem == "not_json")
        let paper = paper(name)
        let digest = sha256(paper).hexadecimal
        try source.send(.attachmentPart, subject: id, AttachmentPart(sha256: digest, part: 1, content: paper))
        try source.send(.attachmentPart, subject: id, AttachmentPart(sha256: digest, count: 1))
        #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
        let arrived = try city.receiveHandoff()
        let signature = try city.send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        try office.waitForState("signed", of: arrived)
        // What was sent is confirmed: nothing waits any more.
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        let database = try office.database()
        defer { database.close() }
        let arrival = Arrival(
            body: body(name), routingKey: "", userID: source.party.description, type: nil, messageID: nil)
        let inbound = InboundMessage(arrival, from: "source.letter.submit", digestKey: office.digestKey)
        _ = try database.run(NoteAttempt(digest: inbound.digest, at: .wall()))
        let report = try #require(
            try office.texts("SELECT id::text FROM report WHERE source_id = '\(id)'").first.flatMap { ReportID($0) })
        return SubmittedData(
            report: body(name), refused: body(name, id: "dump-3", kind: "unheard-of"), unreadable: unreadable(name),
            secondBody: body(name, text: "补充"), paper: paper, submission: submission(name), reportID: report,
            signature: signature)
    }
}

private func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

/// Everything in all columns of all tables: byte strings, also those written as text.
private struct Dump {
    /// The first six bytes of each: enough that chance finds none.
    private let heads: Set<ArraySlice<UInt8>>
    /// Of a length that a key or a salt may have.
    let keys: Set<[UInt8]>

    init(_ office: OfficeUnderTest) throws {
        let columns = try office.texts(
            """
            SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns
            WHERE table_schema = 'public' AND data_type <> 'USER-DEFINED' ORDER BY 1
            """)
        var strings: Set<[UInt8]> = []
        for column in columns {
            let words = column.split(separator: " ", maxSplits: 2)
            let value =
                words[2] == "bytea"
                ? "encode(\(words[1]), 'hex')" : "encode(convert_to(\(words[1])::text, 'UTF8'), 'hex')"
            for text in try office.texts("SELECT DISTINCT \(value) FROM \(words[0]) WHERE \(words[1]) IS NOT NULL") {
                guard let bytes = [UInt8](hexadecimal: text) else { continue }
                strings.insert(bytes)
                strings.formUnion(Dump.digits(in: bytes))
            }
        }
        // A column may hold two digests side by side.
        heads = Set(
            strings.flatMap { bytes in stride(from: 0, to: bytes.count - 5, by: 16).map { bytes[$0..<($0 + 6)] } })
        keys = strings.filter { (16...64).contains($0.count) }
    }

    func holds(_ digest: [UInt8]) -> Bool { heads.contains(digest.prefix(6)) }

    /// Runs of hexadecimal digits, the hyphens of a UUID passed over.
    private static func digits(in bytes: [UInt8]) -> [[UInt8]] {
        String(decoding: bytes, as: UTF8.self).split { !$0.isASCII || !($0.isHexDigit || $0 == "-") }
            .compactMap { [UInt8](hexadecimal: $0.filter { $0 != "-" }.lowercased()) }.filter { $0.count >= 16 }
    }
}

/// The bytes that a report by this person would have.
private struct Guess {
    static let names: [String] = {
        let families = Array("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"), given = ["不平", "建国", "秀英", "诉", "明", "正义", "红", "强", "伟", "芳"]
        return families.flatMap { family in given.flatMap { first in "文武双全才".map { "\(family)\(first)\($0)" } } }
    }()

    typealias Digest = (how: String, value: [UInt8])
    private let bodies: [(name: String, bytes: [UInt8])]
    private let paper: [UInt8]
    private let submission: Submission
    private let submitted: SubmittedData

    init(_ name: String, _ submitted: SubmittedData) {
        bodies = [
            ("report", SubmittedData.body(name)),
            ("refused", SubmittedData.body(name, id: "dump-3", kind: "unheard-of")),
            ("unreadable", SubmittedData.unreadable(name)),
            ("second body", SubmittedData.body(name, text: "补充")), ("paper", SubmittedData.paper(name)),
        ]
        paper = SubmittedData.paper(name)
        submission = SubmittedData.submission(name)
        self.submitted = submitted
    }

    /// All that needs no key.
    var plain: [Digest] {
        bodies.flatMap { name, body -> [Digest] in
            let digest = sha256(body)
            // Answers whose id depends on the body: to a message without id, and to a second body.
            let answers = [
                ("sha256:" + digest.hexadecimal, ""), ("sha256:" + digest.hexadecimal, "dead"),
                (SubmittedData.id, digest.hexadecimal),
            ]
            return [("SHA-256 of \(name)", digest), ("SHA-256 twice of \(name)", sha256(digest))]
                + answers.map { id, variant in
                    let answer = UnitOfWork.replyID(
                        to: InboxKey(sender: "source.letter", eventID: id), variant: variant)
                    return ("answer to \(name)", withUnsafeBytes(of: answer.uuid) { Array($0) })
                }
        }
    }

    /// With these bytes as a key, a salt, or the key from which the office derives its keys.
    func keyed(_ key: [UInt8]) -> [Digest] {
        let hmac = SymmetricKey(data: key)
        var digests: [Digest] = bodies.flatMap { name, body -> [Digest] in
            let digest = sha256(body)
            return [
                ("HMAC of \(name)", Array(HMAC<SHA256>.authenticationCode(for: body, using: hmac))),
                ("HMAC of digest of \(name)", Array(HMAC<SHA256>.authenticationCode(for: digest, using: hmac))),
                ("salt before \(name)", sha256(key + body)), ("salt after \(name)", sha256(body + key)),
                ("salt before digest of \(name)", sha256(key + digest)),
                ("salt after digest of \(name)", sha256(digest + key)),
            ]
        }
        let repeats = RepeatKeys(submission: submission, secret: key)
        digests += [
            ("repeat: text under key", repeats.textDigest), ("repeat: reporter under key", repeats.reporterKey ?? []),
        ]
        if let office = try? DigestKey(keyBytes: key) { digests += own(office) }
        return digests
    }

    /// As the office does it.
    private func own(_ key: DigestKey) -> [Digest] {
        let report = submitted.reportID
        let (source, unit) = (key.salt(of: report, for: "source.letter"), key.salt(of: report, for: "unit.c01"))
        let repeats = RepeatKeys(submission: submission, secret: key.repeatSecret)
        let paper = key.attachment(sha256(paper), of: report)
        return bodies.filter { $0.name != "paper" }.flatMap { name, body in
            [("digest of \(name)", key.digest(sha256(body), for: .acts))]
        } + [
            ("repeat: text", repeats.textDigest), ("repeat: reporter", repeats.reporterKey ?? []), ("paper", paper),
            ("part", key.part(sha256(self.paper), of: paper, number: 1)),
            (
                "commitment to report",
                [UInt8](hexadecimal: Commitment.make(sha256(bodies[0].bytes), salt: source)) ?? []
            ),
            ("commitment to paper", [UInt8](hexadecimal: Commitment.make(sha256(self.paper), salt: source)) ?? []),
            ("commitment to signature", [UInt8](hexadecimal: Commitment.act(submitted.signature, salt: unit)) ?? []),
        ]
    }
}
