import Basics
import Casework
import Foundation
import Testing

/// The hashes were worked out by another program (Python's hashlib): SHA-256(previous ‖ sequence, eight bytes, most
/// significant first ‖ bytes).
@Suite("The ledger")
struct LedgerTests {
    static let handoff = HandoffID("0195a5f2-6c00-7abc-8def-000000000002") ?? HandoffID.make(at: CaseFileTests.now)
    static let records = [
        LedgerRecord(
            .registered(.init(of: report, commitment: "c-1")), at: instant("2026-03-02T08:00:00Z"),
            by: "office.intake"),
        LedgerRecord(.moved(handoff, .signed, act: "a-1"), at: instant("2026-03-02T08:00:01.5Z"), by: "unit.d1"),
        LedgerRecord(.moved(handoff, .recalled, act: "a-2"), at: instant("2026-03-03T00:00:00Z"), by: "person.li"),
    ]
    static let texts = [
        #"""
        {"at":"2026-03-02T08:00:00Z","by":"office.intake","commitment":"c-1","event":"registered",\#
        "number":"2026-00000123","report":"0195a5f2-6c00-7abc-8def-000000000001","rule":"test@1/row",\#
        "source":"letter","verdict":"registered"}
        """#,
        #"""
        {"act":"a-1","at":"2026-03-02T08:00:01.500000Z","by":"unit.d1","event":"signed",\#
        "handoff":"0195a5f2-6c00-7abc-8def-000000000002"}
        """#,
        #"""
        {"act":"a-2","at":"2026-03-03T00:00:00Z","by":"person.li","event":"recalled",\#
        "handoff":"0195a5f2-6c00-7abc-8def-000000000002"}
        """#,
    ]
    static let hashes = [
        "dd87e1cb7c8b64a2f9c465689ed753d9a85be8d0adbe0196ecbfdd7769fcb4c2",
        "6e915609b5a5afd518020081371bea4d61204569fa28411065949a2da1770616",
        "3aad7d6ba7b62ed22ff21240e83ff019efea222355f1510259fd5ea6279b524b",
    ]

    static func chain() -> (entries: [LedgerEntry], head: LedgerHead) {
        var head = LedgerHead.genesis
        let entries = records.map { head.append($0) }
        return (entries, head)
    }

    @Test("the bytes of an event are JSON with sorted keys, and never change")
    func writesSortedJSON() {
        #expect(Self.records.map { String(decoding: $0.bytes, as: UTF8.self) } == Self.texts)
    }

    @Test("the hashes of a chain match the documented layout")
    func hashVectors() {
        let (entries, head) = Self.chain()
        #expect(entries.map { hex($0.hash) } == Self.hashes)
        #expect(entries.map(\.sequence) == [1, 2, 3])
        #expect(head == LedgerHead(hash: entries[2].hash, count: 3))
        #expect(LedgerHead.genesis == LedgerHead(hash: [UInt8](repeating: 0, count: 32), count: 0))
    }

    @Test(
        "the sequence is hashed as eight bytes, most significant first",
        arguments: [
            (1, "", "08e00266fff0aacc64974f22a53622a7dc458ac1b5fd446ae7c99a4a99a564e6"),
            (0x0102_0304_0506_0708, "x", "9f109933236b5dbed4afc309743d046077ba330e5c2a161d48b99a98b0679c7e"),
        ])
    func hashesSequenceBigEndian(sequence: Int, bytes: String, expected: String) {
        let hash = LedgerHead.hash(previous: LedgerHead.genesis.hash, sequence: sequence, bytes: Array(bytes.utf8))
        #expect(hex(hash) == expected)
    }

    @Test("an untouched chain has no break")
    func findsNoBreakInWholeChain() {
        let (entries, head) = Self.chain()
        #expect(LedgerHead.firstBreak(in: entries, endingIn: head) == nil)
        #expect(LedgerHead.firstBreak(in: [], endingIn: .genesis) == nil)
    }

    @Test("a changed bit is found at its entry", arguments: 0..<3)
    func locatesChangedBit(index: Int) {
        let (entries, head) = Self.chain()
        for bit in stride(from: 0, to: entries[index].bytes.count * 8, by: 7) {
            var tampered = entries
            tampered[index].bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(LedgerHead.firstBreak(in: tampered, endingIn: head) == index + 1)
        }
        var tampered = entries
        tampered[index].hash[31] ^= 1
        #expect(LedgerHead.firstBreak(in: tampered, endingIn: head) == index + 1)
    }

    @Test("a rewritten entry with a matching hash breaks its successor; the last one breaks the head")
    func findsRewrittenEntry() {
        let (entries, head) = Self.chain()
        for index in entries.indices {
            var forged = entries
            forged[index].bytes = Array(#"{"event":"closed"}"#.utf8)
            let previous = index == 0 ? LedgerHead.genesis.hash : entries[index - 1].hash
            forged[index].hash = LedgerHead.hash(previous: previous, sequence: index + 1, bytes: forged[index].bytes)
            #expect(LedgerHead.firstBreak(in: forged, endingIn: head) == index + 2)
        }
    }

    @Test("missing, swapped, doubled and renumbered entries are found")
    func findsWrongOrder() {
        let (entries, head) = Self.chain()
        func firstBreak(_ order: [Int]) -> Int? { LedgerHead.firstBreak(in: order.map { entries[$0] }, endingIn: head) }
        #expect(firstBreak([1, 2]) == 1)
        #expect(firstBreak([0, 2]) == 2)
        #expect(firstBreak([1, 0, 2]) == 1)
        #expect(firstBreak([0, 2, 1]) == 2)
        #expect(firstBreak([0, 0, 1, 2]) == 2)
        var renumbered = entries
        renumbered[1].sequence = 3
        #expect(LedgerHead.firstBreak(in: renumbered, endingIn: head) == 2)
    }

    @Test("a tail that was cut off or extended does not match the head")
    func findsCutOrExtendedTail() {
        let (entries, head) = Self.chain()
        #expect(LedgerHead.firstBreak(in: entries.dropLast(), endingIn: head) == 3)
        #expect(LedgerHead.firstBreak(in: [], endingIn: head) == 1)
        var longer = head
        let extra = longer.append(
            LedgerRecord(
                .moved(Self.handoff, .sentAgain, act: "a-3"), at: Self.instant("2026-03-04T00:00:00Z"), by: "person.li")
        )
        #expect(LedgerHead.firstBreak(in: entries + [extra], endingIn: head) == 4)
        #expect(LedgerHead.firstBreak(in: entries + [extra], endingIn: longer) == nil)
    }

    @Test("the bytes of any event are printable JSON, and its content forges no field")
    func forgesNoFields() throws {
        let nasty = [
            "\"", "\\", "\u{0}", "\r\n", "中文", "a\",\"by\":\"person.li", "\u{1F600}", "e\u{301}", "\u{7F}", "", " ",
        ]
        for text in nasty {
            let move = HandoffMove.returned(reason: text, rule: text)
            let record = LedgerRecord(
                .moved(Self.handoff, move, act: text), at: Self.instant("2026-03-02T08:00:00Z"), by: text)
            #expect(record.bytes.allSatisfy { (0x20...0x7E).contains($0) })
            let fields = try JSONDecoder().decode([String: String].self, from: Data(record.bytes))
            #expect(fields.count == 7)
            #expect(fields["at"] == "2026-03-02T08:00:00Z" && fields["event"] == "returned")
            #expect(Set(["act", "by", "reason", "rule"].map { fields[$0] }) == [fields["by"]])
        }
    }

    @Test("a commitment is SHA-256(salt ‖ digest), and another salt gives another commitment")
    func commitsWithSalt() {
        let digest = bytes("230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5")
        let salt = (0..<16).map { UInt8($0) }
        #expect(
            Commitment.make(digest, salt: salt) == "87a253628ff4bd94ae14e6e560e47b01a42d09c7a57d9834fde17d4a2cd4ba01")
        #expect(Commitment.make(digest, salt: salt.reversed()) != Commitment.make(digest, salt: salt))
    }

    // MARK: -

    private static var report: Report {
        CaseFileTests.report(id: ReportID("0195a5f2-6c00-7abc-8def-000000000001"))
    }

    private static func instant(_ text: String) -> Instant { Instant(text) ?? Instant(microsecondsSinceEpoch: 0) }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
    }
}
