package import Basics
import CaseStore
import Casework
package import Contract
import Crypto
package import Foundation

/// The keys of an office on this machine, one file each, readable only by its owner: 64 hexadecimal digits.
///
/// Existing keys are kept: with a new key of boxes nothing sealed before could be read, and with a new digest key no
/// stored digest would match.
package struct KeyFiles: Sendable {
    package let directory: URL

    package init(directory: URL) {
        self.directory = directory
    }

    /// The private half of the vault's key. No worker reads it.
    package var vault: URL { directory.appending(path: "vault.key") }
    package var boxes: URL { directory.appending(path: "keys") }
    package var digest: URL { directory.appending(path: "digest.key") }
    package var checkpoint: URL { directory.appending(path: "checkpoint.key") }

    /// The private half of a unit's sealing key, for the simulated unit. In production only the unit has it.
    package func sealing(_ unit: UnitID) -> URL { directory.appending(path: "keys/unit-\(unit).key") }

    /// Creates the missing keys of boxes, digests and checkpoints.
    package func makeOfficeKeys() throws(UserError) {
        for kind in BoxKind.allCases {
            _ = try kept(kind.file(in: boxes)) { SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) } }
        }
        _ = try kept(digest) { SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) } }
        _ = try kept(checkpoint) { Array(Curve25519.Signing.PrivateKey().rawRepresentation) }
    }

    /// The public half of the vault's key; created if missing.
    package func vaultKey() throws(UserError) -> SealingKey { SealingKey(try publicKey(in: vault)) }

    /// The public half of a unit's sealing key; created if missing.
    package func sealingKey(of unit: UnitID) throws(UserError) -> [UInt8] {
        Array(try publicKey(in: sealing(unit)).rawRepresentation)
    }

    private func publicKey(in file: URL) throws(UserError) -> Curve25519.KeyAgreement.PublicKey {
        let bytes = try kept(file) { Array(Curve25519.KeyAgreement.PrivateKey().rawRepresentation) }
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes) else {
            throw UserError("\(file.path) holds no X25519 key: restore it from a backup")
        }
        return key.publicKey
    }

    /// The 32 bytes of a key file.
    package static func read(_ file: URL) throws(UserError) -> [UInt8] {
        try SecretFile.check(file.path)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            throw UserError("the key file \(file.path) is missing or cannot be read: restore it from a backup")
        }
        guard let bytes = [UInt8](hexadecimal: text.trimmingCharacters(in: .whitespacesAndNewlines)), bytes.count == 32
        else {
            throw UserError("the key file \(file.path) must hold 64 hexadecimal digits: restore it from a backup")
        }
        return bytes
    }

    /// Makes a key of 32 random bytes; each kind of key is that.
    static func makeKey(_ file: URL) throws(UserError) {
        try makePrivateDirectory(file.deletingLastPathComponent())
        try writePrivately(SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }.hexadecimal + "\n", to: file)
    }

    private func kept(_ file: URL, new: () -> [UInt8]) throws(UserError) -> [UInt8] {
        if FileManager.default.fileExists(atPath: file.path) { return try KeyFiles.read(file) }
        let bytes = new()
        try makePrivateDirectory(file.deletingLastPathComponent())
        try writePrivately(bytes.hexadecimal + "\n", to: file)
        return bytes
    }
}

/// Creates a folder that only its owner may enter, if it is missing.
func makePrivateDirectory(_ folder: URL) throws(UserError) {
    if FileManager.default.fileExists(atPath: folder.path) { return }
    do {
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
        throw UserError("the folder \(folder.path) cannot be made: \(String(cString: strerror(errno)))")
    }
}

/// Writes a file that only its owner may read. The file exists whole or not at all, and nothing else is left.
/// - Parameter mode: another mode, for a file without secrets.
package func writePrivately(_ text: String, to file: URL, mode: UInt32 = 0o600) throws(UserError) {
    let unfinished = file.path + ".new"
    unlink(unfinished)
    let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    var isWritten = descriptor >= 0
    if isWritten {
        isWritten =
            writeAll(Array(text.utf8), to: descriptor) && fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0
            && rename(unfinished, file.path) == 0
    }
    guard !isWritten else {
        close(descriptor)
        return
    }
    let reason = String(cString: strerror(errno))
    if descriptor >= 0 {
        close(descriptor)
        unlink(unfinished)
    }
    throw UserError("\(file.path) cannot be written: \(reason)")
}

private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno != EINTR { return false }
        rest = rest.dropFirst(max(0, count))
    }
    return true
}

/// A password of 128 random bits as hexadecimal digits; it needs no escaping anywhere.
package func randomPassword() -> String {
    (0..<16).map { _ in UInt8.random(in: .min ... .max) }.hexadecimal
}
