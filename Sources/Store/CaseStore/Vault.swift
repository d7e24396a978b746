public import Basics
public import Contract
public import Crypto
public import Foundation
import Synchronization

/// The original of a report as stored. Its own key encrypts it; the epoch's key wraps that key; the epoch's key is
/// sealed for the holder of the vault's private key.
public struct Original: Hashable, Sendable {
    public let epoch: EpochKey
    /// The report's own key under the epoch's key, bound to report and epoch. Without it nobody can read this report's
    /// original, and every other can still be read.
    public let wrapped: [UInt8]
    /// The original bytes under the report's own key, bound to the report.
    public let sealed: [UInt8]

    public init(epoch: EpochKey, wrapped: [UInt8], sealed: [UInt8]) {
        self.epoch = epoch
        self.wrapped = wrapped
        self.sealed = sealed
    }
}

/// The key of one process and hour as stored. Another private key of the vault costs one new seal for each epoch, and
/// touches no report.
public struct EpochKey: Hashable, Sendable {
    public let id: UUID
    /// The id of the public key for which it is sealed.
    public let recipient: String
    /// Encapsulated key ‖ ciphertext: HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305, bound to `id`.
    public let sealed: [UInt8]
    public let madeAt: Instant

    public init(id: UUID, recipient: String, sealed: [UInt8], madeAt: Instant) {
        self.id = id
        self.recipient = recipient
        self.sealed = sealed
        self.madeAt = madeAt
    }
}

/// Seals the originals of reports (invariant 6). One for each process, shared by its lanes.
///
/// It holds the key of the running hour, in memory only. Once the hour is over it cannot open what it sealed: only the
/// vault's private key can, which no worker has.
public final class Vault: Sendable {
    private struct Epoch {
        let hour: Int64
        let key: SymmetricKey
        let stored: EpochKey

        init(_ hour: Int64, at wall: Instant, for recipient: SealingKey) throws {
            self.hour = hour
            key = SymmetricKey(size: .bits256)
            stored = try EpochKey(sealing: key, as: UUID.version7(at: wall), madeAt: wall, for: recipient)
        }
    }

    private let recipient: SealingKey
    private let running = Mutex<Epoch?>(nil)

    public init(recipient: SealingKey) { self.recipient = recipient }

    /// The value that distinguishes this vault from another.
    public var checkValue: [UInt8] {
        Array(SHA256.hash(data: Data("bihuan vault v1".utf8) + recipient.publicKey.rawRepresentation))
    }

    /// - Parameter wall: wall time.
    public func seal(_ bytes: [UInt8], of report: ReportID, at wall: Instant) throws -> Original {
        let hour = Vault.hour(of: wall)
        let epoch = try running.withLock { running in
            if let running, running.hour == hour { return running }
            let epoch = try Epoch(hour, at: wall, for: recipient)
            running = epoch
            return epoch
        }
        let key = SymmetricKey(size: .bits256)
        let wrapping = Original.wrapping(of: report, in: epoch.stored.id)
        return Original(
            epoch: epoch.stored,
            wrapped: try AES.GCM.sealed(key.withUnsafeBytes { Array($0) }, using: epoch.key, wrapping),
            sealed: try AES.GCM.sealed(bytes, using: key, Original.context(of: report)))
    }

    /// Forgets the key of an hour that is over, also if nothing is sealed any more.
    public func endEpoch(at wall: Instant) {
        running.withLock { running in if let hour = running?.hour, hour != Vault.hour(of: wall) { running = nil } }
    }

    private static func hour(of wall: Instant) -> Int64 {
        Int64((Double(wall.microsecondsSinceEpoch) / 3_600_000_000).rounded(.down))
    }
}

/// The vault's private key. Only a command that discloses an original, or gives the vault another key, reads it.
public struct VaultKey: Sendable {
    private let key: Curve25519.KeyAgreement.PrivateKey

    public init(_ key: Curve25519.KeyAgreement.PrivateKey) { self.key = key }

    /// The key to which epochs are sealed.
    public var recipient: SealingKey { SealingKey(key.publicKey) }

    public func open(_ original: Original, of report: ReportID) throws -> [UInt8] {
        let wrapping = Original.wrapping(of: report, in: original.epoch.id)
        let key = SymmetricKey(data: try AES.GCM.opened(original.wrapped, using: try open(original.epoch), wrapping))
        return try AES.GCM.opened(original.sealed, using: key, Original.context(of: report))
    }

    /// The same epoch for another recipient.
    public func reseal(_ epoch: EpochKey, for recipient: SealingKey) throws -> EpochKey {
        try EpochKey(sealing: try open(epoch), as: epoch.id, madeAt: epoch.madeAt, for: recipient)
    }

    private func open(_ epoch: EpochKey) throws -> SymmetricKey {
        guard epoch.recipient == recipient.id else {
            throw KeyFailure(
                description: "the epoch is sealed for vault key \(epoch.recipient), and this one is \(recipient.id)")
        }
        guard epoch.sealed.count > EpochKey.encapsulatedBytes else {
            throw KeyFailure(description: "the epoch's key is incomplete")
        }
        var opener = try HPKE.Recipient(
            privateKey: key, ciphersuite: EpochKey.suite, info: EpochKey.info,
            encapsulatedKey: Data(epoch.sealed.prefix(EpochKey.encapsulatedBytes)))
        return SymmetricKey(
            data: try opener.open(
                Data(epoch.sealed.dropFirst(EpochKey.encapsulatedBytes)), authenticating: EpochKey.context(of: epoch.id)
            ))
    }
}

extension EpochKey {
    fileprivate static var suite: HPKE.Ciphersuite { .Curve25519_SHA256_ChachaPoly }
    fileprivate static let info = Data("bihuan epoch key v1".utf8)
    fileprivate static let encapsulatedBytes = 32
    fileprivate static func context(of id: UUID) -> Data { Data("epoch|\(id.lowercased)".utf8) }

    fileprivate init(sealing key: SymmetricKey, as id: UUID, madeAt: Instant, for recipient: SealingKey) throws {
        var sender = try HPKE.Sender(
            recipientKey: recipient.publicKey, ciphersuite: EpochKey.suite, info: EpochKey.info)
        let sealed = try sender.seal(key.withUnsafeBytes { Data($0) }, authenticating: EpochKey.context(of: id))
        self.init(id: id, recipient: recipient.id, sealed: [UInt8](sender.encapsulatedKey + sealed), madeAt: madeAt)
    }
}

extension Original {
    fileprivate static func context(of report: ReportID) -> String { "original|\(report)" }
    fileprivate static func wrapping(of report: ReportID, in epoch: UUID) -> String {
        "data key|\(report)|\(epoch.lowercased)"
    }
}
