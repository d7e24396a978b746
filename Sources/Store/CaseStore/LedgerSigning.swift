public import Basics
public import Crypto
import PostgreSQL

/// What one run of `ledger checkpoint` found.
public struct CheckpointRun: Sendable {
    /// `nil`: of the chains that it looked at nothing is uncovered.
    public let checkpoint: LedgerCheckpoint?
    public let chainsLookedAt: Int
    /// Whether it looked at all chains: the first run in this database.
    public let isWhole: Bool
    /// What the next run will look at.
    public let lag: ChangeLag
}

extension LedgerBooks {
    /// The name under which checkpoints follow the log.
    public static let checkpointReader = "checkpoint"

    /// Signs what has come since the last checkpoint and stores it. It looks at the chains that have grown since, so
    /// its cost is what is new, and at all chains the first time. Run by the owner role.
    public func makeCheckpoint(key: Curve25519.Signing.PrivateKey, at instant: Instant) throws -> CheckpointRun {
        let feed = ChangeFeed(reader: LedgerBooks.checkpointReader, connection: connection)
        return try feed.read(at: instant) { changes in
            let last = try connection.run(ReadLastLedgerCheckpoint()).rows.first
            let number = (last?.number ?? 0) + 1
            let coverage = try cover(changes, with: number)
            var checkpoint: LedgerCheckpoint?
            if coverage.map(\.chainsCovered) ?? 0 > 0 {
                let tree = try treeOfEntries(coveredBy: number)
                var signed = LedgerCheckpoint(
                    number: number, signedAt: instant, entryCount: tree.count, root: tree.root,
                    previous: last?.statementDigest ?? LedgerCheckpoint.nothingBefore, publicKey: [], signature: [])
                try signed.sign(with: key)
                try connection.run(InsertLedgerCheckpoint(checkpoint: signed))
                checkpoint = signed
            }
            return CheckpointRun(
                checkpoint: checkpoint, chainsLookedAt: coverage?.chainsLookedAt ?? 0, isWhole: changes.since == nil,
                lag: changes.lag)
        }
    }

    private func cover(_ changes: NewChanges, with number: Int) throws -> Coverage? {
        guard let since = changes.since else {
            return try connection.run(CoverAllEntries(checkpoint: number)).rows.first
        }
        return try connection.run(CoverNewEntries(checkpoint: number, since: since, below: changes.below)).rows.first
    }

    private func treeOfEntries(coveredBy number: Int) throws -> MerkleTree {
        var tree = MerkleTree()
        try connection.forEachRow(of: ReadCheckpointLeaves(checkpoint: number)) { row in
            tree.append(leaf: MerkleTree.leaf(chain: row.chain, sequence: row.sequence, hash: row.hash))
            return .next
        }
        return tree
    }
}
