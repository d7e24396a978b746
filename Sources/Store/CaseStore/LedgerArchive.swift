public import Basics
public import Casework
import Contract
public import Crypto
public import Foundation
public import PostgreSQL

/// One line of an exported ledger. docs/ledger.md describes the layout for those who read it with programs of their
/// own.
///
/// The entries of each chain in their order, after them the chain's head; the chains in the order of their ids; then
/// the checkpoints; at last the end, so that an export that was cut off is noticed.
public enum LedgerLine: Sendable {
    case entry(chain: UUID, subject: LedgerSubject, entry: LedgerEntry, checkpoint: Int?)
    case head(chain: UUID, subject: LedgerSubject, head: LedgerHead)
    case checkpoint(LedgerCheckpoint)
    case end(chains: Int, entries: Int)
}

/// A signed statement of what stood in the ledger: the Merkle root over all entries since the checkpoint before.
public struct LedgerCheckpoint: Hashable, Sendable {
    public var number: Int
    public var signedAt: Instant
    public var entryCount: Int
    public var root: [UInt8]
    /// SHA-256 of the statement of the checkpoint before; 32 zero bytes for the first.
    public var previous: [UInt8]
    public var publicKey: [UInt8]
    public var signature: [UInt8]

    public init(
        number: Int, signedAt: Instant, entryCount: Int, root: [UInt8], previous: [UInt8], publicKey: [UInt8],
        signature: [UInt8]
    ) {
        self.number = number
        self.signedAt = signedAt
        self.entryCount = entryCount
        self.root = root
        self.previous = previous
        self.publicKey = publicKey
        self.signature = signature
    }

    public static let nothingBefore = [UInt8](repeating: 0, count: 32)

    /// The exact bytes that are signed: lines of text.
    public var statement: [UInt8] {
        Array(
            """
            bihuan ledger checkpoint v1
            number \(number)
            signed_at \(signedAt)
            entries \(entryCount)
            root \(root.hexadecimal)
            previous \(previous.hexadecimal)

            """.utf8)
    }

    public var statementDigest: [UInt8] { Array(SHA256.hash(data: statement)) }

    public var signatureIsValid: Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: statement)
    }

    public mutating func sign(with key: Curve25519.Signing.PrivateKey) throws {
        publicKey = Array(key.publicKey.rawRepresentation)
        signature = Array(try key.signature(for: statement))
    }
}

/// The root of a Merkle tree after RFC 6962 §2.1, built leaf by leaf: it holds one hash for each full subtree.
public struct MerkleTree: Sendable {
    public private(set) var count = 0
    /// Full subtrees from left to right, each smaller than the one before.
    private var subtrees: [(size: Int, hash: [UInt8])] = []

    public init() {}

    public mutating func append(leaf bytes: [UInt8]) {
        count += 1
        subtrees.append((1, Array(SHA256.hash(data: [0x00] + bytes))))
        while subtrees.count >= 2, subtrees[subtrees.count - 1].size == subtrees[subtrees.count - 2].size {
            let right = subtrees.removeLast()
            let left = subtrees.removeLast()
            subtrees.append((left.size + right.size, MerkleTree.node(left.hash, right.hash)))
        }
    }

    /// Of no leaves: SHA-256 of nothing.
    public var root: [UInt8] {
        guard var hash = subtrees.last?.hash else { return Array(SHA256.hash(data: [UInt8]())) }
        for subtree in subtrees.dropLast().reversed() { hash = MerkleTree.node(subtree.hash, hash) }
        return hash
    }

    /// What stands for an entry: its chain (16 bytes), its sequence (eight bytes, most significant first), its hash.
    public static func leaf(chain: UUID, sequence: Int, hash: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: chain.uuid) { Array($0) } + withUnsafeBytes(of: UInt64(sequence).bigEndian) { Array($0) }
            + hash
    }

    private static func node(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: [0x01] + left + right))
    }
}

/// What is wrong with a ledger: the first thing found.
public struct LedgerFault: Error, Hashable, Sendable, CustomStringConvertible {
    public let subject: LedgerSubject?
    public let sequence: Int?
    public let reason: String

    public var description: String {
        let place = [subject?.description, sequence.map { "entry \($0)" }].compactMap { $0 }.joined(separator: ", ")
        return place.isEmpty ? reason : "\(place): \(reason)"
    }
}

/// Checks a ledger line by line, whether it comes from the database or from an export. Holds one chain's end and, per
/// checkpoint, a few hashes.
public struct LedgerVerifier: Sendable {
    public private(set) var entryCount = 0
    public private(set) var chainCount = 0
    public private(set) var checkpointCount = 0
    public private(set) var uncoveredCount = 0
    /// The public keys that checkpoints were signed with. Whether they are the right ones the reader must know.
    public private(set) var signers: Set<[UInt8]> = []
    private var chain: UUID?
    private var subject: LedgerSubject?
    private var reached = LedgerHead.genesis
    private var trees: [Int: MerkleTree] = [:]
    private var previousStatement = LedgerCheckpoint.nothingBefore
    private var lastHead: UUID?
    private var hasEnded = false
    private let pinnedKey: [UInt8]?

