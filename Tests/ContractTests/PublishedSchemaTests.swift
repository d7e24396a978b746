import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice

/// The published schemas say what the code does.
@Suite("Published schemas")
struct PublishedSchemaTests {
    /// The golden messages of a type in all their forms, by name.
    static func goldens(_ type: MessageType) throws -> [(name: String, body: [UInt8])] {
        var names = [type.short] + Examples.variants.filter { $0.type == type }.map(\.name)
        if let file = GoldenTests.sealedFiles[type] { names.append(String(file.dropLast(".json".count))) }
        return try names.map { ($0, try GoldenTests.golden("\($0).json")) }
    }

    /// The golden messages that the office reads; sealed ones are for others.
    static func readGoldens(_ type: MessageType) throws -> [(name: String, body: [UInt8])] {
        try goldens(type).filter { "\($0.name).json" != GoldenTests.sealedFiles[type] }
    }

    static let publicTypes = MessageType.allCases.filter { !PublishedContract.internalTypes.contains($0) }
    static let readTypes = MessageType.allCases.filter(Examples.readByOffice.contains)

    @Test("every golden message fits its schema", arguments: MessageType.allCases)
    func goldenMessagesFit(type: MessageType) throws {
        for (name, body) in try Self.goldens(type) { #expect(SchemaJudge.shared.problems(in: body) == [], "\(name)") }
    }

    @Test("every handled or planned type has a schema and a worked example, and there is no other")
    func hasOneFileForEachType() throws {
        let planned = Set(PlannedMessageType.allCases.map { "\($0.short).json" })
        let handled = Set(Self.publicTypes.map { "\($0.short).json" })
        #expect(try PublishedContract.names(in: "schemas") == planned.union(handled).union(["common.json"]))
        #expect(
            try PublishedContract.names(in: "schemas/internal")
                == Set(PublishedContract.internalTypes.map { "\($0.short).json" }))
        let forms = Set(try Self.publicTypes.flatMap { try Self.goldens($0).map { "\($0.name).json" } })
        #expect(try PublishedContract.names(in: "messages") == planned.union(forms))
    }

    @Test("a schema names its type, and says whether it is planned")
    func schemasNameTheirType() throws {
        func check(_ schema: JSONValue, _ name: String, short: String, planned: Bool) {
            #expect(schema["$schema"]?.text == "https://json-schema.org/draft/2020-12/schema", "\(name)")
            #expect(schema["$id"]?.text == "\(short).json", "\(name)")
            #expect(schema["title"]?.text == name)
            #expect(schema["properties"]?["type"]?["const"]?.text == name, "\(name)")
            #expect(schema["x-status"]?.text == (planned ? "planned" : nil), "\(name)")
            #expect(schema["description"]?.text?.hasPrefix("Planned:") == planned, "\(name)")
        }
        for type in MessageType.allCases {
            check(try PublishedContract.schema(type), type.rawValue, short: type.short, planned: false)
        }
        for type in PlannedMessageType.allCases {
            check(try PublishedContract.schema(type), type.rawValue, short: type.short, planned: true)
        }
    }

    @Test("no schema forbids unknown fields")
    func toleratesUnknownFields() throws {
        for folder in ["schemas", "schemas/internal"] {
            for name in try PublishedContract.names(in: folder) {
                let text = try PublishedContract.text("\(folder)/\(name)")
                #expect(!text.contains("additionalProperties") && !text.contains("unevaluatedProperties"), "\(name)")
            }
        }
        let golden = try JSONValue(try GoldenTests.golden(.reportSubmitted))
        let richer = golden.replacing([.key("new")], with: .whole(1)).replacing(
            [.key("data"), .key("new")], with: .list([.null]))
        #expect(SchemaJudge.shared.problems(in: try richer.bytes) == [])
    }

