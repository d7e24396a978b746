public import Basics
import Casework
import Crypto
public import Foundation

/// The key of all digests that lie in the database: of submissions, acts, papers, and of what repeats are known by.
///
/// A digest without a key tells its content to whoever tries contents: of a report with one unknown name, a thousand
/// names are tried in a millisecond. So each is an HMAC-SHA256 under a key that is derived (HKDF) for its purpose. This
/// key is another one than the vault's, and not derived from it: a new vault key leaves repeats known. It cannot itself
/// be exchanged: with another one no act is known again.
public struct DigestKey: Sendable {
    public enum Purpose: String, CaseIterable, Sendable {
        /// Bodies as they arrived: inbox, reports, noted attempts, ids of what has none.
        case acts
        case repeats
        /// Which paper of which report.
        case attachments = "papers"
        case parts
        /// What commitments in the ledger are salted with.
        case salts
        /// By which this key is told from another.
        case check
    }

    private let keys: [Purpose: SymmetricKey]
    /// Of announced papers' SHA-256, which a unit gets and a small paper's content could be found by.
    private let announcedKey: SymmetricKey

    /// - Parameter keyBytes: 32 random bytes.
    public init(keyBytes: [UInt8]) throws(Vault.Failure) {
        guard keyBytes.count == 32 else {
            throw Vault.Failure(description: "a digest key has 32 bytes, this one \(keyBytes.count)")
        }
        func derived(_ name: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: keyBytes), info: Data("bihuan digests v1 \(name)".utf8),
                outputByteCount: 32)
        }
        keys = Dictionary(uniqueKeysWithValues: Purpose.allCases.map { ($0, derived($0.rawValue)) })
        announcedKey = derived("announced")
    }

    /// Reads a key file: 64 hexadecimal digits on its first line.
    public init(keyFile: URL) throws {
        try self.init(keyBytes: try Vault.keyBytes(in: keyFile, of: "digest"))
    }

    /// HMAC-SHA256 over bytes of one meaning per purpose.
    public func digest(_ bytes: [UInt8], for purpose: Purpose) -> [UInt8] {
        guard let key = keys[purpose] else { preconditionFailure("every purpose has its key from the start") }
        return Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    }

    /// The salt of what a party did or got in a report's chain: `unit.u7`, `source.web`. It stands nowhere. `bihuan
    /// ledger salt` gives it to that party, who can open with it what it knows already, and nothing of anybody else's.
    public func salt(of report: ReportID, for party: String) -> [UInt8] {
        digest(report.bytes + Array(party.utf8), for: .salts)
    }

    /// What a paper of a report is known by, instead of its SHA-256.
    public func attachment(_ sha256: [UInt8], of report: ReportID) -> [UInt8] {
        digest(report.bytes + sha256, for: .attachments)
    }

    /// What a piece of a paper is compared by, should it come again.
    public func part(_ sha256: [UInt8], of attachment: [UInt8], number: Int) -> [UInt8] {
        digest(attachment + withUnsafeBytes(of: UInt32(clamping: number).bigEndian) { Array($0) } + sha256, for: .parts)
    }

    /// The announced SHA-256 of a paper as it lies in the database: AES-256-GCM, bound to its report.
    public func seal(announced sha256: [UInt8], of report: ReportID) throws -> [UInt8] {
        let box = try AES.GCM.seal(sha256, using: announcedKey, authenticating: report.bytes)
        guard let combined = box.combined else { throw Vault.Failure(description: "the box has no standard nonce") }
        return [UInt8](combined)
    }

    public func open(announced sealed: [UInt8], of report: ReportID) throws -> [UInt8] {
        [UInt8](
            try AES.GCM.open(try AES.GCM.SealedBox(combined: sealed), using: announcedKey, authenticating: report.bytes)
        )
    }

    public var checkValue: [UInt8] { digest(Array("check".utf8), for: .check) }

    /// What the rules key their repeats with.
    public var repeatSecret: [UInt8] { digest(Array("key".utf8), for: .repeats) }
}

extension ReportID {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }
}
