import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Testing
@testable import Basics

@testable import bihuan

@Suite("An export that was changed anywhere")
struct LedgerFlipTests {
    @Test("every flipped bit of an export is found; of long runs of digits every seventh is tried")
    func findsEveryFlippedBit() throws {
        let export = try Export()
        #expect(throws: Never.self) { try export.verify(export.lines) }
        for (index, line) in export.lines.enumerated() {
            let runs = Self.longRuns(in: line)
            for bit in 0..<(8 * line.count) where bit % 7 == 0 || !runs.contains(bit / 8) {
                var changed = line
                changed[bit / 8] ^= 1 << (bit % 8)
                // A flip may make a line end, or take one away.
                let tail = (changed + export.lines[(index + 1)...].joined()).split(
                    separator: 10, omittingEmptySubsequences: false)
                let parts =
                    changed.contains(10) && changed.firstIndex(of: 10) == changed.count - 1
                    ? nil : tail.map { Array($0) + [10] }
                let isFound = export.findsFault(after: index, in: parts ?? [changed] + export.lines[(index + 1)...])
                if !isFound {
                    Issue.record("bit \(bit) of line \(index + 1): \(String(decoding: line, as: UTF8.self))")
                }
            }
        }
    }

    @Test("the script finds a flipped bit too: every one in entries, heads and the end, a sample in checkpoints")
    func scriptFindsEveryFlippedBit() throws {
        let export = try Export()
        let file = try export.write(export.lines)
        defer { try? FileManager.default.removeItem(at: file) }
        let result = try Program.run("/usr/bin/env", ["python3", "-c", Self.flipper, Self.script.path, file.path])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        #expect(result.output.contains("not found: 0"), "\(result.output)")
    }

    @Test("swapped ids, unknown keys, added, missing or moved lines and chains, and cut files are found")
    func findsEveryOtherChange() throws {
        let export = try Export()
        let text = export.lines.map { String(decoding: $0, as: UTF8.self) }
        for (name, lines) in try changedFields(of: export, text) + changedLines(of: export, text) {
            #expect(lines != text, "\(name) changes nothing")
            try expectFound(lines.map { Array($0.utf8) }, export, name)
        }
        try expectCutsFound(export)
    }

    /// Changes within lines, by name.
    private func changedFields(of export: Export, _ text: [String]) throws -> [(String, [String])] {
        let (first, second) = (export.reports[0], export.reports[1])
        func swapping(_ key: String) -> [String] {
            text.map { line in
                line.replacing("\"\(key)\":\"\(first)\"", with: "*").replacing(
                    "\"\(key)\":\"\(second)\"", with: "\"\(key)\":\"\(first)\""
                )
                .replacing("*", with: "\"\(key)\":\"\(second)\"")
            }
        }
        return [
            ("ids of two reports swapped", swapping("id")),
            // Uncovered by any checkpoint: the first entry names its report.
            (
                "ids and chains of two reports swapped",
                zip(swapping("id"), swapping("chain")).map { ids, chains in
                    ids == chains
                        ? ids
                        : ids.replacing("\"chain\":\"\(first)\"", with: "*").replacing(
                            "\"chain\":\"\(second)\"", with: "\"chain\":\"\(first)\""
                        )
                        .replacing("*", with: "\"chain\":\"\(second)\"")
                }
            ),
            (
                "a key repeated",
                [text[0].replacing("{", with: "{\"kind\":\"unit\",", maxReplacements: 1)] + text.dropFirst()
            ),
            ("a key unknown", [text[0].replacing("}", with: ",\"note\":1}")] + text.dropFirst()),
            (
                "keys in another order",
                [text[0].replacing(/("kind":"[a-z]+"),("id":"[^"]+")/) { "\($0.2),\($0.1)" }] + text.dropFirst()
            ),
            ("a blank", [text[0].replacing(",", with: ", ", maxReplacements: 1)] + text.dropFirst()),
            (
                "a number written otherwise",
                [text[0].replacing("\"sequence\":1", with: "\"sequence\":1.0")] + text.dropFirst()
            ),
            (
                "digits in capitals",
                [text[0].replacing(/"hash":"[0-9a-f]+"/) { $0.0.uppercased().replacing("HASH", with: "hash") }]
                    + text.dropFirst()
            ),
        ]
    }

    /// Changes of whole lines and chains, by name.
    private func changedLines(of export: Export, _ text: [String]) throws -> [(String, [String])] {
        func without(_ chain: String) -> [String] { text.filter { !$0.contains("\"chain\":\"\(chain)\"") } }
        let added = try Export(moreChains: 1)
        let firstHead = try #require(text.firstIndex { $0.contains("\"head\"") })
        return [
            ("a line doubled", [text[0]] + text), ("an empty line", text.dropLast() + ["\n"] + [text[text.count - 1]]),
            ("two lines exchanged", [text[1], text[0]] + text.dropFirst(2)),
            (
                "two chains exchanged",
                Array(text[(firstHead + 1)...(firstHead + 3)] + text[...firstHead] + text[(firstHead + 4)...])
            ),
            ("a covered chain gone", without(export.covered)),
            ("the checkpoint gone", text.filter { !$0.contains("\"checkpoint\"") }),
            (
                "a chain added",
                added.lines.dropLast().map { String(decoding: $0, as: UTF8.self) } + [text[text.count - 1]]
            ),
            ("a chain without entries", text.filter { !($0.contains("\"sequence\"") && $0.contains(export.covered)) }),
        ]
    }

    /// A file that is cut after any byte is found.
    private func expectCutsFound(_ export: Export) throws {
        let whole = Array(export.lines.joined())
        for count in 0..<whole.count {
            let cut = whole.prefix(count).split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
            let lines = cut.dropLast().map { $0 + [10] } + (cut.last.map { $0.isEmpty ? [] : [$0] } ?? [])
            #expect(throws: (any Error).self, "cut after \(count) bytes") { try export.verify(lines) }
        }
        try expectFound([Array(whole.dropLast())], export, "the last line end gone")
    }

    @Test("a checkpoint by another key than the given one is found, and so is a time that goes back")
    func findsForeignKeysAndBackwardTimes() throws {
        let export = try Export()
        try export.verify(export.lines, pinned: Array(export.key.publicKey.rawRepresentation))
        let other = Array(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)
        let error = #expect(throws: LedgerFault.self) { try export.verify(export.lines, pinned: other) }
        #expect(
            error?.reason == "it was signed with another key than the given one"
                || error?.reason.contains("another key") == true)
        let file = try export.write(export.lines)
        defer { try? FileManager.default.removeItem(at: file) }
        let right = Array(export.key.publicKey.rawRepresentation).hexadecimal
        for (key, status) in [(right, Int32(0)), (other.hexadecimal, 1)] {
            #expect(
                try Program.run("/usr/bin/env", ["python3", Self.script.path, file.path, "--key", key]).status == status
            )
            let ours = try Program.run(Program.bihuan, ["ledger", "verify", "--file", file.path, "--key", key])
            #expect(ours.status == status, "\(ours.errors)")
        }

        let back = try Export(timesGoBack: true)
        let fault = #expect(throws: LedgerFault.self) { try back.verify(back.lines) }
        #expect(fault?.reason == "its time is before that of the entry before")
        try expectFound(back.lines, back, "a time that goes back")
    }

