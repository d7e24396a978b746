public import Basics
import Crypto
import Foundation

/// An entry as stored.
public struct LedgerEntry: Hashable, Sendable {
    public var sequence: Int
    public var bytes: [UInt8]
    public var hash: [UInt8]

    public init(sequence: Int, bytes: [UInt8], hash: [UInt8]) {
        self.sequence = sequence
        self.bytes = bytes
        self.hash = hash
    }
}

/// The end of one chain: the hash of its last entry, the number of entries and the time of the last one.
public struct LedgerHead: Hashable, Sendable {
    public private(set) var hash: [UInt8]
    public private(set) var count: Int
    /// `nil` for a chain without entries, and if the time is unknown. Comparing two heads ignores it.
    public private(set) var at: Instant?

    /// The head that the first entry of every chain follows.
    public static let genesis = LedgerHead(hash: [UInt8](repeating: 0, count: 32), count: 0)

    public init(hash: [UInt8], count: Int, at: Instant? = nil) {
        self.hash = hash
        self.count = count
        self.at = at
    }

    public static func == (left: LedgerHead, right: LedgerHead) -> Bool {
        left.hash == right.hash && left.count == right.count
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// Appends an event and moves the head to it (invariant 7). The store writes the new head only where the loaded one
    /// still is (`HeadUpdate`, `CaseWrites.swift`). An entry stays as it is: nobody has the right to UPDATE, DELETE or
    /// TRUNCATE (the REVOKE in `m0001`), and the trigger `ledger_only_grows` refuses it to the owner too. Times never
    /// decrease within a chain: an event from a host whose clock is slow gets the time of the previous entry.
    public mutating func append(_ record: LedgerRecord) -> LedgerEntry {
        var record = record
        if let at, record.at < at { record.at = at }
        at = record.at
        let bytes = record.bytes
        let entry = LedgerEntry(
            sequence: count + 1, bytes: bytes, hash: LedgerHead.hash(previous: hash, sequence: count + 1, bytes: bytes))
        hash = entry.hash
        count = entry.sequence
        return entry
    }

    /// SHA-256(previous ‖ sequence as eight bytes, most significant first ‖ bytes).
    public static func hash(previous: [UInt8], sequence: Int, bytes: [UInt8]) -> [UInt8] {
        var hasher = SHA256()
        hasher.update(data: previous)
        withUnsafeBytes(of: UInt64(sequence).bigEndian) { hasher.update(bufferPointer: $0) }
        hasher.update(data: bytes)
        return Array(hasher.finalize())
    }

    /// Verifies a chain from its start. Returns the sequence of the first entry that does not fit, or `nil` if all
    /// fit and the chain ends in this head.
    public static func firstBreak(in entries: some Sequence<LedgerEntry>, endingIn head: LedgerHead) -> Int? {
        var reached = LedgerHead.genesis
        for entry in entries {
            guard entry.sequence == reached.count + 1,
                entry.hash == hash(previous: reached.hash, sequence: entry.sequence, bytes: entry.bytes)
            else { return reached.count + 1 }
            reached = LedgerHead(hash: entry.hash, count: entry.sequence)
        }
        return reached == head ? nil : min(reached.count, head.count) + 1
    }
}

/// A commitment to something that is not in the ledger: it can be proved later, and cannot be guessed from the entry.
public enum Commitment {
    /// A commitment to an act, whose id is its sender's own text.
    public static func act(_ id: String, salt: [UInt8]) -> String {
        make(Array(SHA256.hash(data: Array(id.utf8))), salt: salt)
    }

    /// A commitment to bytes with this SHA-256.
    public static func make(_ digest: [UInt8], salt: [UInt8]) -> String {
        var hasher = SHA256()
        hasher.update(data: salt)
        hasher.update(data: digest)
        return Array(hasher.finalize()).hexadecimal
    }
}