    @Test("worked examples of handled types are the golden messages, laid out for readers", arguments: publicTypes)
    func showsGoldenMessagesAsExamples(type: MessageType) throws {
        for (name, body) in try Self.goldens(type) {
            let page = try JSONValue(body).page
            if GoldenTests.writes { try PublishedContract.write(page, "messages/\(name).json") }
            #expect(try PublishedContract.text("messages/\(name).json") == page)
        }
    }

    @Test(
        "worked examples of planned types fit their schemas, and have the same layout",
        arguments: PlannedMessageType.allCases)
    func plannedExamplesFit(type: PlannedMessageType) throws {
        let path = "messages/\(type.short).json"
        let message = try PublishedContract.json(path)
        #expect(message["type"]?.text == type.rawValue)
        #expect(SchemaJudge.shared.problems(in: try PublishedContract.bytes(path)) == [])
        if GoldenTests.writes { try PublishedContract.write(try message.page, path) }
        #expect(try PublishedContract.text(path) == message.page)
    }

    // MARK: Schema and reader

    @Test(
        "the golden messages have every field of the schemas, and no other", arguments: MessageType.allCases)
    func showsEveryField(type: MessageType) throws {
        let common = try PublishedContract.json("schemas/common.json")
        let declared = PublishedContract.declaredFields(of: try PublishedContract.schema(type), common: common)
        var shown: Set<String> = []
        for (_, body) in try Self.goldens(type) {
            for path in try JSONValue(body).fields {
                shown.insert(path.map { if case .key(let key) = $0 { key } else { "*" } }.joined(separator: "/"))
            }
        }
        // An act of an outsider answers nothing; what the office sends may.
        if try !Examples.sender(of: type).isOffice { shown.insert("inreplyto") }
        #expect(shown.subtracting(declared).sorted() == [])
        #expect(declared.subtracting(shown).sorted() == [])
    }

    @Test("a missing field is refused by both schema and reader, or by neither", arguments: readTypes)
    func schemaAndReaderRequireTheSameFields(type: MessageType) throws {
        var required = 0
        for (name, body) in try Self.readGoldens(type) {
            let golden = try JSONValue(body)
            for path in golden.fields {
                let poorer = try golden.replacing(path, with: nil).bytes
                let misses = !SchemaJudge.shared.problems(in: poorer).isEmpty
                if misses { required += 1 }
                let refuses = Self.refuses(poorer)
                #expect(refuses == misses, "\(name) without \(Self.text(path))")
                // The reader treats null as absent.
                let refusesNull = Self.refuses(try golden.replacing(path, with: .null).bytes)
                #expect(refusesNull == misses, "\(name) with null as \(Self.text(path))")
            }
        }
        #expect(required >= 7, "the head alone has seven required fields")
    }

    @Test("a field of another kind is refused by both schema and reader", arguments: readTypes)
    func schemaAndReaderRefuseWrongTypes(type: MessageType) throws {
        for (name, body) in try Self.readGoldens(type) {
            let golden = try JSONValue(body)
            for path in golden.fields {
                let other: JSONValue =
                    switch golden.value(at: path) {
                    case .text: .whole(7)
                    case .object: .list([])
                    case .list: .object([:])
                    case .whole, .number, .flag, .null, nil: .text("7")
                    }
                let wrong = try golden.replacing(path, with: other).bytes
                let (fits, refuses) = (SchemaJudge.shared.problems(in: wrong).isEmpty, Self.refuses(wrong))
                #expect(!fits, "\(name) with another \(Self.text(path)) fits the schema")
                #expect(refuses, "\(name) with another \(Self.text(path)) is read")
            }
        }
    }

