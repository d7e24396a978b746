public import Basics
import Casework
import Crypto
public import Foundation

/// Encrypted bytes as stored: AES-256-GCM, nonce ‖ ciphertext ‖ tag, with the id of the key.
public struct VaultBox: Hashable, Sendable {
    public let keyID: String
    public let sealed: [UInt8]

    /// The size of nonce and tag, which a box has in addition to its bytes.
    public static let overheadBytes = 12 + 16

    public init(keyID: String, sealed: [UInt8]) {
        self.keyID = keyID
        self.sealed = sealed
    }
}

/// Encrypts data that may not be stored in clear: original submissions, dead letters, deferred messages (invariant 6).
///
/// Each box is bound to its owner (`context`), so that exchanged rows are detected.
public struct Vault: Sendable {
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    private let key: SymmetricKey
    /// The first 16 hexadecimal digits of the key's SHA-256, to distinguish keys.
    public let keyID: String

    /// - Parameter keyBytes: 32 random bytes.
    public init(keyBytes: [UInt8]) throws(Failure) {
        guard keyBytes.count == 32 else {
            throw Failure(description: "a vault key has 32 bytes, this one \(keyBytes.count)")
        }
        key = SymmetricKey(data: keyBytes)
        keyID = SHA256.hash(data: keyBytes).prefix(8).reduce(into: "") {
            $0 += String($1 >> 4, radix: 16) + String($1 & 15, radix: 16)
        }
    }

    /// Reads a key file: 64 hexadecimal digits on its first line.
    public init(keyFile: URL) throws {
        try self.init(keyBytes: try Vault.keyBytes(in: keyFile, of: "vault"))
    }

    static func keyBytes(in keyFile: URL, of name: String) throws(Failure) -> [UInt8] {
        let text: String
        do {
            text = try String(contentsOf: keyFile, encoding: .utf8)
        } catch {
            throw Failure(description: "the \(name) key file cannot be read: \(keyFile.path)")
        }
        let digits = Array(text.split(whereSeparator: \.isNewline).first ?? "")
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        guard digits.count == 64, bytes.count == 32 else {
            throw Failure(description: "the \(name) key file must hold 64 hexadecimal digits: \(keyFile.path)")
        }
        return bytes
    }

    /// The value that distinguishes this key from another.
    public var checkValue: [UInt8] {
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key, info: Data("bihuan vault check v1".utf8), outputByteCount: 32)
        return Array(HMAC<SHA256>.authenticationCode(for: Data("check".utf8), using: derived))
    }

    public func seal(_ bytes: [UInt8], context: String) throws -> VaultBox {
        let box = try AES.GCM.seal(bytes, using: key, authenticating: Data(context.utf8))
        guard let combined = box.combined else { throw Failure(description: "the box has no standard nonce") }
        return VaultBox(keyID: keyID, sealed: [UInt8](combined))
    }

    public func open(_ box: VaultBox, context: String) throws -> [UInt8] {
        guard box.keyID == keyID else {
            throw Failure(description: "sealed with key \(box.keyID), but this vault has \(keyID)")
        }
        return [UInt8](
            try AES.GCM.open(
                try AES.GCM.SealedBox(combined: box.sealed), using: key, authenticating: Data(context.utf8)))
    }

    /// The context of a box with a report's original bytes; likewise below.
    public static func context(report id: ReportID) -> String { "report|\(id)" }
    public static func context(message sender: String, _ eventID: String) -> String { "message|\(sender)|\(eventID)" }
    public static func context(deadLetter id: UUID) -> String { "dead|\(id.lowercased)" }
    public static func context(attachment: [UInt8], part: Int, of id: ReportID) -> String {
        "paper|\(id)|\(attachment.hexadecimal)|\(part)"
    }
}
