import Casework
import Contract
import Crypto
import Foundation
import Testing

/// Messages as they were once sent: the files in `Golden/` must stay readable for ever. New fields make a new
/// example; `TEST_BIHUAN_WRITE_GOLDEN=1 swift test --filter GoldenTests` rewrites the files, and the change needs
/// review.
@Suite("Golden messages")
struct GoldenTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    static let writes = ProcessInfo.processInfo.environment["TEST_BIHUAN_WRITE_GOLDEN"] == "1"
    static let sealedFiles: [MessageType: String] = [
        .handoffDispatched: "handoff.dispatched.sealed.json", .attachmentPart: "attachment.part.sealed.json",
    ]
    /// Opens the sealed examples; it has no other use.
    static let sealedKeyBytes = (0..<32).map { UInt8($0) }

    /// The bytes of a file without its last newline.
    static func golden(_ name: String) throws -> [UInt8] {
        let bytes = [UInt8](try Data(contentsOf: folder.appending(path: name)))
        return bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
    }

    static func golden(_ type: MessageType) throws -> [UInt8] { try golden("\(type.short).json") }

    static func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes + [UInt8(ascii: "\n")]).write(to: folder.appending(path: name))
    }

    @Test("a message is written exactly as its golden file", arguments: MessageType.allCases)
    func writesGolden(type: MessageType) throws {
        if Self.writes { try Self.write(type.definition.example, "\(type.short).json") }
        #expect(text(type.definition.example) == text(try Self.golden(type)))
    }

    @Test("a type of several forms has a golden file for each")
    func hasGoldenFileForEachVariant() throws {
        for (name, type, body) in Examples.variants {
            if Self.writes { try Self.write(body, "\(name).json") }
            let golden = try Self.golden("\(name).json")
            #expect(text(body) == text(golden))
            #expect(text(try type.definition.rewritten(golden)) == text(golden))
            if Examples.readByOffice.contains(type) {
                #expect(try Message(reading: golden, typeHint: nil).envelope.type == type)
            }
        }
    }

    @Test("a golden message is read, and written again as the same bytes", arguments: MessageType.allCases)
    func readsGolden(type: MessageType) throws {
        let body = try Self.golden(type)
        #expect(text(try type.definition.rewritten(body)) == text(body))
    }

    @Test("unknown fields are ignored, wherever they stand", arguments: MessageType.allCases)
    func toleratesUnknownFields(type: MessageType) throws {
        let body = try Self.golden(type)
        let richer = try JSONSerialization.data(
            withJSONObject: Self.enriched(try JSONSerialization.jsonObject(with: Data(body))))
        #expect(richer.count > body.count)
        #expect(text(try type.definition.rewritten([UInt8](richer))) == text(body))
        if Examples.readByOffice.contains(type) {
            let message = try Message(reading: [UInt8](richer), typeHint: type.rawValue)
            #expect(message.envelope.type == type)
        }
    }

    @Test("the office reads its messages, with and without the right hint", arguments: MessageType.allCases)
    func officeReadsWithAnyHint(type: MessageType) throws {
        let body = try Self.golden(type)
        for hint in [
            type.rawValue, nil, "", "bihuan.nonsense.v1", MessageType.handoffProgress.rawValue,
            MessageType.messageRefused.rawValue,
        ] {
            guard Examples.readByOffice.contains(type) else {
                let error = #expect(throws: Unreadable.self) { try Message(reading: body, typeHint: hint) }
                #expect(error?.problems.map(\.code) == ["unknown_type"])
                continue
            }
            let message = try Message(reading: body, typeHint: hint)
            #expect(message.envelope.type == type)
            #expect(message.envelope.source == (try Examples.sender(of: type)))
        }
    }

    @Test("a message with only the required fields is read", arguments: MessageType.allCases)
    func toleratesMissingOptionals(type: MessageType) throws {
        var object = try #require(try JSONSerialization.jsonObject(with: Data(try Self.golden(type))) as? [String: Any])
        object["datacontenttype"] = nil
        object["inreplyto"] = nil
        var body = [UInt8](try JSONSerialization.data(withJSONObject: object))
        _ = try type.definition.rewritten(body)
        guard type == .reportSubmitted else { return }
        object["data"] = ["text": "反映张三。"]
        body = [UInt8](try JSONSerialization.data(withJSONObject: object))
        guard case .submitted(.report(let submission)) = try Message(reading: body, typeHint: nil).body else {
            Issue.record("not read as a report")
            return
        }
        #expect(submission == Submission(title: "", text: "反映张三。"))
    }

    @Test("there is one golden file for every type, and no other")
    func hasOneFilePerType() throws {
        let files = Set(
            try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter { $0.hasSuffix(".json") })
        #expect(
            files
                == Set(
                    MessageType.allCases.map { "\($0.short).json" } + Examples.variants.map { "\($0.name).json" }
                        + Self.sealedFiles.values))
    }

    @Test("types are literal names with a version, and no two have the same short name")
    func usesDistinctVersionedTypeNames() throws {
        let shape = try Regex(#"bihuan\.[a-z]+(\.[a-z_]+)+\.v1"#)
        for type in MessageType.allCases {
            #expect(type.rawValue.wholeMatch(of: shape) != nil, "\(type)")
            #expect(type.rawValue == "bihuan.\(type.short).v1")
        }
        for type in PlannedMessageType.allCases { #expect(type.rawValue.wholeMatch(of: shape) != nil, "\(type)") }
        let names = MessageType.allCases.map(\.rawValue) + PlannedMessageType.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count, "a type that is handled is planned no more")
    }

    @Test(
        "an old sealed message opens with its key",
        arguments: [(MessageType.handoffDispatched, MessageType.reportSubmitted), (.attachmentPart, .attachmentPart)])
    func opensSealedGolden(type: MessageType, inside: MessageType) throws {
        let file = try #require(Self.sealedFiles[type])
        let key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: Self.sealedKeyBytes)
        if Self.writes, !FileManager.default.fileExists(atPath: Self.folder.appending(path: file).path) {
            let sealed = try SealedData.seal(
                try Self.golden(inside), contentType: MediaType.cloudEvents, number: "S2026-00000001",
                to: SealingKey(key.publicKey), id: "example-sealed", type: type, subject: Examples.handoff)
            let event = CloudEvent(
                id: "example-sealed", source: .office(.intake), type: type, subject: Examples.handoff,
                time: Examples.moment, datacontenttype: MediaType.sealed, data: sealed)
            try Self.write(Wire.encode(event), file)
        }
        let body = try Self.golden(file)
        let event = try JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(body))
        #expect(text(Wire.encode(event)) == text(body))
        let opened = try event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
        #expect(text(opened) == text(try Self.golden(inside)))
    }

    /// Every object gets a field of each kind that no version knows.
    private static func enriched(_ value: Any) -> Any {
        if let object = value as? [String: Any] {
            var richer = object.mapValues(enriched)
            richer["zNew"] = ["deep": [1, 2.5, true, NSNull(), "x"]]
            richer["aNew"] = NSNull()
            return richer
        }
        if let list = value as? [Any] { return list.map(enriched) }
        return value
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
