import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Testing

@Suite("The vault")
struct VaultTests {
    private static let noon = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    private let key = VaultKey(Curve25519.KeyAgreement.PrivateKey())
    private let reports = (0..<2).map { _ in ReportID.make(at: VaultTests.noon) }

    @Test("an epoch is one process and hour; only the private key opens what was sealed in any of them")
    func opensWithPrivateKeyOnly() throws {
        let vault = Vault(recipient: key.recipient)
        let originals = try [0.0, 3599, 3600].map {
            try vault.seal([1, 2, 3], of: reports[0], at: Self.noon.adding(seconds: $0))
        }
        #expect(originals[0].epoch == originals[1].epoch && originals[1].epoch != originals[2].epoch)
        let other = try Vault(recipient: key.recipient).seal([1, 2, 3], of: reports[0], at: Self.noon)
        #expect(other.epoch != originals[0].epoch)
        for original in originals + [other] {
            #expect(try key.open(original, of: reports[0]) == [1, 2, 3])
            #expect(throws: (any Error).self) {
                try VaultKey(Curve25519.KeyAgreement.PrivateKey()).open(original, of: reports[0])
            }
        }
        // A report's own key and box are new each time.
        #expect(Set(originals.map(\.wrapped)).count == 3 && Set(originals.map(\.sealed)).count == 3)
    }

    @Test("an epoch that was ended is not used again, and a running one is kept")
    func endsEpochs() throws {
        let vault = Vault(recipient: key.recipient)
        func epoch(_ seconds: Double) throws -> UUID {
            try vault.seal([1], of: reports[0], at: Self.noon.adding(seconds: seconds)).epoch.id
        }
        let first = try epoch(0)
        vault.endEpoch(at: Self.noon.adding(seconds: 3599))
        #expect(try epoch(1) == first)
        vault.endEpoch(at: Self.noon.adding(seconds: 3600))
        // Also of the same hour: the key is gone.
        #expect(try epoch(2) != first)
    }

    @Test("an epoch's key in another row's place is refused; so is a report's key, and a box")
    func refusesExchangedRows() throws {
        let vault = Vault(recipient: key.recipient)
        let one = try vault.seal([1], of: reports[0], at: Self.noon)
        let two = try vault.seal([2], of: reports[1], at: Self.noon)
        let later = try vault.seal([3], of: reports[0], at: Self.noon.adding(seconds: 7200))
        func refuses(_ epoch: EpochKey, _ wrapped: [UInt8], _ sealed: [UInt8]) {
            #expect(throws: (any Error).self) {
                try key.open(Original(epoch: epoch, wrapped: wrapped, sealed: sealed), of: reports[0])
            }
        }
        refuses(
            EpochKey(
                id: one.epoch.id, recipient: one.epoch.recipient, sealed: later.epoch.sealed, madeAt: one.epoch.madeAt),
            one.wrapped, one.sealed)
        refuses(later.epoch, one.wrapped, one.sealed)
        refuses(one.epoch, two.wrapped, one.sealed)
        refuses(one.epoch, two.wrapped, two.sealed)
        refuses(one.epoch, one.wrapped, two.sealed)
        refuses(
            EpochKey(id: one.epoch.id, recipient: one.epoch.recipient, sealed: [1], madeAt: one.epoch.madeAt),
            one.wrapped, one.sealed)
    }

    @Test("another vault key seals epochs anew, and no report: the new one opens them, the old one no more")
    func resealsEpochsOnly() throws {
        let vault = Vault(recipient: key.recipient)
        let next = VaultKey(Curve25519.KeyAgreement.PrivateKey())
        let original = try vault.seal([1], of: reports[0], at: Self.noon)
        let epoch = try key.reseal(original.epoch, for: next.recipient)
        #expect(epoch.id == original.epoch.id && epoch.recipient == next.recipient.id)
        let rotated = Original(epoch: epoch, wrapped: original.wrapped, sealed: original.sealed)
        #expect(try next.open(rotated, of: reports[0]) == [1])
        #expect(throws: KeyFailure.self) { try key.open(rotated, of: reports[0]) }
        #expect(Vault(recipient: key.recipient).checkValue != Vault(recipient: next.recipient).checkValue)
    }
}

@Suite("The keys of boxes")
struct BoxKeysTests {
    private static let bytes = Dictionary(
        uniqueKeysWithValues: BoxKind.allCases.map { ($0, Array(repeating: UInt8(7), count: 32)) })
    private static let report = ReportID.make(at: Instant(microsecondsSinceEpoch: 0))
    private static let owners: [BoxOwner] = [
        .attachmentPart(attachment: [1], part: 1, of: report), .deadLetter(UUID()),
        .deferred(InboxKey(sender: "unit.d1", eventID: "e")),
        .handoff(HandoffID.make(at: Instant(microsecondsSinceEpoch: 0))),
    ]

    @Test("a box opens for its row only, under the key of its kind, even if all files hold the same bytes")
    func bindsBoxToKindAndRow() throws {
        let keys = try BoxKeys(Self.bytes)
        #expect(Set(BoxKind.allCases.map { keys.id(of: $0) }).count == BoxKind.allCases.count)
        for (index, owner) in Self.owners.enumerated() {
            let box = try keys.seal([1, 2], for: owner)
            #expect(try keys.open(box, of: owner) == [1, 2])
            for (other, foreign) in Self.owners.enumerated() where other != index {
                #expect(throws: (any Error).self) { try keys.open(box, of: foreign) }
            }
        }
        let letter = try keys.seal([1], for: .deadLetter(UUID()))
        #expect(throws: (any Error).self) { try keys.open(letter, of: .deadLetter(UUID())) }
    }

    @Test("a worker holds the keys that it needs, and says which one it lacks")
    func holdsOnlyNeeded() throws {
        let all = try BoxKeys(Self.bytes)
        let held = Worker.allCases.map { worker in
            BoxKind.allCases.filter { all.held(by: worker).id(of: $0) != nil }.map(\.rawValue)
        }
        #expect(
            Dictionary(uniqueKeysWithValues: zip(Worker.allCases, held)) == [
                .intake: ["attachments", "dead-letters"], .routing: ["dead-letters", "handoffs"],
                .deadlines: ["dead-letters"], .feedback: ["dead-letters", "deferred"],
            ])
        let intake = all.held(by: .intake)
        let failure = #expect(throws: KeyFailure.self) {
            try intake.seal([1], for: .handoff(HandoffID.make(at: Instant(microsecondsSinceEpoch: 0))))
        }
        #expect(failure?.description == "this worker has no key of handoffs")
    }

    @Test("a missing or malformed key file is named")
    func namesBadFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for kind in [BoxKind.attachments, .deadLetters] {
            let file = kind.file(in: folder)
            let missing = #expect(throws: KeyFailure.self) { try BoxKeys.read([kind], in: folder) }
            #expect(missing?.description == "the \(kind.rawValue) key file cannot be read: \(file.path)")
            try Data("ab\n".utf8).write(to: file)
            let short = #expect(throws: KeyFailure.self) { try BoxKeys.read([kind], in: folder) }
            #expect(short?.description == "the \(kind.rawValue) key file must hold 64 hexadecimal digits: \(file.path)")
            try Data(String(repeating: "ab", count: 32).utf8).write(to: file)
            #expect(try BoxKeys.read([kind], in: folder).id(of: kind) != nil)
        }
    }
}
