public import Basics
import Crypto
import Foundation

/// One thing that happened, as the ledger keeps it: ids, codes, times, hands and salted commitments; never text, never a
/// person outside the staff (invariant 7).
public struct LedgerEvent: Hashable, Sendable {
    /// A stable word: `registered`, `routed`, `signed` …
    public var event: String
    public var at: Instant
    /// Whose hand: `unit.u7`, `office.routing`, `person.li`.
    public var by: String
    /// Further ids and codes. Keys and values are printable ASCII.
    public var details: [String: String]

    public init(_ event: String, at: Instant, by: String, details: [String: String] = [:]) {
        self.event = event
        self.at = at
        self.by = by
        self.details = details
    }

    /// The bytes that are stored and hashed, for ever as they are: JSON with sorted keys, all values texts.
    public var bytes: [UInt8] {
        var fields = details
        fields["event"] = event
        fields["at"] = at.description
        fields["by"] = by
        var json: [UInt8] = []
        json.reserveCapacity(64 * fields.count)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            json.append(UInt8(ascii: json.isEmpty ? "{" : ","))
            LedgerEvent.append(key, to: &json)
            json.append(UInt8(ascii: ":"))
            LedgerEvent.append(value, to: &json)
        }
        json.append(UInt8(ascii: "}"))
        return json
    }

    /// Codes and ids need no escapes; whatever does is replaced, so that a foreign byte cannot forge a field.
    private static func append(_ text: String, to json: inout [UInt8]) {
        func isPrintable(_ value: some BinaryInteger) -> Bool { (0x20...0x7E).contains(value) && value != 0x22 && value != 0x5C }
        json.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy(isPrintable) {
            json += text.utf8
        } else {
            json += text.unicodeScalars.map { isPrintable($0.value) ? UInt8($0.value) : UInt8(ascii: "?") }
        }
        json.append(UInt8(ascii: "\""))
    }
}

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

/// The end of one chain: the hash of its last entry, how many there are, and the last one's time.
public struct LedgerHead: Hashable, Sendable {
    public private(set) var hash: [UInt8]
    public private(set) var count: Int
    /// `nil` of a chain without entries, and where it is not known. Two heads are compared without it.
    public private(set) var at: Instant?

    /// What the first entry of every chain follows.
    public static let genesis = LedgerHead(hash: [UInt8](repeating: 0, count: 32), count: 0)

    public init(hash: [UInt8], count: Int, at: Instant? = nil) {
        self.hash = hash
        self.count = count
        self.at = at
    }

    public static func == (left: LedgerHead, right: LedgerHead) -> Bool { left.hash == right.hash && left.count == right.count }
    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// Adds an event and moves the head to it. Times never go back within a chain: an event of a host whose clock is behind gets
    /// the time of the entry before.
    public mutating func append(_ event: LedgerEvent) -> LedgerEntry {
        var event = event
        if let at, event.at < at { event.at = at }
        at = event.at
        let bytes = event.bytes
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

    /// Follows a chain from its start. Returns the sequence of the first entry that does not fit, or `nil` if all do and
    /// the chain ends in this head.
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

/// A commitment to something that does not stand in the ledger: it can be proved later, and not guessed from the entry.
public enum Commitment {
    /// To an act, whose id is its sender's own text.
    public static func act(_ id: String, salt: [UInt8]) -> String { make(Array(SHA256.hash(data: Array(id.utf8))), salt: salt) }

    /// To bytes with this SHA-256.
    public static func make(_ digest: [UInt8], salt: [UInt8]) -> String {
        var hasher = SHA256()
        hasher.update(data: salt)
        hasher.update(data: digest)
        return Array(hasher.finalize()).hexadecimal
    }
}
