import AMQP
import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

/// The default forms of SDKs for CloudEvents, and reports with impossible content: through the
/// real broker.
@Suite(
    "Forms that other senders use",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ForeignFormTests {
    private static let type = MessageType.reportSubmitted.rawValue

    private static func binaryHeaders(_ prefix: String, _ id: String) -> FieldTable {
        [
            "specversion": "1.0", "id": id, "source": "source.letter", "type": type, "subject": id,
            "time": "2026-03-02T08:00:00Z",
        ].reduce(into: FieldTable()) { $0[prefix + $1.key] = .string($1.value) }
    }

    @Test(
        "an SDK's binary mode is answered in one sentence, in reply to its header's id, which stays unused",
        arguments: ["ce-", "cloudEvents:", "cloudEvents_", "CE-"])
    func explainsBinaryMode(_ prefix: String) throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        let id = "binary-\(UUID().uuidString)"
        var properties = Properties(contentType: "application/json", userID: source.party.description)
        properties.headers = Self.binaryHeaders(prefix, id)
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        for _ in 1...2 {
            try source.publish(
                Array(#"{"id":"other","text":"反映某镇副镇长。"}"#.utf8), to: source.exchange, key: key, properties: properties)
            let answer = try source.receive()
            #expect(answer.type == MessageType.reportRejected.rawValue && answer.problem == "binary_mode")
            #expect(answer.inReplyTo == id && answer.subject == id)
            #expect(answer.problemText?.contains("structured mode") == true)
        }
        try source.submit(.new(), id: id)
        #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("equal data in two binary-mode messages, and a batch sent twice, are each answered by their own id")
    func answersEachMessageOfForeignForm() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        for id in ["twin-\(UUID().uuidString)", "twin-\(UUID().uuidString)"] {
            var properties = Properties(
                contentType: "application/json", messageID: UUID().uuidString, userID: source.party.description)
            properties.headers = Self.binaryHeaders("ce-", id).mapValues { .bytes(Array(($0.stringValue ?? "").utf8)) }
            try source.publish(
                Array(#"{"text":"反映某镇副镇长。"}"#.utf8), to: source.exchange, key: key, properties: properties)
            let answer = try source.receive()
            #expect(answer.problem == "binary_mode" && answer.inReplyTo == id)
        }
        for messageID in [UUID().uuidString, UUID().uuidString] {
            let properties = Properties(
                contentType: "application/json", messageID: messageID, userID: source.party.description)
            try source.publish(Array(" [{}]".utf8), to: source.exchange, key: key, properties: properties)
            let answer = try source.receive()
            #expect(answer.problem == "batch" && answer.inReplyTo == messageID)
        }
        try office.close()
    }

    @Test("a compressed body, or one in another CloudEvents format, is refused with the form to use")
    func explainsCompressionAndOtherFormats() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        let forms: [(body: [UInt8], contentType: String, encoding: String?, code: String, words: String)] = [
            ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0], MediaType.cloudEvents, nil, "not_utf8", "without content-encoding"),
            ([0x78, 0x9C, 1, 2], MediaType.cloudEvents, "deflate", "not_utf8", "without content-encoding"),
            (Array("<event/>".utf8), "application/cloudevents+xml; charset=utf-8", nil, "not_json", "send it as JSON"),
            ([0xFF, 1, 2], "application/cloudevents+avro", nil, "not_json", "send it as JSON"),
        ]
        for form in forms {
            var properties = Properties(
                contentType: form.contentType, messageID: UUID().uuidString, userID: source.party.description)
            properties.contentEncoding = form.encoding
            try source.publish(form.body, to: source.exchange, key: key, properties: properties)
            let answer = try source.receive()
            #expect(answer.problem == form.code && answer.inReplyTo == properties.messageID, "\(form.contentType)")
            #expect(answer.problemText?.contains(form.words) == true, "\(answer.problemText ?? "")")
        }
        try office.close()
    }

    @Test("a batch, data in Base64, and mail-style times are each refused with what to change")
    func explainsOtherForms() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        func event(_ id: String, time: String = "2026-03-02T08:00:00Z", _ data: String) -> String {
            #"""
            {"specversion":"1.0","id":"\#(id)","source":"source.letter","type":"\#(Self.type)",\#
            "subject":"\#(id)","time":"\#(time)",\#(data)}
            """#
        }
        let plain = #""data":{"text":"反映某镇副镇长。"}"#
        let forms: [(body: String, contentType: String, code: String, words: String)] = [
            (
                "[\(event("b-1", plain)),\(event("b-2", plain))]", "application/cloudevents-batch+json", "batch",
                "each as a message of its own"
            ),
            (" [\n{}]", "application/json", "batch", "each as a message of its own"),
            ("[]", "application/cloudevents-batch+json; charset=UTF-8", "batch", "each as a message of its own"),
            (
                event("b-3", #""data_base64":"eyJ0ZXh0IjoieCJ9""#), MediaType.cloudEvents, "data_base64",
                "in the field data"
            ),
            (
                event("b-4", plain + #","data_base64":"eyJ0ZXh0IjoieCJ9""#), MediaType.cloudEvents, "data_base64",
                "leave data_base64 out"
            ),
            (event("b-5", time: "2026-03-02T08:00Z", plain), MediaType.cloudEvents, "bad_value", "seconds are missing"),
            (
                event("b-6", time: "Mon, 02 Mar 2026 08:00:00 GMT", plain), MediaType.cloudEvents, "bad_value",
                "mail and HTTP"
            ),
            (
                event("b-7", time: "2026-03-02T08:00:00+0800", plain), MediaType.cloudEvents, "bad_value",
                "colon is missing"
            ),
            (event("b-8", time: "2026-03-02", plain), MediaType.cloudEvents, "bad_value", "the time is missing"),
            (event("b-9", time: "2026-02-30T08:00:00Z", plain), MediaType.cloudEvents, "bad_value", "no such day"),
        ]
        for form in forms {
            let properties = Properties(
                contentType: form.contentType, messageID: UUID().uuidString, userID: source.party.description)
            try source.publish(Array(form.body.utf8), to: source.exchange, key: key, properties: properties)
            let answer = try source.receive()
            #expect(answer.problem == form.code, "\(form.body)")
            #expect(answer.problemText?.contains(form.words) == true, "\(answer.problemText ?? "")")
        }
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a receipt before 1900 or more than a day ahead is refused by name; one a day ahead is accepted")
    func refusesImpossibleReceiptTimes() throws {
        let office = try OfficeUnderTest()
        let start = try #require(Instant("2026-03-02T08:00:00Z"))
        let clock = BusinessClock(wallOrigin: Instant(Date()), businessOrigin: start, rate: 1)
        try office.start(.intake, clock: clock)
        let source = try office.source()
        for (moment, words) in [
            ("0001-01-01T00:00:00Z", "1900"), ("1900-01-01T00:00:00+08:05", "1900"),
            ("2026-03-03T08:30:00Z", "in the future"),
            ("2099-12-31T23:59:59+08:00", "in the future"), ("9999-12-31T23:59:59Z", "in the future"),
        ] {
            var submission = Submission.new()
            submission.receivedAt = Instant(moment)
            try source.submit(submission)
            let answer = try source.receive()
            #expect(
                answer.problem == "bad_value" && answer.problemText?.contains(words) == true,
                "\(moment): \(answer.problemText ?? "")")
            #expect((answer.data["problems"] as? [[String: Any]])?.first?["path"] as? String == "data.receivedAt")
        }
        for moment in [
            "1900-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-03T07:59:00Z", "2026-03-02T08:00:00-00:00",
        ] {
            var submission = Submission.new()
            submission.receivedAt = Instant(moment)
            try source.submit(submission)
            #expect(try source.receive().type == MessageType.reportAccepted.rawValue, "\(moment)")
        }
        try office.close()
    }

    @Test("an unknown word in a report is answered with the policy's words")
    func listsKnownWords() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        var submission = Submission.new()
        submission.matterKind = "acusation"
        submission.allegations = [Allegation(category: "corupt", act: "贪污")]
        try source.submit(submission)
        let problems = try #require(try source.receive().data["problems"] as? [[String: String]])
        #expect(problems.map { $0["path"] } == ["data.matterKind", "data.allegations[0].category"])
        #expect(problems[0]["text"]?.contains(#"did you mean "accusation"?; it knows "#) == true, "\(problems)")
        #expect(problems[1]["text"]?.contains("corruption") == true)
        try office.close()
    }

    @Test("a second conclusion or signature is refused as such, whatever it says and however closed the handoff is")
    func refusesSecondActs() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(from: source, to: city)
        try city.sign(arrived)
        try city.decide(arrived)
        try city.conclude(arrived)
        #expect(try city.receive().type == MessageType.conclusionAccepted.rawValue)
        try city.send(
            .handoffConcluded, subject: arrived.handoff, HandoffConcluded(outcome: "substantiated", summary: "再次办结"))
        #expect(try city.receive().problem == "already_concluded")
        try city.send(
            .handoffConcluded, subject: arrived.handoff, HandoffConcluded(outcome: "no-such-word", summary: "再次办结"))
        #expect(try city.receive().problem == "already_concluded")
        try city.send(
            .handoffSigned, subject: arrived.handoff, HandoffSigned(digest: String(repeating: "0", count: 64)))
        #expect(try city.receive().problem == "already_signed")
        try city.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "进展"))
        #expect(try city.receive().problem == "closed")
        try office.close()
    }
}
