public import Basics
import Casework
public import PostgreSQL

/// An act that was taken, as stored in the inbox.
public struct TakenAct: Sendable {
    public let key: InboxKey
    public let digest: [UInt8]
    public let subject: String
    public let receivedAt: Instant

    public init(key: InboxKey, digest: [UInt8], subject: String, receivedAt: Instant) {
        self.key = key
        self.digest = digest
        self.subject = subject
        self.receivedAt = receivedAt
    }
}

extension Connection {
    /// Inserts cases with their whole history, thousands in one transaction: this fills a ledger of which only the
    /// size matters. The owner role or a superuser runs it, since no worker writes a whole case at once.
    /// - Parameters:
    ///   - writes: new reports with their history; nothing that changes an existing row.
    ///   - repeatKeys: one for each report that has one.
    public func enterWhole(
        _ writes: CaseWrites, notes: [HandoffNote], acts: [TakenAct], repeatKeys: [(key: [UInt8], report: ReportID)]
    ) throws {
        precondition(writes.changedReports.isEmpty && writes.changedHandoffs.isEmpty && writes.changedClocks.isEmpty)
        var writes = writes
        writes.pastHandoffs = writes.newHandoffs
        writes.newHandoffs = []
        try transaction { connection in
            try connection.write(
                writes,
                with: [
                    EnterRepeatKeys(keys: repeatKeys.map(\.key), reports: repeatKeys.map(\.report)),
                    InsertHandoffNotes(notes: notes), InsertTakenActs(acts: acts),
                ])
        }
    }
}

private struct InsertTakenActs: Command {
    var acts: [TakenAct]
    static let columns = Columns<TakenAct>(
        of: "inbox",
        [
            .text("sender", \.key.sender), .text("event_id", \.key.eventID), .bytea("digest", \.digest),
            .text("verdict", { _ in Verdict.taken.rawValue }), .text("subject", \.subject),
            .instant("received_at", \.receivedAt),
        ])
    static let sql = columns.insert
    var parameters: [Parameter] { Self.columns.inserting(acts) }
}