    /// - Parameter pinnedKey: the public key that must have signed every checkpoint; `nil`: whichever did.
    public init(pinnedKey: [UInt8]? = nil) { self.pinnedKey = pinnedKey }

    public mutating func take(_ line: LedgerLine) throws(LedgerFault) {
        if hasEnded {
            throw LedgerFault(subject: nil, sequence: nil, reason: "something follows the end of the export")
        }
        switch line {
        case .entry(let chain, let subject, let entry, let checkpoint): try take(chain, subject, entry, checkpoint)
        case .head(let chain, let subject, let head): try take(chain, subject, head)
        case .checkpoint(let checkpoint): try take(checkpoint)
        case .end(let chains, let entries): try end(chains: chains, entries: entries)
        }
    }

    /// Throws unless the ledger ended as it should; called after the last line.
    /// - Parameter lacksLineEnd: the export stops within its last line.
    public func finish(lacksLineEnd: Bool = false) throws(LedgerFault) {
        if !hasEnded || lacksLineEnd {
            throw LedgerFault(subject: nil, sequence: nil, reason: "the export was cut off: its last line is missing")
        }
    }

    // MARK: Lines

    private mutating func take(
        _ chain: UUID, _ subject: LedgerSubject, _ entry: LedgerEntry, _ checkpoint: Int?
    ) throws(LedgerFault) {
        func fault(_ reason: String) -> LedgerFault {
            LedgerFault(subject: subject, sequence: entry.sequence, reason: reason)
        }
        if self.chain != chain {
            try closeChain()
            (self.chain, self.subject, reached) = (chain, subject, .genesis)
        }
        try checkIdentity(chain, subject)
        if subject.kind == .nobody { throw fault("no report, unit or office owns this chain") }
        guard entry.sequence == reached.count + 1 else {
            throw LedgerFault(
                subject: subject, sequence: reached.count + 1,
                reason: "the entry is missing; entry \(entry.sequence) comes next")
        }
        guard entry.hash == LedgerHead.hash(previous: reached.hash, sequence: entry.sequence, bytes: entry.bytes) else {
            throw fault("the hash does not fit the entry's bytes and the entry before")
        }
        guard let words = LedgerWords(entry.bytes), let at = words.at else {
            throw fault("its bytes are not the form of an entry")
        }
        // A chain's own name belongs to what is hashed.
        if entry.sequence == 1, words.fields[subject.kind.rawValue] != subject.id {
            throw fault("the entry begins the chain of something else")
        }
        if let before = reached.at, at < before { throw fault("its time is before that of the entry before") }
        reached = LedgerHead(hash: entry.hash, count: entry.sequence, at: at)
        entryCount += 1
        guard let checkpoint else {
            uncoveredCount += 1
            return
        }
        trees[checkpoint, default: MerkleTree()].append(
            leaf: MerkleTree.leaf(chain: chain, sequence: entry.sequence, hash: entry.hash))
    }

    private mutating func take(_ chain: UUID, _ subject: LedgerSubject, _ head: LedgerHead) throws(LedgerFault) {
        if self.chain != chain {
            try closeChain()
            (self.subject, reached) = (subject, .genesis)
        }
        try checkIdentity(chain, subject)
        if let lastHead, !lastHead.precedes(chain) {
            throw LedgerFault(subject: subject, sequence: nil, reason: "the chain stands twice or out of order")
        }
        guard reached.count == head.count else {
            throw LedgerFault(
                subject: subject, sequence: min(reached.count, head.count) + 1,
                reason: "the head counts \(head.count) entries, and there are \(reached.count)")
        }
        guard reached.hash == head.hash else {
            throw LedgerFault(
                subject: subject, sequence: head.count, reason: "the head names another hash than the last entry has")
        }
        guard head.count > 0 else {
            throw LedgerFault(subject: subject, sequence: nil, reason: "the chain has no entries")
        }
        chainCount += 1
        (self.chain, self.subject, lastHead, reached) = (nil, nil, chain, .genesis)
    }