    @Test("the holder of the salt finds the own act in an export, and nobody else does")
    func findsOwnActOnlyWithSalt() throws {
        let export = try Export()
        let file = try export.write(export.lines)
        defer { try? FileManager.default.removeItem(at: file) }
        func find(_ act: String) throws -> Program.Result {
            try Program.run(
                "/usr/bin/env",
                [
                    "python3", Self.script.path, file.path, "--report", export.reports[0], "--salt",
                    Export.salt.hexadecimal, "--act", act,
                ])
        }
        let found = try find("u7-sign-0001")
        #expect(
            found.status == 0 && found.output.contains("entry 2: signed by unit.u7 at 2026-03-02T08:00:01Z"),
            "\(found.output)\(found.errors)")
        let missing = try find("u7-sign-0002")
        #expect(missing.status == 1 && missing.output.contains("has no entry of this act"))
        #expect(
            !String(decoding: Array(export.lines.joined()), as: UTF8.self).contains(
                Data("u7-sign-0001".utf8).base64EncodedString().prefix(12)))
    }

    /// Places amid digits, which all belong to digests, signatures and bytes in Base64.
    private static func longRuns(in line: [UInt8]) -> IndexSet {
        func isDigit(_ byte: UInt8) -> Bool {
            Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber
        }
        var (runs, start) = (IndexSet(), 0)
        for place in line.indices where !isDigit(line[place]) {
            if place - start >= 40 { runs.insert(integersIn: start..<place) }
            start = place + 1
        }
        return runs
    }

    /// Neither the program nor the script says that it is whole.
    private func expectFound(
        _ lines: [[UInt8]], _ export: Export, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = try export.write(lines)
        defer { try? FileManager.default.removeItem(at: file) }
        for command in [
            [Program.bihuan, "ledger", "verify", "--file", file.path],
            ["/usr/bin/env", "python3", Self.script.path, file.path],
        ] {
            let result = try Program.run(command[0], Array(command.dropFirst()))
            #expect(
                result.status != 0 && !result.output.contains("is whole") && result.errors.contains("NOT whole"),
                "\(name): \(result.output)\(result.errors)", sourceLocation: sourceLocation)
        }
    }

    private static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/contract/examples/verify-ledger.py").standardizedFileURL

    /// Flips bits of the file named second and has the script named first look at each. An Ed25519 check in Python
    /// takes milliseconds, so that of the checkpoint's line a sample is taken.
    private static let flipper = """
        import io, random, runpy, sys
        module = runpy.run_path(sys.argv[1], run_name="verify")
        data = open(sys.argv[2], "rb").read()
        start = data.index(b'{"checkpoint"')
        stop = data.index(b"\\n", start)
        random.seed(7)
        bits = [b for b in range(8 * len(data)) if not 8 * start <= b < 8 * stop]
        bits += random.sample(range(8 * start, 8 * stop), 300)
        missed = []
        for bit in bits:
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                module["verify"](io.BytesIO(bytes(changed)), module["Verifier"]())
                missed.append(bit)
            except (module["Fault"], module["Unreadable"]):
                pass
        print(f"flipped: {len(bits)}, not found: {len(missed)} {missed[:5]}")
        """
}

