import AMQP
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

/// Everything that is known to be sent wrongly, through the real broker: each ends as a refusal with a reason for a
/// person, as a dead letter that was answered, as a harmless repeat, or as the broker's own refusal; and the lanes go
/// on.
@Suite(
    "The catalogue of bad input",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BadInputCatalogueTests {
    enum End {
        /// Refused to its sender, with this code.
        case refused(String)
        /// Kept as a dead letter with this reason, and answered.
        case dead(String)
        /// Nothing is wrong with it, odd as it looks.
        case accepted
    }

    private static func event(
        id: String, type: String = MessageType.reportSubmitted.rawValue, source: String = "source.letter",
        subject: String? = nil, time: String = "2026-03-02T08:00:00Z", data: String
    ) -> String {
        #"""
        {"specversion":"1.0","id":"\#(id)","source":"\#(source)","type":"\#(type)","subject":"\#(subject ?? id)",\#
        "time":"\#(time)","data":\#(data)}
        """#
    }

    private static func report(_ id: String, text: String = "反映某镇副镇长贪污公款。", more: String = "") -> String {
        event(id: id, data: #"{"text":"\#(text)"\#(more)}"#)
    }

    static let reports: [(what: String, body: @Sendable (String) -> String, end: End)] = [
        ("not JSON", { "report \($0)" }, .dead("not_json")),
        ("JSON but not CloudEvents", { #"{"report":"\#($0)"}"# }, .dead("not_cloudevents")),
        ("an unknown type", { event(id: $0, type: "bihuan.report.sung.v1", data: "{}") }, .refused("unknown_type")),
        (
            "an unknown version", { event(id: $0, type: "bihuan.report.submitted.v7", data: "{}") },
            .refused("unknown_version")
        ),
        (
            "a type not handled yet", { event(id: $0, type: "bihuan.statement.replied.v1", data: "{}") },
            .refused("not_handled_yet")
        ),
        ("a missing field", { event(id: $0, data: #"{"title":"无正文"}"#) }, .refused("missing_field")),
        ("a mistyped field", { event(id: $0, data: #"{"text":7}"#) }, .refused("mistyped_field")),
        ("a list where an object belongs", { report($0, more: #","accused":[[]]"#) }, .refused("mistyped_field")),
        (
            "a day that does not exist", { report($0, more: #","receivedAt":"2026-02-30T08:00:00Z""#) },
            .refused("bad_value")
        ),
        (
            "an hour that does not exist", { report($0, more: #","receivedAt":"2026-02-27T25:00:00Z""#) },
            .refused("bad_value")
        ),
        (
            "a time of the message that does not exist",
            { event(id: $0, time: "2026-13-01T00:00:00Z", data: #"{"text":"x"}"#) }, .refused("bad_value")
        ),
        ("U+0000 in the text", { report($0, text: #"甲\u0000乙"#) }, .dead("control_character")),
        ("a lone high surrogate", { report($0, text: #"甲\ud800乙"#) }, .refused("not_json")),
        ("a lone low surrogate", { report($0, text: #"甲\udfff"#) }, .refused("not_json")),
        ("a bare control character", { report($0, text: "甲\u{7}乙") }, .refused("not_json")),
        ("a comma before the end", { event(id: $0, data: #"{"text":"x",}"#) }, .refused("not_json")),
        ("an escape that JSON has not, where nobody looks", { report($0, more: #","x":"\q""#) }, .refused("not_json")),
        ("half a surrogate pair where nobody looks", { report($0, more: #","x":"\ud800""#) }, .refused("not_json")),
        ("a sum for a number", { report($0, more: #","x":1-2"#) }, .refused("not_json")),
        ("a number that begins with 0", { report($0, more: #","x":01"#) }, .refused("not_json")),
        ("a field twice", { report($0, more: #","text":"y""#) }, .dead("repeated_name")),
        ("a field twice, once in escapes", { report($0, more: #","\u0074ext":"y""#) }, .dead("repeated_name")),
        ("escaped control characters", { report($0, text: #"甲\u0001\u0007\u001b[31m乙"#) }, .accepted),
        ("99,000 combining marks", { report($0, text: "e" + String(repeating: "\u{301}", count: 99_000)) }, .accepted),
        (
            "100,000 combining marks, over the limit of texts",
            { report($0, text: "e" + String(repeating: "\u{301}", count: 100_000)) }, .refused("too_large")
        ),
        (
            "depth 10,000",
            {
                report(
                    $0, more: #","x":"# + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000))
            }, .dead("too_deep")
        ),
        ("257 KiB", { report($0, text: String(repeating: "x", count: 257 * 1024)) }, .dead("too_large")),
        (
            "a word that the policy does not know", { report($0, more: #","matterKind":"praise""#) },
            .refused("unknown_word")
        ),
        ("no text at all", { report($0, text: " ") }, .refused("missing_field")),
        (
            "another source in the body", { event(id: $0, source: "source.web", data: #"{"text":"x"}"#) },
            .refused("wrong_source")
        ),
        ("a unit in the body", { event(id: $0, source: "unit.c01", data: #"{"text":"x"}"#) }, .refused("wrong_source")),
        (
            "an act of units", { event(id: $0, type: "bihuan.handoff.signed.v1", data: #"{"digest":"x"}"#) },
            .refused("wrong_routing_key")
        ),
        (
            "a subject that is not its id", { event(id: $0, subject: "another", data: #"{"text":"x"}"#) },
            .refused("bad_value")
        ),
        ("an unknown field", { report($0, more: #","colour":{"hue":[1,2]}"#) }, .accepted),
    ]

    @Test("each wrong report is refused with a reason for a person, and the next right one is registered")
    func answersEachWrongReport() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        let key = MessageType.reportSubmitted.routingKey(from: source.party)
        for (what, body, end) in Self.reports {
            let id = UUID().uuidString
            let dead = try office.count("SELECT count(*) FROM dead_letter")
            let began = ContinuousClock.now
            try source.publish(
                Array(body(id).utf8), to: source.exchange, key: key, properties: source.properties(.reportSubmitted, id)
            )
            let answer = try source.receive()
            #expect(ContinuousClock.now - began < .seconds(10), "\(what) took long")
            let kept = try office.count("SELECT count(*) FROM dead_letter") - dead
            switch end {
            case .accepted:
                #expect(
                    answer.type == MessageType.reportAccepted.rawValue && kept == 0, "\(what): \(answer.problem ?? "")")
            case .refused(let code):
                #expect(answer.problem == code && kept == 0, "\(what): \(answer.problem ?? answer.type)")
            case .dead(let code):
                #expect(answer.problem == code && kept == 1, "\(what): \(answer.problem ?? answer.type)")
            }
            if answer.problem != nil {
                #expect((answer.problemText?.count ?? 0) > 10, "\(what) is refused without a word")
            }
        }
        #expect(try office.count("SELECT count(*) FROM dead_letter WHERE NOT answered") == 0)
        let id = try source.submit(.new())
        #expect(try source.receive().inReplyTo == id)
        #expect(try office.count("SELECT count(*) FROM attempt") == 0, "nothing came back to a worker")
        try office.close()
    }

    @Test("the broker refuses another's user-id; a message without one, or with another's key, is kept or refused")
    func provesSendersIdentity() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let act = source.prepare(.reportSubmitted, subject: UUID().uuidString, Submission.new())

        var forged = source.properties(.reportSubmitted, act.subject)
        forged.userID = "source.web"
        let forger = try AMQP.Connection(
            try office.servers.broker(user: "source.letter", virtualHost: office.virtualHost))
        #expect {
            let publisher = try Publisher(on: forger)
            _ = try publisher.publish(
                act.body, to: ExchangeName(rawValue: source.exchange), key: RoutingKey(rawValue: act.key),
                properties: forged, token: 1, deadline: 5)
            _ = try publisher.settle(within: 5)
        } throws: {
            ($0 as? AMQPError)?.replyCode == 406
        }
        forger.close()

        var nameless = source.properties(.reportSubmitted, act.subject)
        nameless.userID = nil
        try source.publish(act.body, to: source.exchange, key: act.key, properties: nameless)
        #expect(try source.receive().problem == "no_user_id")

        let other = city.prepare(.handoffProgress, subject: UUID().uuidString, HandoffProgress(text: "进展"))
        try city.publish(
            other.body, to: city.exchange, key: "unit.c01.handoff.concluded",
            properties: city.properties(.handoffProgress, other.subject))
        #expect(try city.receive().problem == "wrong_routing_key")
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        try office.close()
    }

    @Test("every wrong act of a unit on a handoff is refused, deferred, or a harmless repeat")
    func handlesEveryWrongAct() throws {
        let office = try OfficeUnderTest()
        for worker in Worker.allCases where worker != .feedback { try office.start(worker) }
        try office.start(.feedback, earlyMessageHoldSeconds: 2)
        let (source, city, d1) = (try office.source(), try office.unit("c01"), try office.unit("d1"))
        let (first, second) = (try office.handOff(from: source, to: city), try office.handOff(from: source, to: city))
        try expectWrongSignaturesRefused(first, digestOf: second, by: city, other: d1)
        // Without a signature it waits for one, and is refused in the end.
        #expect(
            try problem(
                .handoffConcluded, second.handoff, HandoffConcluded(outcome: "substantiated", summary: "查实"), by: city)
                == "never_signed")

        let signature = city.prepare(
            .handoffSigned, subject: first.handoff, HandoffSigned(digest: first.digest.uppercased()))
        for _ in 1...3 { try city.publish(signature) }
        try office.waitForState("signed", of: first)
        #expect(
            try problem(.handoffSigned, first.handoff, HandoffSigned(digest: first.digest), by: city)
                == "already_signed")
        #expect(
            try problem(.handoffProgress, first.handoff, HandoffProgress(text: "另一件事"), by: city, id: signature.id)
                == "id_reused"
        )
        #expect(
            try problem(.dispositionDecided, first.handoff, DispositionDecided(disposition: "forgiven"), by: city)
                == "unknown_word")
        #expect(
            try problem(.handoffReturned, first.handoff, HandoffReturned(reason: "tired"), by: city) == "unknown_word")
        // Another unit may use the same id.
        #expect(
            try problem(.handoffProgress, first.handoff, HandoffProgress(text: "进展"), by: d1, id: signature.id)
                == "unknown_handoff")
        try expectImpossibleFormsRefused(first, by: city)
        #expect(try office.handoffState(first) == "signed")
        #expect(
            try office.count("SELECT count(*) FROM handoff WHERE id = '\(first.handoff)' AND signed_by = 'unit.c01'")
                == 1)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    /// Sends an act and returns the code of its refusal.
    private func problem<Payload: Codable & Sendable>(
        _ type: MessageType, _ subject: String, _ data: Payload, by unit: PartyClient, id: String = UUID().uuidString
    ) throws -> String? {
        try unit.send(type, id: id, subject: subject, data)
        let answer = try unit.receive()
        #expect(answer.inReplyTo == id && answer.subject == subject)
        return answer.problem
    }

    private func expectWrongSignaturesRefused(
        _ first: Arrived, digestOf second: Arrived, by city: PartyClient, other d1: PartyClient
    ) throws {
        #expect(
            try problem(.handoffSigned, first.handoff, HandoffSigned(digest: first.digest), by: d1) == "unknown_handoff"
        )
        #expect(
            try problem(.handoffSigned, UUID().uuidString.lowercased(), HandoffSigned(digest: first.digest), by: city)
                == "unknown_handoff")
        #expect(
            try problem(.handoffSigned, "never-was", HandoffSigned(digest: first.digest), by: city) == "unknown_handoff"
        )
        for digest in [second.digest, "", "no digest", String(repeating: "0", count: 64)] {
            #expect(
                try problem(.handoffSigned, first.handoff, HandoffSigned(digest: digest), by: city) == "wrong_digest")
        }
    }

    private func expectImpossibleFormsRefused(_ first: Arrived, by city: PartyClient) throws {
        // A day that never existed, and a type not handled yet, as other systems would write them.
        for (type, data, code) in [
            ("bihuan.case.filed.v1", #"{"caseNumber":"甲〔1〕","filedOn":"2026-02-30"}"#, "bad_value"),
            ("bihuan.extension.requested.v1", "{}", "not_handled_yet"),
        ] {
            let id = UUID().uuidString
            let body = Self.event(id: id, type: type, source: "unit.c01", subject: first.handoff, data: data)
            let key = "unit.c01." + type.dropFirst("bihuan.".count).dropLast(".v1".count)
            try city.publish(
                Array(body.utf8), to: city.exchange, key: key, properties: city.properties(.caseFiled, first.handoff))
            #expect(try city.receive().problem == code)
        }
    }

    @Test("a resend after the inbox was pruned changes nothing, and gets the verdict that is still known")
    func keepsVerdictOfPrunedAct() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let id = UUID().uuidString
        let report = source.prepare(.reportSubmitted, id: id, subject: id, Submission.new())
        try source.publish(report)
        let receipt = try source.receive()
        let arrived = try city.receiveHandoff()
        let signature = city.prepare(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
        try city.publish(signature)
        try office.waitForState("signed", of: arrived)
        try office.settle()
        try office.change("DELETE FROM inbox")
        let digests = try office.tableDigests()
        try source.publish(report)
        let again = try source.receive()
        #expect(again.delivery.body == receipt.delivery.body)
        try city.publish(signature)
        #expect(try city.receive().problem == "already_signed")
        #expect(try office.inbox(signature.id, from: city.party) == "refused")
        var altered = Submission.new()
        altered.title = "另一份"
        try source.submit(altered, id: id)
        #expect(try source.receive().problem == "id_reused")
        #expect(try office.tableDigests() == digests)
        try office.close()
    }
}
