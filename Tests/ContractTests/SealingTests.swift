import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing

@Suite("Sealing")
struct SealingTests {
    static let bytes = Array("原件，一字不改。\u{0}".utf8)
    let key = Curve25519.KeyAgreement.PrivateKey()

    private func sealed() throws -> SealedData {
        try SealedData.seal(
            Self.bytes, contentType: MediaType.cloudEvents, number: "S2026-00000001", to: SealingKey(key.publicKey),
            id: "e-1", type: .handoffDispatched, subject: "h-1")
    }

    @Test("sealed bytes open to the same bytes, and only their number and type are in clear")
    func opensWhatItSealed() throws {
        let data = try sealed()
        #expect(try data.open(with: key, id: "e-1", type: .handoffDispatched, subject: "h-1") == Self.bytes)
        #expect(data.number == "S2026-00000001")
        #expect(data.contentType == MediaType.cloudEvents)
        #expect(data.keyid == SealingKey(key.publicKey).id)
        #expect(try data != sealed(), "sealing twice gives other bytes")
    }

    @Test("another party's key does not open it")
    func opensWithNoOtherKey() throws {
        let data = try sealed()
        #expect(throws: (any Error).self) {
            try data.open(
                with: Curve25519.KeyAgreement.PrivateKey(), id: "e-1", type: .handoffDispatched, subject: "h-1")
        }
    }

    @Test(
        "a sealed body that is moved to another message does not open",
        arguments: [
            ("e-2", MessageType.handoffDispatched, "h-1"), ("e-1", .handoffDispatched, "h-2"),
            ("e-1", .handoffRecalled, "h-1"), ("", .handoffDispatched, ""),
        ])
    func doesNotOpenInAnotherMessage(id: String, type: MessageType, subject: String) throws {
        let data = try sealed()
        #expect(throws: (any Error).self) { try data.open(with: key, id: id, type: type, subject: subject) }
    }

    @Test("a tampered or damaged body does not open")
    func doesNotOpenWhenTampered() throws {
        let whole = try sealed()
        var flipped = try #require(Data(base64Encoded: whole.ciphertext))
        flipped[0] ^= 1
        for change in [
            { $0.ciphertext = flipped.base64EncodedString() }, { $0.ciphertext = "" },
            { $0.ciphertext = "not base64!" },
            { $0.enc = "" }, { $0.enc = "AAAA" }, { $0.enc = $0.ciphertext },
            { $0.enc = Data(repeating: 0, count: 32).base64EncodedString() },
        ] as [(inout SealedData) -> Void] {
            var data = whole
            change(&data)
            #expect(throws: (any Error).self) {
                try data.open(with: key, id: "e-1", type: .handoffDispatched, subject: "h-1")
            }
        }
    }

    @Test("a key's id is the first 16 hexadecimal digits of its SHA-256; other bytes are no key")
    func namesKeysByTheirDigest() throws {
        let raw = [UInt8](key.publicKey.rawRepresentation)
        #expect(SealingKey(rawRepresentation: raw)?.id == String(Array(SHA256.hash(data: raw)).hexadecimal.prefix(16)))
        #expect(SealingKey(rawRepresentation: Array(raw.dropLast())) == nil)
        #expect(SealingKey(rawRepresentation: []) == nil)
    }

    @Test(
        "hexadecimal is read in both cases and written in lower case",
        arguments: [
            ("", []), ("00ff", [0, 255]), ("DEADbeef", [0xDE, 0xAD, 0xBE, 0xEF]),
        ] as [(String, [UInt8])])
    func readsHexadecimal(text: String, bytes: [UInt8]) {
        #expect([UInt8](hexadecimal: text) == bytes)
        #expect(bytes.hexadecimal == text.lowercased())
    }

    @Test("a text that is not hexadecimal is refused", arguments: ["0", "0g", " 00", "0x00", "甲甲"])
    func refusesOtherTexts(text: String) { #expect([UInt8](hexadecimal: text) == nil) }
}
