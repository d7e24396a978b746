import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite("The size of a report when it is forwarded")
struct ForwardingSizeTests {
    static let texts = [
        "反映张三虚报冒领。", "", "\"\\/\u{7F}\u{85}\u{2028}😀e\u{301}",
        String(decoding: (1...0x1F).map { UInt8($0) }, as: UTF8.self),
        String(repeating: "\"", count: 10_000), String(repeating: "\n", count: 10_000),
        String(repeating: "\u{1}", count: 10_000),
    ]

    @Test("the message never has more bytes than was estimated at submission, and not many fewer", arguments: texts)
    func boundsForwardedSize(text: String) {
        for count in [0, 50] {
            var content = Submission(matterKind: "accusation", title: text, text: text, region: "p-c01")
            content.accused = Array(
                repeating: Accused(
                    name: text, organ: text, position: text, level: "township", region: "p",
                    unit: UnitID(unchecked: "c01")), count: count)
            content.allegations = Array(repeating: Allegation(category: "corruption", act: text), count: count)
            content.attachments = Array(
                repeating: Attachment(
                    name: text, mediaType: text, bytes: Limits.standard.attachmentBytesMax,
                    sha256: String(repeating: "a", count: 64)), count: count)
            let longest = String(repeating: "k", count: 40)
            let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_123_456)
            let body = Wire.encode(
                CloudEvent(
                    id: UUID().uuidString, source: .office(.routing), type: .handoffDispatched,
                    subject: UUID().uuidString, time: moment,
                    data: HandoffDispatched(
                        number: "2026-00000001", kind: longest, matterKind: longest, title: content.title,
                        text: content.text, region: content.region, accused: content.accused,
                        allegations: content.allegations, attachments: content.attachments, signBy: moment,
                        resultOwed: true, rule: "\(longest)@\(Int.max)/\(longest)")))
            let said = ForwardingSize.bytesMax(of: content)
            #expect(body.count <= said && said < body.count + 2_048 + 150 * 128)
        }
    }

    @Test("a report that fits exactly is forwarded, and one byte more is refused with the remedy")
    func forwardsReportThatJustFits() throws {
        var content = Submission(title: "", text: "")
        let room = Limits.standard.messageBytesMax - ForwardingSize.bytesMax(of: content)
        content.text = String(repeating: "x", count: room)
        #expect(ForwardingSize.problem(with: content) == nil)
        content.text += "x"
        let problem = try #require(ForwardingSize.problem(with: content))
        #expect(problem.code == "too_large" && problem.text.contains("attachments"))
    }
}

@Suite(
    "The limit of a message", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SizeTests {
    @Test("a report too large to be forwarded is refused at submission, and one that just fits is forwarded")
    func refusesAtSubmission() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city, superior) = (try office.source(), try office.unit("c01"), try office.unit("superior"))
        func answer(_ text: String, level: String = "township", reporter: String? = nil) throws -> ReceivedMessage {
            var submission = Submission.new(level: level, reporters: reporter.map { [Reporter(name: $0)] } ?? [])
            submission.text = text
            try source.submit(submission)
            return try source.receive()
        }
        // A name of two characters becomes five where it is masked.
        let masked = try answer(String(repeating: "王五", count: 33_333), reporter: "王五")
        #expect(masked.problem == "too_large" && masked.problemText?.contains("attachments") == true)
        // Sealed whole, in Base64, a third is added.
        let sealed = try answer(String(repeating: "x", count: 200_000), level: "central")
        #expect(sealed.problem == "too_large" && sealed.problemText?.contains("superior") == true)
        #expect(try office.count("SELECT count(*) FROM report") == 0)

        #expect(try answer(String(repeating: "王五", count: 33_333)).problem == nil)
        #expect(try city.next(city.inbox).body.count <= Limits.standard.messageBytesMax)
        #expect(try answer(String(repeating: "x", count: 190_000), level: "central").problem == nil)
        #expect(try superior.next(superior.express).body.count <= Limits.standard.messageBytesMax)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a message over the limit is the office's fault: it is never sent, and its cause is kept")
    func oversizeMessageIsOfficesFault() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        try source.submit(.new())
        _ = try source.receive()
        try office.settle()
        try office.change("UPDATE report_text SET body = repeat('x', 300000)")
        try office.start(.routing)
        try office.wait(
            for: ["cannot_be_handled"], "SELECT reason FROM dead_letter WHERE detail LIKE '%more than a message may%'")
        #expect(try office.texts("SELECT state FROM report") == ["registered"])
        #expect(try office.count("SELECT count(*) FROM handoff") == 0)
        #expect(try office.count("SELECT count(*) FROM outbox") == 0)
        try office.close()
    }
}
