import CaseStore
import Casework
import Contract
import Foundation
import Testing

@testable import bihuan

@Suite("The ledger, line by line")
struct LedgerLineTests {
    @Test("a whole ledger is found whole, whether read from the books or from an export")
    func whole() throws {
        var verifier = LedgerVerifier()
        for line in try throughExport(Self.ledger()) { try verifier.take(line) }
        try verifier.finish()
        #expect(verifier.entryCount == 5 && verifier.chainCount == 3 && verifier.uncoveredCount == 5)
    }

    @Test("a changed byte, a missing entry, a moved head and a cut file are each named where they are")
    func faults() throws {
        let lines = Self.ledger()
        var changed = lines
        changed[1] = Self.changing(lines[1]) { $0.bytes[0] ^= 1 }
        expect(changed, "report a, entry 2: the hash does not fit")

        var gone = lines
        gone.remove(at: 1)
        expect(gone, "report a, entry 2: the entry is missing; entry 3 comes next")

        var lastGone = lines
        lastGone.remove(at: 2)
        expect(lastGone, "report a, entry 3: the head counts 3 entries, and there are 2")

        var headless = lines
        headless.remove(at: 3)
        expect(headless, "report a, entry 3: the chain has no head")

        var chainGone = lines
        chainGone.removeSubrange(0...2)
        expect(chainGone, "report a, entry 1: the head counts 3 entries, and there are 0")

        expect(Array(lines.dropLast()), "the export was cut off")
        expect(lines + [lines[0]], "something follows the end")

        var coveredByNothing = lines
        if case .entry(let chain, let subject, let entry, _) = lines[0] {
            coveredByNothing[0] = .entry(chain: chain, subject: subject, entry: entry, checkpoint: 4)
        }
        expect(coveredByNothing, "entries name checkpoint 4, which is missing")
    }

    @Test("entries that nobody owns are a fault")
    func unowned() {
        var lines = Self.ledger()
        if case .entry(let chain, _, let entry, let checkpoint) = lines[0] {
            lines[0] = .entry(chain: chain, subject: LedgerSubject(kind: .nobody, id: "x"), entry: entry, checkpoint: checkpoint)
        }
        expect(lines, "nobody x, entry 1: no report, unit or office owns this chain")
    }

    @Test("the Merkle root is that of RFC 6962 for any number of leaves", arguments: 0...17)
    func merkle(count: Int) {
        let leaves = (0..<count).map { [UInt8(truncatingIfNeeded: $0), 7] }
        var tree = MerkleTree()
        for leaf in leaves { tree.append(leaf: leaf) }
        #expect(tree.root == Self.referenceRoot(leaves[...]))
        #expect(tree.count == count)
    }

    // MARK: Made by hand

    private static func ledger() -> [LedgerLine] {
        var lines: [LedgerLine] = []
        for (index, (name, count)) in [("a", 3), ("b", 0), ("c", 2)].enumerated() {
            let chain = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(index)))
            let subject = LedgerSubject(kind: index == 1 ? .unit : .report, id: name)
            var head = LedgerHead.genesis
            for number in 0..<count {
                let event = LedgerEvent("registered", at: Instant(microsecondsSinceEpoch: Int64(number)), by: "office.intake")
                lines.append(.entry(chain: chain, subject: subject, entry: head.append(event), checkpoint: nil))
            }
            lines.append(.head(chain: chain, subject: subject, head: head))
        }
        return lines + [.end(chains: 3, entries: 5)]
    }

    private static func changing(_ line: LedgerLine, _ change: (inout LedgerEntry) -> Void) -> LedgerLine {
        guard case .entry(let chain, let subject, var entry, let checkpoint) = line else { return line }
        change(&entry)
        return .entry(chain: chain, subject: subject, entry: entry, checkpoint: checkpoint)
    }

    private func throughExport(_ lines: [LedgerLine]) throws -> [LedgerLine] {
        try lines.enumerated().map { try LedgerFile.line(Array(LedgerFile.text($0.element).utf8), number: $0.offset + 1) }
    }

    private func expect(_ lines: [LedgerLine], _ fault: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: LedgerFault.self, sourceLocation: sourceLocation) {
            var verifier = LedgerVerifier()
            for line in try throughExport(lines) { try verifier.take(line) }
            try verifier.finish()
        }
        #expect(error?.description.contains(fault) == true, "\(error?.description ?? "none")", sourceLocation: sourceLocation)
    }

    /// The definition of RFC 6962, section 2.1, word for word.
    private static func referenceRoot(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        func digest(_ bytes: [UInt8]) -> [UInt8] { LedgerDigest.sha256(bytes) }
        guard let first = leaves.first else { return digest([]) }
        if leaves.count == 1 { return digest([0] + first) }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        let middle = leaves.startIndex + split
        return digest([1] + referenceRoot(leaves[..<middle]) + referenceRoot(leaves[middle...]))
    }
}

/// SHA-256 by way of the chain's own rule is no check of it, so the system's is asked.
private enum LedgerDigest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        let input = Pipe()
        let output = Pipe()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/sha256sum")
        process.standardInput = input
        process.standardOutput = output
        guard (try? process.run()) != nil else { return [] }
        input.fileHandleForWriting.write(Data(bytes))
        try? input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return [UInt8](hexadecimal: String(text.prefix(64))) ?? []
    }
}
