import Basics
import Casework
public import Crypto
import Foundation

/// Data that only the holder of a private key can read: HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.
/// The associated data is `id|type|subject` of the message that carries it, so that it cannot be moved to another one.
public struct SealedData: Codable, Hashable, Sendable {
    /// The id of the key it is sealed to: the first 16 hexadecimal digits of the SHA-256 of the public key.
    public var keyid: String
    /// The encapsulated key, base64.
    public var enc: String
    /// The sealed bytes, base64.
    public var ciphertext: String
    /// The media type of the opened bytes.
    public var contentType: String
    /// The envelope number under which the office registered it.
    public var number: String

    public static func seal(
        _ bytes: [UInt8], contentType: String, number: String, to key: SealingKey, id: String, type: MessageType,
        subject: String
    ) throws -> SealedData {
        var sender = try HPKE.Sender(recipientKey: key.publicKey, ciphersuite: suite, info: info)
        let sealed = try sender.seal(bytes, authenticating: associated(id, type, subject))
        return SealedData(
            keyid: key.id, enc: sender.encapsulatedKey.base64EncodedString(), ciphertext: sealed.base64EncodedString(),
            contentType: contentType, number: number)
    }

    /// Opens the data. Throws if the key or the carrying message is another one.
    public func open(
        with key: Curve25519.KeyAgreement.PrivateKey, id: String, type: MessageType, subject: String
    ) throws -> [UInt8] {
        guard let enc = Data(base64Encoded: enc), let ciphertext = Data(base64Encoded: ciphertext) else {
            throw CryptoKitError.incorrectParameterSize
        }
        var recipient = try HPKE.Recipient(
            privateKey: key, ciphersuite: SealedData.suite, info: SealedData.info, encapsulatedKey: enc)
        return [UInt8](try recipient.open(ciphertext, authenticating: SealedData.associated(id, type, subject)))
    }

    private static var suite: HPKE.Ciphersuite { .Curve25519_SHA256_ChachaPoly }
    private static let info = Data("bihuan sealed data v1".utf8)

    private static func associated(_ id: String, _ type: MessageType, _ subject: String) -> Data {
        Data("\(id)|\(type.rawValue)|\(subject)".utf8)
    }
}

/// The public half of a key to which data is sealed.
public struct SealingKey: Sendable {
    public let publicKey: Curve25519.KeyAgreement.PublicKey
    public let id: String

    public init(_ publicKey: Curve25519.KeyAgreement.PublicKey) {
        self.publicKey = publicKey
        id = String(Array(SHA256.hash(data: publicKey.rawRepresentation)).hexadecimal.prefix(16))
    }

    /// `nil` if the bytes are not an X25519 public key, or are a key with which every shared secret is zero, so that
    /// anybody could open the data (RFC 7748, section 6.1).
    public init?(rawRepresentation bytes: [UInt8]) {
        guard let key = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: bytes) else { return nil }
        let secret = try? Curve25519.KeyAgreement.PrivateKey().sharedSecretFromKeyAgreement(with: key)
        guard let secret, secret.withUnsafeBytes({ $0.contains { $0 != 0 } }) else { return nil }
        self.init(key)
    }
}