    private mutating func take(_ checkpoint: LedgerCheckpoint) throws(LedgerFault) {
        try closeChain()
        func fault(_ reason: String) -> LedgerFault {
            LedgerFault(subject: nil, sequence: nil, reason: "checkpoint \(checkpoint.number): \(reason)")
        }
        guard checkpoint.number == checkpointCount + 1 else { throw fault("the one before it is missing") }
        guard checkpoint.previous == previousStatement else { throw fault("it names another checkpoint before it") }
        if let pinnedKey, checkpoint.publicKey != pinnedKey {
            throw fault("it was signed with another key than the given one")
        }
        guard checkpoint.signatureIsValid else { throw fault("the signature is not valid") }
        let tree = trees.removeValue(forKey: checkpoint.number) ?? MerkleTree()
        guard tree.count == checkpoint.entryCount else {
            throw fault("it counts \(checkpoint.entryCount) entries, and it covers \(tree.count)")
        }
        guard tree.root == checkpoint.root else { throw fault("its root is not that of the entries it covers") }
        previousStatement = checkpoint.statementDigest
        checkpointCount += 1
        signers.insert(checkpoint.publicKey)
    }

    /// One kind and id on all lines of a chain; a report's chain is its id.
    private func checkIdentity(_ chain: UUID, _ subject: LedgerSubject) throws(LedgerFault) {
        if let first = self.subject, first != subject {
            throw LedgerFault(
                subject: subject, sequence: nil, reason: "the lines of one chain name \(first) and \(subject)")
        }
        if subject.kind == .report, subject.id != chain.lowercased {
            throw LedgerFault(
                subject: subject, sequence: nil,
                reason: "its chain is \(chain.lowercased), and a report's chain is its id")
        }
    }

    private mutating func end(chains: Int, entries: Int) throws(LedgerFault) {
        try closeChain()
        if let number = trees.keys.min() {
            throw LedgerFault(
                subject: nil, sequence: nil, reason: "entries name checkpoint \(number), which is missing")
        }
        guard chains == chainCount, entries == entryCount else {
            throw LedgerFault(
                subject: nil, sequence: nil,
                reason:
                    """
                    the end counts \(chains) chains and \(entries) entries, and there are \(chainCount) and \
                    \(entryCount)
                    """
            )
        }
        hasEnded = true
    }

    /// A chain is closed by its head: another line means that the head is missing.
    private func closeChain() throws(LedgerFault) {
        if chain != nil {
            throw LedgerFault(subject: subject, sequence: reached.count, reason: "the chain has no head")
        }
    }
}

/// Reads and signs the ledger of a database.
public struct LedgerBooks {
    /// Rows read at a time.
    private static let pageSize = 2_000
    let connection: Connection

    public init(_ connection: Connection) { self.connection = connection }

    /// Passes all lines in their order, as the ledger stands at one moment, while others go on writing.
    public func read(_ body: (LedgerLine) throws -> Void) throws {
        try connection.run(BeginSnapshot())
        defer { try? connection.rollback() }
        var heads = HeadPages(connection: connection, pageSize: LedgerBooks.pageSize)
        var head = try heads.next()
        var counts = (chains: 0, entries: 0)
        /// Passes the heads of chains that end before `chain`.
        func passHeads(before chain: UUID?) throws {
            while let passed = head, chain.map({ passed.chain.precedes($0) }) ?? true {
                try body(.head(chain: passed.chain, subject: passed.subject, head: passed.head))
                counts.chains += 1
                head = try heads.next()
            }
        }
        var after: (chain: UUID, sequence: Int)?
        while true {
            let page = try connection.run(ReadLedgerEntries(after: after, countMax: LedgerBooks.pageSize)).rows
            for row in page {
                try passHeads(before: row.chain)
                let subject =
                    head.flatMap { $0.chain == row.chain ? $0.subject : nil }
                    ?? LedgerSubject(kind: .nobody, id: row.chain.lowercased)
                try body(.entry(chain: row.chain, subject: subject, entry: row.entry, checkpoint: row.checkpoint))
                counts.entries += 1
            }
            guard page.count == LedgerBooks.pageSize, let last = page.last else { break }
            after = (last.chain, last.entry.sequence)
        }
        try passHeads(before: nil)
        for checkpoint in try connection.run(ReadLedgerCheckpoints()).rows { try body(.checkpoint(checkpoint)) }
        try body(.end(chains: counts.chains, entries: counts.entries))
    }
}

/// The heads one after the other, read in pages.
private struct HeadPages {
    let connection: Connection
    let pageSize: Int
    private var page: ArraySlice<ReadLedgerHeads.Row> = []
    private var last: UUID?
    private var isAtEnd = false

    init(connection: Connection, pageSize: Int) {
        self.connection = connection
        self.pageSize = pageSize
    }

    mutating func next() throws -> ReadLedgerHeads.Row? {
        if page.isEmpty, !isAtEnd {
            let rows = try connection.run(ReadLedgerHeads(after: last, countMax: pageSize)).rows
            (page, last, isAtEnd) = (rows[...], rows.last?.chain, rows.count < pageSize)
        }
        return page.popFirst()
    }
}
