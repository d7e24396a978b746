import Casework
import Contract
import Foundation
import Testing

@Suite("Reading messages")
struct DecodingTests {
    /// A body that is refused, and the answer to its sender.
    struct Refusal: CustomTestStringConvertible, Sendable {
        var name: String
        var body: [UInt8]
        var code: String
        var path: String?
        /// Words that the text must contain.
        var words: String

        init(_ name: String, _ body: [UInt8], _ code: String, _ path: String?, _ words: String) {
            (self.name, self.body, self.code, self.path, self.words) = (name, body, code, path, words)
        }

        init(_ name: String, _ body: String, _ code: String, _ path: String?, _ words: String) {
            self.init(name, Array(body.utf8), code, path, words)
        }

        /// Where the whole message is meant.
        init(_ name: String, _ body: [UInt8], _ code: String, _ words: String) {
            self.init(name, body, code, nil, words)
        }
        init(_ name: String, _ body: String, _ code: String, _ words: String) {
            self.init(name, Array(body.utf8), code, nil, words)
        }

        var testDescription: String { name }
    }

    static func report(
        id: String = #""a-1""#, subject: String = #""a-1""#, type: String = #""bihuan.report.submitted.v1""#,
        specversion: String = #""1.0""#, source: String = #""source.web""#, time: String = #""2026-03-02T08:00:00Z""#,
        data: String = #"{"text":"反映张三。"}"#
    ) -> String {
        #"""
        {"specversion":\#(specversion),"id":\#(id),"source":\#(source),"type":\#(type),"subject":\#(subject),\#
        "time":\#(time),"data":\#(data)}
        """#
    }

    static func nested(_ depth: Int) -> String {
        report(
            data: #"{"text":"x","new":"# + String(repeating: "[", count: depth - 2)
                + String(repeating: "]", count: depth - 2) + "}")
    }

    static let shapes: [Refusal] = [
        Refusal("an empty body", "", "not_json", "cannot be read as JSON"),
        Refusal("blanks", " \n\t", "not_json", "cannot be read as JSON"),
        Refusal("no JSON", "hello", "not_json", "cannot be read as JSON"),
        Refusal("XML", "<report/>", "not_json", "cannot be read as JSON"),
        Refusal("a list", "[]", "not_json", "not a JSON object"),
        Refusal("a text", #""x""#, "not_json", "not a JSON object"),
        Refusal("a number", "1", "not_json", "not a JSON object"),
        Refusal("null", "null", "not_json", "not a JSON object"),
        Refusal("a body cut short", String(report().dropLast()), "not_json", "cannot be read as JSON"),
        Refusal("something after the end", report() + "x", "not_json", "cannot be read as JSON"),
        Refusal("two objects", report() + report(), "not_json", "cannot be read as JSON"),
        Refusal("an open text", #"{"specversion":"1.0"#, "not_json", "cannot be read as JSON"),
        Refusal("a byte order mark", [0xEF, 0xBB, 0xBF] + Array(report().utf8), "not_utf8", "byte order mark"),
        Refusal("UTF-16", Array(report().utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }, "not_utf8", "UTF-8"),
        Refusal("Latin-1", Array(report(data: #"{"text":""#).utf8) + [0xE9] + Array(#""}}"#.utf8), "not_utf8", "UTF-8"),
        Refusal(
            "a surrogate as three bytes", Array(report().utf8.prefix(20)) + [0xED, 0xA0, 0x80], "not_utf8", "UTF-8"),
        Refusal("depth 33", nested(33), "too_deep", "more than 32 deep"),
        Refusal("10,000 deep", String(repeating: "[", count: 10_000), "too_deep", "more than 32 deep"),
        Refusal("10,000 objects deep", String(repeating: #"{"a":"#, count: 10_000), "too_deep", "more than 32 deep"),
        Refusal(
            "257 KiB", report(data: #"{"text":""# + String(repeating: "x", count: 257 * 1024) + #""}"#), "too_large",
            "the limit is 262144"),
        Refusal("U+0000 escaped", report(data: #"{"text":"a\u0000b"}"#), "control_character", "U+0000"),
        Refusal("U+0000 escaped in a name", report(data: #"{"text":"a","\u0000":1}"#), "control_character", "U+0000"),
        Refusal("U+0000 as it is", report(data: "{\"text\":\"a\u{0}b\"}"), "control_character", "U+0000"),
        Refusal("a newline as it is", report(data: "{\"text\":\"a\nb\"}"), "not_json", "cannot be read as JSON"),
        Refusal("a lone high surrogate", report(data: #"{"text":"a\ud800b"}"#), "not_json", "cannot be read as JSON"),
        Refusal("a lone low surrogate", report(data: #"{"text":"a\udc00b"}"#), "not_json", "cannot be read as JSON"),
        Refusal(
            "surrogates the wrong way round", report(data: #"{"text":"\udc00\ud800"}"#), "not_json",
            "half a surrogate pair"),
        Refusal("a high surrogate before another escape", unread(#""\ud800\n""#), "not_json", "half a surrogate pair"),
        Refusal(
            "half a surrogate pair in a name", report(data: #"{"text":"x","\ud800":1}"#), "not_json",
            "half a surrogate pair"),
        Refusal("a comma before the end", report(data: #"{"text":"x",}"#), "not_json", "cannot stand here"),
        Refusal("a comma before the end of a list", unread("[1,]"), "not_json", "cannot stand here"),
        Refusal("two commas", unread("[1,,2]"), "not_json", "cannot stand here"),
        Refusal("only a comma", unread("{,}"), "not_json", "cannot stand here"),
        Refusal("no comma", unread("[1 2]"), "not_json", "cannot stand here"),
        Refusal("no colon", unread(#"{"a" 1}"#), "not_json", "cannot stand here"),
        Refusal("a name without quotes", unread("{a:1}"), "not_json", "cannot stand here"),
        Refusal("a name that is a number", unread("{1:1}"), "not_json", "cannot stand here"),
        Refusal("a list that ends as an object", unread("[1}"), "not_json", "cannot stand here"),
        Refusal("single quotes", unread("'x'"), "not_json", "cannot stand here"),
        Refusal("a comment", unread("1 // x"), "not_json", "cannot stand here"),
        Refusal("an escape that JSON has not", unread(#""\q""#), "not_json", "no such escape"),
        Refusal("an escape cut short", unread(#""\u12""#), "not_json", "no such escape"),
        Refusal("an escape with a letter beyond F", unread(#""\u12fg""#), "not_json", "no such escape"),
    ]

    /// Foundation's other reader does not take this one for JSON.
    static let immense = Refusal(
        "a part beyond all measure",
        report(type: #""bihuan.attachment.part.v1""#, data: #"{"sha256":"a","part":1e400,"content":"aaaa"}"#),
        "mistyped_field", "data.part", "beyond all measure")

    static let numbers: [Refusal] = [
        "1-2", "01", "-01", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity", "1_000",
        "True", "nul", "undefined",
    ].map {
        Refusal("for a number or a word: \($0)", unread($0), "not_json", "cannot stand here")
    }

    static let names: [Refusal] = [
        Refusal("a name twice", report(data: #"{"text":"x","text":"y"}"#), "repeated_name", "a name twice"),
        Refusal("a name twice in the head", report(id: #""a-1","id":"a-2""#), "repeated_name", "a name twice"),
        Refusal(
            "a name twice, once in escapes", unread(#"{"name":1,"\u006e\u0061me":2}"#), "repeated_name",
            "a name twice"),
        Refusal("the empty name twice", unread(#"{"":1,"a":2,"":3}"#), "repeated_name", "a name twice"),
        Refusal(
            "a name twice among a thousand",
            unread("{" + (0...1000).map { #""k\#($0 % 1000)":0"# }.joined(separator: ",") + "}"), "repeated_name",
            "a name twice"),
    ]

    /// A report with a value in a field that no reader looks into.
    static func unread(_ value: String) -> String { report(data: #"{"text":"x","new":\#(value)}"#) }

    static let heads: [Refusal] = [
        Refusal("no specversion", "{}", "not_cloudevents", "specversion", #"must be "1.0""#),
        Refusal(
            "another specversion", report(specversion: #""0.3""#), "not_cloudevents", "specversion", #"must be "1.0""#),
        Refusal(
            "a specversion that is a number", report(specversion: "1.0"), "not_cloudevents", "specversion",
            #"must be "1.0""#),
        Refusal("no type", #"{"specversion":"1.0"}"#, "missing_field", "type", "has no type"),
        Refusal("a type that is a number", report(type: "1"), "missing_field", "type", "has no type"),
        Refusal("an unknown type", report(type: #""bihuan.report.praised.v1""#), "unknown_type", "type", "not known"),
        Refusal("an empty type", report(type: #""""#), "unknown_type", "type", "not known"),
        Refusal(
            "an unknown version", report(type: #""bihuan.report.submitted.v2""#), "unknown_version", "type",
            "bihuan.report.submitted.v1"),
        Refusal(
            "a type without version", report(type: #""bihuan.report.submitted""#), "unknown_type", "type", "not known"),
        Refusal(
            "a type the office sends", report(type: #""bihuan.report.accepted.v1""#), "unknown_type", "type",
            "sent by the office"),
        Refusal(
            "a type that is described and not handled yet", report(type: #""bihuan.identity.requested.v1""#),
            "not_handled_yet", "type", "does not handle it"),
        Refusal("no id", report(id: "null"), "missing_field", "id", "must be a text"),
        Refusal("an empty id", report(id: #""""#), "bad_value", "id", "1 to 128"),
        Refusal(
            "an id of 129 characters", report(id: #""\#(String(repeating: "x", count: 129))""#), "bad_value", "id",
            "1 to 128"),
        Refusal("an id with a blank", report(id: #""a 1""#), "bad_value", "id", "printable ASCII"),
        Refusal("an id with a newline", report(id: #""a\n1""#), "bad_value", "id", "printable ASCII"),
        Refusal("an id that is not ASCII", report(id: #""甲1""#), "bad_value", "id", "printable ASCII"),
        Refusal("an id that is a number", report(id: "1"), "mistyped_field", "id", "must be a text"),
        Refusal("an empty subject", report(subject: #""""#), "bad_value", "subject", "1 to 128"),
        Refusal("a subject with a blank", report(subject: #""a 1""#), "bad_value", "subject", "printable ASCII"),
        Refusal(
            "a subject of 129 characters", report(subject: #""\#(String(repeating: "x", count: 129))""#), "bad_value",
            "subject", "1 to 128"),
        Refusal("a source that names nobody", report(source: #""web""#), "bad_value", "source", "unit.u7"),
        Refusal("a source in capitals", report(source: #""source.WEB""#), "bad_value", "source", "unit.u7"),
        Refusal("a worker that there is not", report(source: #""office.kitchen""#), "bad_value", "source", "unit.u7"),
        Refusal("a time in words", report(time: #""yesterday""#), "bad_value", "time", "RFC 3339"),
        Refusal(
            "a day that does not exist", report(time: #""2026-02-30T00:00:00Z""#), "bad_value", "time", "no such day"),
        Refusal(
            "a time without seconds", report(time: #""2026-03-02T08:00Z""#), "bad_value", "time",
            "seconds are missing"),
        Refusal(
            "a time without seconds and zone", report(time: #""2026-03-02T08:00""#), "bad_value", "time",
            "seconds are missing"),
        Refusal(
            "a time without a zone", report(time: #""2026-03-02T08:00:00.5""#), "bad_value", "time", "zone is missing"),
        Refusal(
            "the sixtieth second", report(time: #""2016-12-31T23:59:60Z""#), "bad_value", "time", "leap second as 59"),
        Refusal(
            "a date of mail", report(time: #""Mon, 02 Mar 2026 08:00:00 GMT""#), "bad_value", "time", "mail and HTTP"),
        Refusal(
            "data that is said to be no JSON",
            report(type: #""bihuan.report.submitted.v1","datacontenttype":"text/plain""#), "bad_value",
            "datacontenttype", "application/json"),
        Refusal(
            "an answer to no id", report(type: #""bihuan.report.submitted.v1","inreplyto":"""#), "bad_value",
            "inreplyto", "1 to 128"),
        Refusal("a time that is a number", report(time: "1772438400"), "mistyped_field", "time", "must be a text"),
    ]

    static let contents: [Refusal] = [
        Refusal("no data", report(data: "null"), "missing_field", "data", "null"),
        Refusal("data that is a text", report(data: #""x""#), "mistyped_field", "data", "must be an object"),
        Refusal("data that is a list", report(data: "[]"), "mistyped_field", "data", "must be an object"),
        Refusal("no text", report(data: "{}"), "missing_field", "data.text", "missing"),
        Refusal("a text that is null", report(data: #"{"text":null}"#), "missing_field", "data.text", "must be a text"),
        Refusal(
            "a text that is a number", report(data: #"{"text":7}"#), "mistyped_field", "data.text", "must be a text"),
        Refusal(
            "accused who are no list", report(data: #"{"text":"x","accused":{}}"#), "mistyped_field", "data.accused",
            "must be a list"),
        Refusal(
            "an accused who is a text", report(data: #"{"text":"x","accused":["张三"]}"#), "mistyped_field",
            "data.accused[0]", "must be an object"),
        Refusal(
            "an accused without a name", report(data: #"{"text":"x","accused":[{"name":"a"},{"organ":"b"}]}"#),
            "missing_field", "data.accused[1].name", "missing"),
        Refusal(
            "a unit that is no name", report(data: #"{"text":"x","accused":[{"name":"a","unit":"C 1"}]}"#), "bad_value",
            "data.accused[0].unit", "[a-z0-9-]"),
        Refusal(
            "a paper whose size is a text",
            report(data: #"{"text":"x","attachments":[{"name":"a","bytes":"1","sha256":"b"}]}"#), "mistyped_field",
            "data.attachments[0].bytes", "must be a whole number"),
        Refusal(
            "a paper whose size is a fraction",
            report(data: #"{"text":"x","attachments":[{"name":"a","bytes":1.5,"sha256":"b"}]}"#), "mistyped_field",
            "data.attachments[0].bytes", "at byte 190 of the body"),
        Refusal(
            "a paper whose size no machine counts",
            report(data: #"{"text":"x","attachments":[{"name":"a","bytes":9223372036854775808,"sha256":"b"}]}"#),
            "bad_value", "data.attachments[0].bytes", "at byte 190 of the body"),
        Refusal(
            "a second paper whose size is 10^30",
            report(
                data:
                    #"""
                    {"text":"x","bytes":1.5,"attachments":[{"name":"a","bytes":1,"sha256":"b"},{"name":"a",\#
                    "bytes":1e30,"sha256":"b"}]}
                    """#
            ), "bad_value", "data.attachments[1].bytes", "is too large"),
        Refusal(
            "a part beyond all bounds",
            report(type: #""bihuan.attachment.part.v1""#, data: #"{"sha256":"a","part":1e300,"content":"aaaa"}"#),
            "bad_value", "data.part", "is too large"),
        Refusal(
            "a count that is a fraction",
            report(type: #""bihuan.attachment.part.v1""#, data: #"{"sha256":"a","count":12e-1}"#), "mistyped_field",
            "data.count", "with a fraction"),
        Refusal(
            "data in Base64", report(type: #""bihuan.report.submitted.v1","data_base64":"e30=""#), "data_base64",
            "data_base64", "leave data_base64 out"),
        Refusal(
            "data in Base64, its name in escapes",
            report(type: #""bihuan.report.submitted.v1","data\u005fbase64":"e30=""#), "data_base64", "data_base64",
            "as a JSON object"),
        Refusal(
            "a receipt without seconds", report(data: #"{"text":"x","receivedAt":"2026-03-02T08:00Z"}"#), "bad_value",
            "data.receivedAt", "seconds are missing"),
        Refusal(
            "a receipt at midnight's 24", report(data: #"{"text":"x","receivedAt":"2026-03-02T24:00:00Z"}"#),
            "bad_value", "data.receivedAt", "00 to 23"),
        Refusal(
            "a bad date within", report(data: #"{"text":"x","receivedAt":"2026"}"#), "bad_value", "data.receivedAt",
            "RFC 3339"),
        Refusal(
            "a consent that there is not", report(data: #"{"text":"x","reporters":[{"consent":"王五"}]}"#), "bad_value",
            "data.reporters[0].consent", "none of anonymous, inside, handler"),
        Refusal(
            "a filing on a day that does not exist",
            report(
                type: #""bihuan.case.filed.v1""#, source: #""unit.d1""#,
                data: #"{"caseNumber":"1","filedOn":"2026-02-30"}"#), "bad_value", "data.filedOn", "2026-03-02"),
        Refusal(
            "an answer that is a text",
            report(
                type: #""bihuan.handoff.concluded.v1""#, source: #""unit.d1""#,
                data: #"{"outcome":"a","summary":"b","reporterAnswered":"yes"}"#), "mistyped_field",
            "data.reporterAnswered", "must be true or false"),
        Refusal(
            "a signature by nobody",
            report(type: #""bihuan.handoff.signed.v1""#, source: #""unit.d1""#, data: #"{"digest":"a","signedBy":""}"#),
            "missing_field", "data.signedBy", "must not be empty"),
        Refusal(
            "a recall for a blank reason",
            report(type: #""bihuan.command.recall.v1""#, source: #""person.li""#, data: #"{"reason":" \u3000"}"#),
            "missing_field", "data.reason", "needs a reason"),
        Refusal(
            "a reason of 4,001 bytes",
            report(
                type: #""bihuan.command.discard.v1""#, source: #""person.li""#,
                data: #"{"reason":"\#(String(repeating: "x", count: 4_001))"}"#), "too_large", "data.reason",
            "the limit is 4000"),
        Refusal(
            "a piece and a manifest in one",
            report(type: #""bihuan.attachment.part.v1""#, data: #"{"sha256":"a","part":1,"content":"aaaa","count":1}"#),
            "bad_value", "data", "either part and content"),
        Refusal(
            "neither piece nor manifest", report(type: #""bihuan.attachment.part.v1""#, data: #"{"sha256":"a"}"#),
            "bad_value", "data", "either"),
    ]

    @Test(
        "an unreadable message is refused with its reason and its place",
        arguments: shapes + numbers + names + heads + contents + [immense])
    func refusesUnreadableMessages(_ refusal: Refusal) throws {
        for hint in [nil, MessageType.reportSubmitted.rawValue] {
            let error = try #require(
                #expect(throws: Unreadable.self) { try Message(reading: refusal.body, typeHint: hint) })
            let problem = try #require(error.problems.first)
            #expect(problem.code == refusal.code)
            #expect(problem.path == refusal.path)
            #expect(problem.text.contains(refusal.words), "\(problem.text)")
            #expect(!problem.text.contains("王五"), "a reason quotes nothing of the message")
        }
    }

    @Test(
        "the readable part of the head goes with the refusal, so that the sender can be answered",
        arguments: heads + contents)
    func keepsHead(_ refusal: Refusal) throws {
        let error = try #require(#expect(throws: Unreadable.self) { try Message(reading: refusal.body, typeHint: nil) })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(refusal.body)) as? [String: Any])
        #expect(error.id == object["id"] as? String)
        #expect(error.type == object["type"] as? String)
        #expect(error.subject == object["subject"] as? String)
    }

    @Test("the head of nearly valid JSON is read, so that the sender is answered; a contradictory head is not")
    func readsHeadOfBrokenJSON() throws {
        func refusal(_ value: String) throws -> Unreadable {
            try #require(
                #expect(throws: Unreadable.self) { try Message(reading: Array(Self.unread(value).utf8), typeHint: nil) }
            )
        }
        for value in ["[1,]", #""\q""#, "1-2", "01"] { #expect(try refusal(value).id == "a-1", "\(value)") }
        #expect(try refusal(#"{"a":1,"a":2}"#).id == nil)
    }

    @Test(
        "a whole message is read, also one at the limits",
        arguments: [
            unread(
                #"""
                [0,-0,1.5,1e3,1E-3,-1.25e+10,true,false,null,"",[],{},[[]],{"a":{}},\#
                "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\uD83D\uDE00",1e999]
                """#
            ),
            unread(" [ 1 ,\t2\r\n] "), unread(#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"A":1,"é":1,"e\u0301":1}"#),
            report(), report(id: #""\#(String(repeating: "x", count: 128))""#), nested(32),
            report(data: #"{"text":"\\u0000 is written out, {[{[ too"}"#), report(data: #"{"text":"\ud83d\ude00"}"#),
            " \r\n\t" + report() + " \n",
            report(
                data:
                    #"{"text":"\#(String(repeating: "x", count: 262_144 - report(data: #"{"text":""}"#).utf8.count))"}"#
            ),
            report(data: #"{"text":"}}}}\"]]]"}"#), report(time: #""2026-03-02T16:00:00+08:00""#),
            report(time: #""2026-03-02t08:00:00z""#),
            report(
                data:
                    #"""
                    {"text":"x","attachments":[{"name":"a","bytes":1.0,"sha256":"b"},{"name":"a","bytes":1e2,\#
                    "sha256":"c"},{"name":"a","bytes":-0,"sha256":"d"}]}
                    """#
            ),
            unread(#"{"data_base64":"e30="}"#),
        ])
    func acceptsMessagesAtTheLimits(body: String) throws {
        let message = try Message(reading: Array(body.utf8), typeHint: nil)
        #expect(message.envelope.type == .reportSubmitted)
    }

    @Test("a message that is cut off anywhere is refused, and never stops the reader", arguments: MessageType.allCases)
    func refusesCutMessages(type: MessageType) throws {
        let body = try GoldenTests.golden(type)
        for count in 0..<body.count {
            #expect(throws: Unreadable.self) {
                try Message(reading: Array(body.prefix(count)), typeHint: type.rawValue)
            }
        }
    }

    @Test(
        "a message with bytes changed at random is read or refused, and never stops the reader",
        arguments: MessageType.allCases)
    func survivesScrambledMessages(type: MessageType) throws {
        let body = try GoldenTests.golden(type)
        var random = SeededGenerator(state: 0x5EED)
        for _ in 0..<500 {
            var scrambled = body
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                scrambled[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let message = try? Message(reading: scrambled, typeHint: type.rawValue) else { continue }
            #expect((1...128).contains(message.envelope.id.utf8.count))
        }
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