/// A small ledger as an export writes it: an office, a unit and a report under a checkpoint, a report that came later.
private struct Export {
    static let salt = [UInt8](repeating: 9, count: 32)
    let key = Curve25519.Signing.PrivateKey()
    /// With their line ends.
    private(set) var lines: [[UInt8]] = []
    let reports: [String]
    let covered: String

    init(moreChains: Int = 0, timesGoBack: Bool = false) throws {
        let chains = (0..<(4 + moreChains)).map {
            UUID(uuid: (1, 149, 165, 242, 108, 0, 122, 188, 141, 239, 0, 0, 0, 0, 0, UInt8($0)))
        }
        reports = chains[1...2].map(\.lowercased)
        covered = chains[1].lowercased
        var all: [LedgerLine] = []
        var tree = MerkleTree()
        var count = 0
        for (index, chain) in chains.enumerated() {
            let (kind, id): (LedgerSubject.Kind, String) =
                switch index {
                case 0: (.office, LedgerSubject.officeID)
                case 3: (.unit, "u7")
                default: (.report, chain.lowercased)
                }
            var head = LedgerHead.genesis
            for number in 0..<(kind == .report ? 2 : 1) {
                let event =
                    number == 0
                    ? LedgerEvent.first(of: LedgerSubject(kind: kind, id: id))
                    : .moved(HandoffID(chains[0]), .signed, act: Commitment.act("u7-sign-0001", salt: Export.salt))
                // A head that does not know the time before takes any.
                if timesGoBack { head = LedgerHead(hash: head.hash, count: head.count) }
                let at = Instant(
                    microsecondsSinceEpoch: 1_772_438_400_000_000 + Int64(timesGoBack ? -number : number) * 1_000_000)
                let entry = head.append(LedgerRecord(event, at: at, by: number == 0 ? "office.intake" : "unit.u7"))
                let isCovered = index != 2 && index < 4
                all.append(
                    .entry(
                        chain: chain, subject: LedgerSubject(kind: kind, id: id), entry: entry,
                        checkpoint: isCovered ? 1 : nil))
                if isCovered {
                    tree.append(leaf: MerkleTree.leaf(chain: chain, sequence: entry.sequence, hash: entry.hash))
                }
                count += 1
            }
            all.append(.head(chain: chain, subject: LedgerSubject(kind: kind, id: id), head: head))
        }
        var checkpoint = LedgerCheckpoint(
            number: 1, signedAt: Instant(microsecondsSinceEpoch: 1_772_442_000_000_123), entryCount: tree.count,
            root: tree.root, previous: LedgerCheckpoint.nothingBefore, publicKey: [], signature: [])
        try checkpoint.sign(with: key)
        all += [.checkpoint(checkpoint), .end(chains: chains.count, entries: count)]
        lines = all.map { Array(LedgerFile.text($0).utf8) + [10] }
        known = states(lines)
    }

    /// The verifier before each line, so that a change need not be looked for from the start.
    private var known: [LedgerVerifier] = []

    private func states(_ lines: [[UInt8]]) -> [LedgerVerifier] {
        var verifier = LedgerVerifier()
        return lines.enumerated().map { number, line in
            let before = verifier
            // A ledger that is broken on purpose has no state behind the break.
            if let read = try? LedgerFile.line(Array(line.dropLast()), number: number + 1) { try? verifier.take(read) }
            return before
        }
    }

    /// Whether a fault is found in lines at this place.
    func findsFault(after index: Int, in rest: [[UInt8]]) -> Bool {
        do {
            var verifier = known[index]
            for line in rest {
                try verifier.take(try LedgerFile.line(line.last == 10 ? Array(line.dropLast()) : line, number: 0))
            }
            try verifier.finish(lacksLineEnd: rest.last?.last != 10)
            return false
        } catch {
            return true
        }
    }

    func verify(_ lines: [[UInt8]], pinned: [UInt8]? = nil) throws {
        var verifier = LedgerVerifier(pinnedKey: pinned)
        for (number, line) in lines.enumerated() {
            try verifier.take(try LedgerFile.line(line.last == 10 ? Array(line.dropLast()) : line, number: number + 1))
        }
        try verifier.finish(lacksLineEnd: lines.last?.last != 10)
    }

    func write(_ lines: [[UInt8]]) throws -> URL {
        let file = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().uuidString).jsonl")
        try Data(lines.joined()).write(to: file)
        return file
    }
}
