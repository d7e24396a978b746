import Basics
import CaseStore
import Casework
import Contract
import Foundation

/// An exported ledger as JSON lines; docs/ledger.md describes them.
enum LedgerFile {
    /// A limit above the length of any entry's line.
    static let lineBytesMax = 1 << 20

    /// Writes a line. All values are digits, ids and base64, which need no escape.
    static func text(_ line: LedgerLine) -> String {
        switch line {
        case .entry(let chain, let subject, let entry, let checkpoint):
            let covered = checkpoint.map { ",\"covered_by\":\($0)" } ?? ""
            return
                """
                {\(place(chain, subject)),\"sequence\":\(entry.sequence),\
                \"bytes\":\"\(Data(entry.bytes).base64EncodedString())\",
                """
                    + "\"hash\":\"\(entry.hash.hexadecimal)\"\(covered)}"
        case .head(let chain, let subject, let head):
            return "{\(place(chain, subject)),\"head\":\"\(head.hash.hexadecimal)\",\"count\":\(head.count)}"
        case .checkpoint(let checkpoint):
            return
                """
                {\"checkpoint\":\(checkpoint.number),\"signed_at\":\"\(checkpoint.signedAt)\",\
                \"entries\":\(checkpoint.entryCount),
                """
                    + "\"root\":\"\(checkpoint.root.hexadecimal)\",\"previous\":\"\(checkpoint.previous.hexadecimal)\","
                        + """
                        \"public_key\":\"\(checkpoint.publicKey.hexadecimal)\",\
                        \"signature\":\"\(checkpoint.signature.hexadecimal)\"}
                        """
        case .end(let chains, let entries):
            return "{\"end\":true,\"chains\":\(chains),\"entries\":\(entries)}"
        }
    }

    /// Reads exactly what `text` writes, byte for byte: a repeated, unknown or moved key or another spelling of a
    /// value is an error.
    static func line(_ bytes: [UInt8], number: Int) throws(UserError) -> LedgerLine {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(bytes)), let line = fields.line,
            Array(text(line).utf8) == bytes
        else {
            throw UserError("line \(number) is not as an export writes it: the ledger is NOT whole")
        }
        return line
    }

    private static func place(_ chain: UUID, _ subject: LedgerSubject) -> String {
        "\"chain\":\"\(chain.lowercased)\",\"kind\":\"\(subject.kind.rawValue)\",\"id\":\"\(subject.id)\""
    }

    /// The possible fields of a line; the fields present determine its kind.
    private struct Fields: Decodable {
        var chain: UUID?
        var kind: LedgerSubject.Kind?
        var id: String?
        var sequence: Int?
        var bytes: String?
        var hash: String?
        var covered_by: Int?
        var head: String?
        var count: Int?
        var checkpoint: Int?
        var signed_at: Instant?
        var entries: Int?
        var root: String?
        var previous: String?
        var public_key: String?
        var signature: String?
        var end: Bool?
        var chains: Int?

        var line: LedgerLine? {
            if let chain, let kind, let id {
                let subject = LedgerSubject(kind: kind, id: id)
                if let sequence, let bytes = bytes.flatMap({ Data(base64Encoded: $0) }), let hash = digits(hash) {
                    return .entry(
                        chain: chain, subject: subject,
                        entry: LedgerEntry(sequence: sequence, bytes: Array(bytes), hash: hash), checkpoint: covered_by)
                }
                if let head = digits(head), let count {
                    return .head(chain: chain, subject: subject, head: LedgerHead(hash: head, count: count))
                }
            }
            if let checkpoint, let signed_at, let entries, let root = digits(root), let previous = digits(previous),
                let key = digits(public_key), let signature = digits(signature)
            {
                return .checkpoint(
                    LedgerCheckpoint(
                        number: checkpoint, signedAt: signed_at, entryCount: entries, root: root, previous: previous,
                        publicKey: key, signature: signature))
            }
            if end == true, let chains, let entries { return .end(chains: chains, entries: entries) }
            return nil
        }

        private func digits(_ text: String?) -> [UInt8]? { text.flatMap { [UInt8](hexadecimal: $0) } }
    }
}