    static let values: [(type: MessageType, path: [JSONValue.Step], value: String, valid: Bool)] = [
        (.reportSubmitted, [.key("id")], "a 1", false), (.reportSubmitted, [.key("id")], "", false),
        (.reportSubmitted, [.key("id")], "a-1\n", false),
        (.handoffSigned, [.key("id")], String(repeating: "x", count: 128), true),
        (.reportSubmitted, [.key("id")], String(repeating: "x", count: 129), false),
        (.handoffSigned, [.key("id")], "甲", false),
        (.reportSubmitted, [.key("subject")], "a 1", false), (.reportSubmitted, [.key("source")], "web", false),
        (.reportSubmitted, [.key("source")], "source.Web", false),
        (.handoffSigned, [.key("source")], "unit.d1\n", false),
        (.handoffSigned, [.key("source")], "unit.", false), (.handoffSigned, [.key("source")], "unit.a-1", true),
        (.reportSubmitted, [.key("specversion")], "0.3", false),
        (.reportSubmitted, [.key("time")], "2026-02-30T00:00:00Z", false),
        (.reportSubmitted, [.key("time")], "2026-03-02", false),
        (.reportSubmitted, [.key("time")], "2026-03-02T24:00:00Z", false),
        (.reportSubmitted, [.key("time")], "2026-03-02T23:59:60Z", false),
        (.reportSubmitted, [.key("time")], "2026-03-02T08:00:00", false),
        (.reportSubmitted, [.key("time")], "2026-03-02T08:00:00+24:00", false),
        (.reportSubmitted, [.key("time")], "2026-03-02 08:00:00.5+08:00", true),
        (.reportSubmitted, [.key("time")], "2024-02-29t08:00:00z", true),
        (.reportSubmitted, [.key("data"), .key("receivedAt")], "2025-02-29T08:00:00Z", false),
        (.reportSubmitted, [.key("data"), .key("reporters"), .index(0), .key("consent")], "perhaps", false),
        (.reportSubmitted, [.key("data"), .key("accused"), .index(0), .key("unit")], "C 1", false),
        (.caseFiled, [.key("data"), .key("filedOn")], "2026-02-30", false),
        (.caseFiled, [.key("data"), .key("filedOn")], "2024-02-29", true),
        (.caseFiled, [.key("data"), .key("filedOn")], "2026-2-3", false),
        (.caseNotified, [.key("data"), .key("filedOn")], "0000-01-01", false),
        (.dispositionDecided, [.key("data"), .key("decidedOn")], "20260301", false),
        (.reportSubmitted, [.key("time")], "0001-01-01T00:00:00+08:00", false),
        (.reportSubmitted, [.key("time")], "0001-01-01T00:00:00Z", true),
        (.reportSubmitted, [.key("time")], "9999-12-31T23:59:59-08:00", false),
        (.reportSubmitted, [.key("time")], "9999-12-31T23:59:59.9Z", true),
        (.reportSubmitted, [.key("inreplyto")], "a-1", true), (.reportSubmitted, [.key("inreplyto")], "", false),
        (.reportSubmitted, [.key("inreplyto")], "a 1", false),
        (.reportSubmitted, [.key("inreplyto")], String(repeating: "x", count: 129), false),
        (.reportSubmitted, [.key("datacontenttype")], "text/plain", false),
        (.reportSubmitted, [.key("datacontenttype")], "", false),
        (.reportSubmitted, [.key("datacontenttype")], "json", false),
        (.reportSubmitted, [.key("datacontenttype")], "application/jsonl", false),
        (.reportSubmitted, [.key("datacontenttype")], "application/x/json", false),
        (.reportSubmitted, [.key("datacontenttype")], "a b/json", false),
        (.reportSubmitted, [.key("datacontenttype")], "application/+json", false),
        (.reportSubmitted, [.key("datacontenttype")], "text/json", true),
        (.reportSubmitted, [.key("datacontenttype")], "application/vnd.unit+json", true),
        (.reportSubmitted, [.key("datacontenttype")], "Application/JSON;charset=utf-8", true),
        (.handoffSigned, [.key("data"), .key("signedBy")], "", false),
        (.handoffSigned, [.key("data"), .key("signedBy")], "周", true),
        (.handoffSigned, [.key("data"), .key("signedBy")], String(repeating: "周", count: 201), false),
        (.caseFiled, [.key("data"), .key("caseNumber")], "", false),
        (.caseNotified, [.key("data"), .key("caseNumber")], "", false),
        (.caseFiled, [.key("data"), .key("caseNumber")], String(repeating: "立", count: 201), false),
        (.handoffProgress, [.key("data"), .key("text")], String(repeating: "x", count: 200_000), true),
        (.handoffProgress, [.key("data"), .key("text")], String(repeating: "x", count: 200_001), false),
        (.handoffReturned, [.key("data"), .key("text")], String(repeating: "x", count: 200_001), false),
        (.handoffResendRequested, [.key("data"), .key("cause")], "lost", true),
        (.handoffResendRequested, [.key("data"), .key("cause")], "bored", false),
        (.handoffResendRequested, [.key("data"), .key("text")], String(repeating: "x", count: 200_001), false),
        (.handoffConcluded, [.key("data"), .key("summary")], String(repeating: "x", count: 200_001), false),
        (.handoffConcluded, [.key("data"), .key("summary")], "", true),
        (.commandRecall, [.key("data"), .key("reason")], "", false),
        (.commandDiscard, [.key("data"), .key("reason")], " \u{3000}\n", false),
        (.commandRecall, [.key("data"), .key("reason")], String(repeating: "x", count: 4_000), true),
        (.commandRecall, [.key("data"), .key("reason")], String(repeating: "x", count: 4_001), false),
        (.commandDiscard, [.key("data"), .key("reason")], String(repeating: "误", count: 1_334), false),
    ]

