import Crypto
import Foundation

/// What two reports must share to be repeats of one another (重复件).
public struct RepeatKeys: Hashable, Sendable {
    public let textDigest: [UInt8]
    public let reporterKey: [UInt8]?
    public let accusedKey: [UInt8]?
    public init(submission: Submission, secret: [UInt8]) { textDigest = []; reporterKey = nil; accusedKey = nil }
}
