import Crypto
import Foundation

/// RabbitMQ's password hash: base64 of four bytes of salt and the digest of salt and password.
public enum PasswordHash {
    /// The algorithm of hashes made here; RabbitMQ's default.
    public static let algorithm = "rabbit_password_hashing_sha256"
    private static let algorithm512 = "rabbit_password_hashing_sha512"
    private static let saltBytes = 4

    /// A hash with a new salt, so each call gives a different one.
    public static func make(_ password: String) -> String {
        let salt = (0..<saltBytes).map { _ in UInt8.random(in: 0...255) }
        return Data(salt + SHA256.hash(data: salt + Array(password.utf8))).base64EncodedString()
    }

    /// True if a hash belongs to this password; false also for an algorithm not known here.
    public static func fits(_ password: String, hash: String, algorithm: String) -> Bool {
        guard let bytes = Data(base64Encoded: hash), bytes.count > saltBytes else { return false }
        let salted = Array(bytes.prefix(saltBytes)) + Array(password.utf8)
        return switch algorithm {
        case self.algorithm: Array(bytes.dropFirst(saltBytes)) == Array(SHA256.hash(data: salted))
        case algorithm512: Array(bytes.dropFirst(saltBytes)) == Array(SHA512.hash(data: salted))
        default: false
        }
    }
}