    @Test("schema and reader accept or refuse the same ids, names, dates and words", arguments: values)
    func schemaAndReaderAgreeOnValues(type: MessageType, path: [JSONValue.Step], value: String, valid: Bool) throws {
        let body = try JSONValue(try GoldenTests.golden(type)).replacing(path, with: .text(value)).bytes
        let (fits, refuses) = (SchemaJudge.shared.problems(in: body).isEmpty, Self.refuses(body))
        #expect(fits == valid && refuses == !valid)
    }

    @Test("a part with a count, and a manifest with a part or a content, are refused by both schema and reader")
    func schemaAndReaderAgreeOnPapers() throws {
        let piece = try JSONValue(try GoldenTests.golden(.attachmentPart))
        let manifest = try JSONValue(try GoldenTests.golden("attachment.part.closing.json"))
        for (message, field, value) in [
            (piece, "count", JSONValue.whole(1)), (manifest, "part", .whole(1)), (manifest, "content", .text("aaaa")),
        ] {
            let body = try message.replacing([.key("data"), .key(field)], with: value).bytes
            #expect(!SchemaJudge.shared.problems(in: body).isEmpty && Self.refuses(body), "\(field)")
        }
    }

    @Test(
        "what no schema can express is refused by both the validator and the office",
        arguments: [
            (DecodingTests.nested(32), true), (DecodingTests.nested(33), false), (DecodingTests.nested(40), false),
            (DecodingTests.report(subject: #""a-2""#), false),
            (DecodingTests.report(data: #"{"text":"a\ud83d\ude00"}"#), true),
            (DecodingTests.report(data: #"{"text":"a\ud800b"}"#), false),
            (DecodingTests.report(data: #"{"text":"a","\ud800":1}"#), false),
        ])
    func validatorAndOfficeAgreeBeyondSchemas(body: String, valid: Bool) throws {
        let problems = SchemaJudge.shared.problems(in: body.utf8)
        #expect(problems.isEmpty == valid, "\(problems)")
        let message = try? Message(reading: Array(body.utf8), typeHint: nil)
        let key = MessageType.reportSubmitted.routingKey(from: .source(SourceID(unchecked: "web")))
        let isTaken =
            message.map { Admission.problem(sender: $0.envelope.source, routingKey: key, envelope: $0.envelope) == nil }
            ?? false
        #expect(isTaken == valid)
    }

    private static func refuses(_ body: [UInt8]) -> Bool {
        do {
            _ = try Message(reading: body, typeHint: nil)
            return false
        } catch {
            return true
        }
    }

    private static func text(_ path: [JSONValue.Step]) -> String { path.map(\.description).joined() }

    // MARK: Numbers and words

    @Test("the limits in the schemas are those of the code")
    func usesLimitsOfCode() throws {
        let common = try PublishedContract.json("schemas/common.json")
        let limits = Limits.standard
        func of(_ name: String) -> JSONValue? { common["$defs"]?[name] }
        for (name, limit) in [
            ("text", limits.textBytesMax), ("title", limits.titleBytesMax), ("shortText", limits.nameBytesMax),
            ("reason", limits.reasonBytesMax),
        ] {
            #expect(of(name)?["x-maxBytes"]?.whole == limit && of(name)?["maxLength"]?.whole == limit, "\(name)")
        }
        for name in ["eventID", "subject", "inReplyTo"] {
            #expect(of(name)?["maxLength"]?.whole == limits.eventIDBytesMax, "\(name)")
        }
        #expect(of("attachment")?["properties"]?["bytes"]?["maximum"]?.whole == limits.attachmentBytesMax)
        #expect(of("part")?["maximum"]?.whole == limits.attachmentPartsMax)
        for type in [MessageType.commandRecall, .commandDiscard] {
            let reason = try PublishedContract.schema(type)["properties"]?["data"]?["properties"]?["reason"]
            #expect(reason?["$ref"]?.text == "common.json#/$defs/reason")
        }
        let part = try PublishedContract.schema(.attachmentPart)["else"]
        #expect(part?["properties"]?["data"]?["properties"]?["count"]?["maximum"]?.whole == limits.attachmentPartsMax)
        let report = try PublishedContract.schema(.reportSubmitted)["properties"]?["data"]?["properties"]
        for (name, limit) in [
            ("reporters", limits.reportersMax), ("accused", limits.accusedMax), ("allegations", limits.allegationsMax),
            ("attachments", limits.attachmentsMax),
        ] { #expect(report?[name]?["maxItems"]?.whole == limit, "\(name)") }
        let validator = try PublishedContract.text("validate.py").replacing("_", with: "")
        #expect(
            validator.contains("MESSAGEBYTESMAX = \(limits.messageBytesMax)\n")
                && validator.contains("JSONDEPTHMAX = \(limits.jsonDepthMax)\n"))
        let envelope = try #require(of("envelope")?["description"]?.text).replacing(",", with: "")
        #expect(
            envelope.contains("\(limits.messageBytesMax) bytes") && envelope.contains("\(limits.jsonDepthMax) deep"))
    }

    @Test("enumerated words in the schemas are those of the code")
    func usesCodeWords() throws {
        let accepted = try PublishedContract.schema(.reportAccepted)["properties"]?["data"]?["properties"]?["state"]?[
            "enum"]?.list
        #expect(accepted?.compactMap(\.text) == ReportState.allCases.map(\.rawValue))
        let common = try PublishedContract.json("schemas/common.json")["$defs"]
        let workers = Worker.allCases.map(\.rawValue).joined(separator: "|")
        #expect(common?["officeParty"]?["pattern"]?.text == #"^office\.(\#(workers))$"#)
        for name in ["party", "partSender"] {
            #expect(common?[name]?["pattern"]?.text?.contains(#"office\.(\#(workers))"#) == true)
        }
        let media = try PublishedContract.schema(.handoffDispatched)["properties"]?["datacontenttype"]?["enum"]?.list?
            .compactMap(\.text)
        #expect(media == [MediaType.json, MediaType.sealed])
    }

    @Test("a type's schema names who may send it", arguments: MessageType.allCases)
    func namesSenders(type: MessageType) throws {
        let sender =
            switch try Examples.sender(of: type) {
            case .unit: "unitParty"
            case .source: type == .attachmentPart ? "partSender" : "sourceParty"
            case .person: "personParty"
            case .office: "officeParty"
            }
        let reference = try PublishedContract.schema(type)["properties"]?["source"]?["$ref"]?.text
        #expect(reference?.hasSuffix("common.json#/$defs/\(sender)") == true)
    }
}
