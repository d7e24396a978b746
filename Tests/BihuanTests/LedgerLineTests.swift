import CaseStore
import Casework
import Contract
import Foundation
import Testing
@testable import Basics

@testable import bihuan

@Suite("The ledger, line by line")
struct LedgerLineTests {
    @Test("a whole ledger is found whole, whether it is read from the tables or from an export")
    func acceptsWholeLedger() throws {
        var verifier = LedgerVerifier()
        for line in try throughExport(Self.ledger()) { try verifier.take(line) }
        try verifier.finish()
        #expect(verifier.entryCount == 6 && verifier.chainCount == 3 && verifier.uncoveredCount == 6)
    }

    @Test("a changed byte, a missing entry, a moved head and a cut file are each located")
    func locatesEveryFault() throws {
        let lines = Self.ledger()
        var changed = lines
        changed[1] = Self.changing(lines[1]) { $0.bytes[0] ^= 1 }
        expect(changed, "report \(Self.reportA), entry 2: the hash does not fit")

        var gone = lines
        gone.remove(at: 1)
        expect(gone, "report \(Self.reportA), entry 2: the entry is missing; entry 3 comes next")

        var lastGone = lines
        lastGone.remove(at: 2)
        expect(lastGone, "report \(Self.reportA), entry 3: the head counts 3 entries, and there are 2")

        var headless = lines
        headless.remove(at: 3)
        expect(headless, "report \(Self.reportA), entry 3: the chain has no head")

        var chainGone = lines
        chainGone.removeSubrange(0...2)
        expect(chainGone, "report \(Self.reportA), entry 1: the head counts 3 entries, and there are 0")

        expect(Array(lines.dropLast()), "the export was cut off")
        expect(lines + [lines[0]], "something follows the end")

        var coveredByNothing = lines
        if case .entry(let chain, let subject, let entry, _) = lines[0] {
            coveredByNothing[0] = .entry(chain: chain, subject: subject, entry: entry, checkpoint: 4)
        }
        expect(coveredByNothing, "entries name checkpoint 4, which is missing")
    }

    @Test("entries without an owner are a fault")
    func reportsUnownedEntries() {
        var lines = Self.ledger()
        if case .entry(let chain, _, let entry, let checkpoint) = lines[0] {
            lines[0] = .entry(
                chain: chain, subject: LedgerSubject(kind: .nobody, id: Self.reportA), entry: entry,
                checkpoint: checkpoint)
        }
        expect(lines, "nobody \(Self.reportA), entry 1: no report, unit or office owns this chain")
    }

    @Test("the Merkle roots are those published for RFC 6962")
    func computesPublishedMerkleRoots() {
        var tree = MerkleTree()
        var roots = [tree.root.hexadecimal]
        for leaf in Self.leaves {
            tree.append(leaf: [UInt8](hexadecimal: leaf) ?? [])
            roots.append(tree.root.hexadecimal)
        }
        #expect(roots == Self.roots)
    }

    /// The leaves and roots by which implementations of Certificate Transparency test themselves.
    private static let leaves = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    private static let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    // MARK: Made by hand

    private static let reportA = "00000000-0000-0000-0000-000000000000"

    private static func ledger() -> [LedgerLine] {
        var lines: [LedgerLine] = []
        for (index, (kind, count)) in [(LedgerSubject.Kind.report, 3), (.unit, 1), (.report, 2)].enumerated() {
            let chain = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(index)))
            let subject = LedgerSubject(kind: kind, id: kind == .report ? chain.lowercased : "d1")
            var head = LedgerHead.genesis
            for number in 0..<count {
                let record = LedgerRecord(
                    .first(of: subject), at: Instant(microsecondsSinceEpoch: Int64(number)), by: "office.intake")
                lines.append(.entry(chain: chain, subject: subject, entry: head.append(record), checkpoint: nil))
            }
            lines.append(.head(chain: chain, subject: subject, head: head))
        }
        return lines + [.end(chains: 3, entries: 6)]
    }

    private static func changing(_ line: LedgerLine, _ change: (inout LedgerEntry) -> Void) -> LedgerLine {
        guard case .entry(let chain, let subject, var entry, let checkpoint) = line else { return line }
        change(&entry)
        return .entry(chain: chain, subject: subject, entry: entry, checkpoint: checkpoint)
    }

    private func throughExport(_ lines: [LedgerLine]) throws -> [LedgerLine] {
        try lines.enumerated().map {
            try LedgerFile.line(Array(LedgerFile.text($0.element).utf8), number: $0.offset + 1)
        }
    }

    private func expect(_ lines: [LedgerLine], _ fault: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: LedgerFault.self, sourceLocation: sourceLocation) {
            var verifier = LedgerVerifier()
            for line in try throughExport(lines) { try verifier.take(line) }
            try verifier.finish()
        }
        #expect(
            error?.description.contains(fault) == true, "\(error?.description ?? "none")",
            sourceLocation: sourceLocation)
    }
}

extension LedgerEvent {
    /// What begins a subject's chain.
    static func first(of subject: LedgerSubject) -> LedgerEvent {
        guard let report = ReportID(subject.id) else { return .entered(subject) }
        return .registered(
            .init(
                of: Report(
                    id: report, number: Report.number(year: 2026, serial: 1), source: SourceID(unchecked: "letter"),
                    submissionID: "s", digest: [], state: .registered, sourceKind: "letter", matterKind: nil,
                    region: nil, realName: false, receivedAt: Instant(microsecondsSinceEpoch: 0),
                    registeredAt: Instant(microsecondsSinceEpoch: 0), verdict: .registered, rule: "r", reason: nil,
                    authority: nil, repeatOf: nil, receiptOnly: false, handoffCount: 0, head: .genesis), commitment: "")
        )
    }
}
