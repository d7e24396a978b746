public import Basics
public import Contract
import Crypto
public import Foundation

/// Encrypted bytes as stored: AES-256-GCM, nonce ‖ ciphertext ‖ tag, with the id of the key.
public struct SealedBox: Hashable, Sendable {
    public let keyID: String
    public let sealed: [UInt8]

    /// The size of nonce and tag, which a box has in addition to its bytes.
    public static let overheadBytes = 12 + 16

    public init(keyID: String, sealed: [UInt8]) {
        self.keyID = keyID
        self.sealed = sealed
    }
}

/// What is stored in boxes that the office opens again. Each kind has a key of its own, in a file of its own. The
/// originals of reports are not among them: `Vault` seals those.
public enum BoxKind: String, CaseIterable, Sendable {
    /// Parts of attachments (intake).
    case attachments
    /// Messages that could not be handled (every worker: one may keep a letter that another replays).
    case deadLetters = "dead-letters"
    /// Messages ahead of their state (feedback).
    case deferred
    /// Bodies of handoffs (routing).
    case handoffs

    /// The file of this key in the folder of keys.
    public func file(in folder: URL) -> URL { folder.appending(path: "\(rawValue).key") }
}

extension Worker {
    /// The kinds of boxes that the worker seals and opens; it gets no other key.
    public var boxes: Set<BoxKind> {
        switch self {
        case .intake: [.attachments, .deadLetters]
        case .routing: [.handoffs, .deadLetters]
        case .deadlines: [.deadLetters]
        case .feedback: [.deferred, .deadLetters]
        }
    }
}

/// The row to which a box belongs: its kind decides the key, and its id is bound to the box, so that exchanged rows
/// are detected.
public enum BoxOwner: Sendable {
    case attachmentPart(attachment: [UInt8], part: Int, of: ReportID)
    case deadLetter(UUID)
    case deferred(InboxKey)
    case handoff(HandoffID)

    var kind: BoxKind {
        switch self {
        case .attachmentPart: .attachments
        case .deadLetter: .deadLetters
        case .deferred: .deferred
        case .handoff: .handoffs
        }
    }

    var context: String {
        switch self {
        case .attachmentPart(let attachment, let part, let report): "paper|\(report)|\(attachment.hexadecimal)|\(part)"
        case .deadLetter(let id): "dead|\(id.lowercased)"
        case .deferred(let key): "message|\(key.sender)|\(key.eventID)"
        case .handoff(let id): "handoff|\(id)"
        }
    }
}

/// The keys of boxes that one worker holds.
public struct BoxKeys: Sendable {
    private let keys: [BoxKind: BoxKey]

    /// - Parameter bytes: 32 random bytes for each kind.
    public init(_ bytes: [BoxKind: [UInt8]]) throws(KeyFailure) {
        var keys: [BoxKind: BoxKey] = [:]
        for (kind, bytes) in bytes { keys[kind] = try BoxKey(bytes, kind) }
        self.keys = keys
    }

    private init(_ keys: [BoxKind: BoxKey]) { self.keys = keys }

    /// Reads the key files of these kinds in a folder.
    public static func read(_ kinds: Set<BoxKind>, in folder: URL) throws(KeyFailure) -> BoxKeys {
        var bytes: [BoxKind: [UInt8]] = [:]
        for kind in kinds { bytes[kind] = try KeyFile.bytes(in: kind.file(in: folder), of: kind.rawValue) }
        return try BoxKeys(bytes)
    }

    /// Only the keys that a worker needs.
    public func held(by worker: Worker) -> BoxKeys { BoxKeys(keys.filter { worker.boxes.contains($0.key) }) }

    /// The values that distinguish these keys from others.
    public var checkValues: [(kind: BoxKind, value: [UInt8])] {
        keys.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key, $0.value.checkValue) }
    }

    /// The id of the key of this kind; `nil` if the worker does not hold it.
    public func id(of kind: BoxKind) -> String? { keys[kind]?.id }

    public func seal(_ bytes: [UInt8], for owner: BoxOwner) throws -> SealedBox {
        try key(owner.kind).seal(bytes, context: owner.context)
    }

    public func open(_ box: SealedBox, of owner: BoxOwner) throws -> [UInt8] {
        try key(owner.kind).open(box, context: owner.context)
    }

    private func key(_ kind: BoxKind) throws(KeyFailure) -> BoxKey {
        guard let key = keys[kind] else { throw KeyFailure(description: "this worker has no key of \(kind.rawValue)") }
        return key
    }
}

private struct BoxKey: Sendable {
    private let key: SymmetricKey
    /// The first 16 hexadecimal digits of the key's SHA-256, to distinguish keys.
    let id: String

    init(_ bytes: [UInt8], _ kind: BoxKind) throws(KeyFailure) {
        guard bytes.count == 32 else {
            throw KeyFailure(description: "a key has 32 bytes, that of \(kind.rawValue) \(bytes.count)")
        }
        // Derived, so that bytes that stand in two files by mistake still make two keys.
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), info: Data("bihuan box v1 \(kind.rawValue)".utf8),
            outputByteCount: 32)
        id = String(key.withUnsafeBytes { Array(SHA256.hash(data: $0)) }.hexadecimal.prefix(16))
    }

    var checkValue: [UInt8] { Array(HMAC<SHA256>.authenticationCode(for: Data("check".utf8), using: key)) }

    func seal(_ bytes: [UInt8], context: String) throws -> SealedBox {
        SealedBox(keyID: id, sealed: try AES.GCM.sealed(bytes, using: key, context))
    }

    func open(_ box: SealedBox, context: String) throws -> [UInt8] {
        guard box.keyID == id else {
            throw KeyFailure(description: "sealed with key \(box.keyID), but this office has \(id)")
        }
        return try AES.GCM.opened(box.sealed, using: key, context)
    }
}

extension AES.GCM {
    /// nonce ‖ ciphertext ‖ tag, bound to `context`.
    static func sealed(_ bytes: [UInt8], using key: SymmetricKey, _ context: String) throws -> [UInt8] {
        let box = try seal(bytes, using: key, authenticating: Data(context.utf8))
        guard let combined = box.combined else { throw KeyFailure(description: "the box has no standard nonce") }
        return [UInt8](combined)
    }

    static func opened(_ sealed: [UInt8], using key: SymmetricKey, _ context: String) throws -> [UInt8] {
        [UInt8](try open(try SealedBox(combined: sealed), using: key, authenticating: Data(context.utf8)))
    }
}
