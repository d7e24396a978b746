public import Basics
import Casework
import Crypto
public import Foundation

/// The key of all digests in the database: of submissions, acts, attachments and repeat keys.
///
/// The content of a digest without a key can be guessed: for a report with one unknown name, a thousand names are
/// tried in a millisecond. Each digest is therefore an HMAC-SHA256 under a key derived (HKDF) for its purpose. This
/// key is not the vault key and not derived from it: repeats stay known under a new vault key. This key itself cannot
/// be replaced: under another one no act is recognised.
public struct DigestKey: Sendable {
    public enum Purpose: String, CaseIterable, Sendable {
        /// Bodies as received: inbox, reports, recorded attempts, and ids of messages that have none.
        case acts
        case repeats
        /// Ids of attachments per report.
        case attachments = "papers"
        case parts
        /// Salts of commitments in the ledger.
        case salts
        /// The value that distinguishes this key from another.
        case check
    }

    private let keys: [Purpose: SymmetricKey]
    /// Encrypts the announced SHA-256 of attachments. A unit receives it, and the content of a small attachment could
    /// be guessed from it.
    private let announcedKey: SymmetricKey

    /// - Parameter keyBytes: 32 random bytes.
    public init(keyBytes: [UInt8]) throws(KeyFailure) {
        guard keyBytes.count == 32 else {
            throw KeyFailure(description: "a digest key has 32 bytes, this one \(keyBytes.count)")
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
        try self.init(keyBytes: try KeyFile.bytes(in: keyFile, of: "digest"))
    }

    /// HMAC-SHA256 over the bytes; each purpose has bytes of one meaning.
    public func digest(_ bytes: [UInt8], for purpose: Purpose) -> [UInt8] {
        guard let key = keys[purpose] else { preconditionFailure("every purpose has its key from the start") }
        return Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    }

    /// The salt for a party's acts and messages in a report's chain: `unit.u7`, `source.web`. It is not stored.
    /// `bihuan ledger salt` gives it to that party, who can open with it only commitments to what it already has.
    public func salt(of report: ReportID, for party: String) -> [UInt8] {
        digest(report.bytes + Array(party.utf8), for: .salts)
    }

    /// The id of an attachment of a report, used instead of its SHA-256.
    public func attachment(_ sha256: [UInt8], of report: ReportID) -> [UInt8] {
        digest(report.bytes + sha256, for: .attachments)
    }

    /// The digest of one part of an attachment, for comparison if the part is sent again.
    public func part(_ sha256: [UInt8], of attachment: [UInt8], number: Int) -> [UInt8] {
        digest(attachment + withUnsafeBytes(of: UInt32(clamping: number).bigEndian) { Array($0) } + sha256, for: .parts)
    }

    /// The announced SHA-256 of an attachment as stored: AES-256-GCM, bound to its report.
    public func seal(announced sha256: [UInt8], of report: ReportID) throws -> [UInt8] {
        let box = try AES.GCM.seal(sha256, using: announcedKey, authenticating: report.bytes)
        guard let combined = box.combined else { throw KeyFailure(description: "the box has no standard nonce") }
        return [UInt8](combined)
    }

    public func open(announced sealed: [UInt8], of report: ReportID) throws -> [UInt8] {
        [UInt8](
            try AES.GCM.open(try AES.GCM.SealedBox(combined: sealed), using: announcedKey, authenticating: report.bytes)
        )
    }

    public var checkValue: [UInt8] { digest(Array("check".utf8), for: .check) }

    /// The key that the rules use for repeat keys.
    public var repeatSecret: [UInt8] { digest(Array("key".utf8), for: .repeats) }
}

extension ReportID {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }
}
