public import Basics
public import PostgreSQL

/// Which rows of the log a reader has before it: those of transactions from its last horizon up to this one.
public struct NewChanges: Sendable {
    /// `nil`: the reader begins with the whole ledger, whatever the log says.
    public let since: TransactionID?
    /// All transactions below it have ended, and are seen by whatever is read from now on.
    public let below: TransactionID
    /// What the reader does not get yet.
    public let lag: ChangeLag
}

/// What waits above a horizon, and why.
public struct ChangeLag: Hashable, Sendable {
    /// Rows of the log that are committed, though an older transaction is still open.
    public let waiting: Int
    /// Whose transaction is older; `nil` if nothing waits, or if it ended in this moment.
    public let holder: HorizonHolder?

    package init(waiting: Int, holder: HorizonHolder?) {
        self.waiting = waiting
        self.holder = holder
    }
}

/// Who has a transaction open that holds readers back.
public struct HorizonHolder: Hashable, Sendable, CustomStringConvertible {
    /// `nil`: the transaction is prepared for a two-phase commit and has no session.
    public let processID: Int?
    /// The name of the session's program, or of the prepared transaction.
    public let name: String
    public let database: String
    /// `nil`: the session belongs to another role, and this one may not see it.
    public let since: Instant?

    public var description: String {
        let kind = processID.map { "session \($0)" } ?? "the prepared transaction"
        let named = name.isEmpty ? "" : " '\(name)'"
        return "\(kind)\(named) in the database \(database)\(since.map { ", open since \($0)" } ?? "")"
    }
}

/// A reader of what is new: of `change_log`, in which each transaction that appends to the ledger names the chains.
///
/// A transaction gets its number when it first writes, not when it commits, so a higher number may commit before a
/// lower one. A cursor that remembers the highest number it saw would skip the lower one. The cursor here is a horizon,
/// below which no transaction is open any more, in any database of the cluster: what is below it will not change, and
/// what is not is read the next time. docs/ledger.md, "What is new", describes this for readers in other languages.
public struct ChangeFeed {
    /// Rows deleted in one transaction: a longer one would hold back all readers.
    static let biteSize = 10_000

    private let reader: String
    private let connection: Connection

    /// - Parameters:
    ///   - reader: the name under which the cursor is stored; two that read under one name take turns.
    ///   - connection: of a role that may write `change_reader` and delete from `change_log`.
    public init(reader: String, connection: Connection) {
        self.reader = reader
        self.connection = connection
    }

    /// Passes what is new to `work`, within the transaction that moves the cursor: what `work` writes with this
    /// connection is committed together with it. If `work` throws or the process ends, nothing is recorded, and the
    /// next call passes the same rows again.
    ///
    /// Before it reads, it deletes the rows that all readers have read. Throws what `work` throws, and
    /// `PostgreSQLError`; SQLSTATE 55P03 if another session reads under the same name for longer than `lock_timeout`.
    public func read<Outcome>(at instant: Instant, _ work: (NewChanges) throws -> Outcome) throws -> Outcome {
        try enter(at: instant)
        try prune()
        return try connection.transaction { connection in
            // The horizon is asked for when the row is locked: it is not below that of whoever read before. Each later
            // statement sees at least what the one that told it sees.
            guard let place = try connection.run(LockChangeReader(name: reader)).rows.first,
                let horizon = try connection.run(ReadChangeHorizon()).rows.first
            else { throw ChangeReaderRemoved(name: reader) }
            let lag = try connection.run(ReadChangeLag(horizon: horizon)).rows.first
            let outcome = try work(
                NewChanges(
                    since: place.startsAnew ? nil : place.horizon, below: horizon,
                    lag: lag ?? ChangeLag(waiting: 0, holder: nil)))
            try connection.run(MoveChangeReader(name: reader, horizon: horizon, instant: instant))
            return outcome
        }
    }

    /// A reader that is not known here, or was in another incarnation, starts anew.
    ///
    /// It is entered in a transaction of its own, before the one in which it reads. Otherwise another reader that does
    /// not see it yet could prune rows above the horizon that it takes.
    private func enter(at instant: Instant) throws {
        var isEntered = try isKnown()
        while !isEntered {
            isEntered = try connection.transaction { connection in
                try connection.run(LockChangeReaders())
                // Another session may have entered it meanwhile, and have locked its row.
                if try isKnown() { return true }
                let dropped = try connection.run(DropUnreadableChanges(countMax: ChangeFeed.biteSize)).affected
                guard dropped < ChangeFeed.biteSize else { return false }
                try connection.run(EnterChangeReader(name: reader, instant: instant))
                return true
            }
        }
    }

    private func isKnown() throws -> Bool { try connection.run(IsChangeReader(name: reader)).affected > 0 }

    private func prune() throws {
        var count = ChangeFeed.biteSize
        while count == ChangeFeed.biteSize {
            count = try connection.run(PruneChanges(countMax: ChangeFeed.biteSize)).affected
        }
    }
}

/// Somebody deleted the reader's row while it was about to read; the next call enters it again.
public struct ChangeReaderRemoved: Error, Sendable, CustomStringConvertible {
    public let name: String
    public var description: String { "the reader \(name) was removed from change_reader: run it again" }
}
