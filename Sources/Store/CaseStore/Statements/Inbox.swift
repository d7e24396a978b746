public import Basics
import Casework
public import PostgreSQL

/// The key of an act in the inbox.
public struct InboxKey: Hashable, Sendable, Comparable {
    public let sender: String
    public let eventID: String

    public init(sender: String, eventID: String) {
        self.sender = sender
        self.eventID = eventID
    }

    public static func < (left: InboxKey, right: InboxKey) -> Bool {
        (left.sender, left.eventID) < (right.sender, right.eventID)
    }
}

/// The result of an act. Only `taken` and `refused` are verdicts; `held` and `dead` are open.
public enum Verdict: String, CaseIterable, Hashable, Sendable {
    case taken, refused, held, dead
}

/// Claims acts (invariant 2): the returned ones were not known before and belong to this transaction.
///
/// A claim is stored as `taken`; `SettleInbox` changes any other result in the same transaction.
public struct ClaimInbox: Statement {
    public var keys: [InboxKey]
    public var digests: [[UInt8]]
    public var subjects: [String]
    public var receivedAt: Instant

    public init(keys: [InboxKey], digests: [[UInt8]], subjects: [String], receivedAt: Instant) {
        self.keys = keys
        self.digests = digests
        self.subjects = subjects
        self.receivedAt = receivedAt
    }

    public static let sql = """
        INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at)
        SELECT sender, event_id, digest, 'taken', subject, $5
        FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[]) AS act (sender, event_id, digest, subject)
        -- Two lanes that claim the same acts lock them in the same order, so there is no deadlock.
        ORDER BY sender, event_id
        ON CONFLICT DO NOTHING
        RETURNING sender, event_id
        """

    public var parameters: [Parameter] {
        [
            .texts(keys.map(\.sender)), .texts(keys.map(\.eventID)), .byteas(digests), .texts(subjects),
            .instant(receivedAt),
        ]
    }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> InboxKey {
        InboxKey(sender: try row.text(), eventID: try row.text())
    }
}

/// The inbox row of an act that was known before.
public struct InboxRow: Sendable {
    public let key: InboxKey
    public let digest: [UInt8]
    public let verdict: Verdict
    public let subject: String
    public let replyType: String?
    public let reply: [UInt8]?
    public let reportID: ReportID?
    /// For an answer that recalls a handoff: whether an express queue delivered the handoff.
    public let express: Bool
}

public struct ReadInbox: Statement {
    public var keys: [InboxKey]
    public init(keys: [InboxKey]) { self.keys = keys }

    public static let sql = """
        SELECT found.* FROM unnest($1::text[], $2::text[]) AS act (sender, event_id)
        CROSS JOIN LATERAL (
            SELECT sender, event_id, digest, verdict, subject, reply_type, reply, report_id,
                -- Only acts on a handoff get this answer, so the subject is a handoff id.
                CASE WHEN reply_type = 'bihuan.handoff.recalled.v1'
                    THEN coalesce((SELECT express FROM handoff WHERE handoff.id = inbox.subject::uuid), false) ELSE
                        false END
            FROM inbox WHERE inbox.sender = act.sender AND inbox.event_id = act.event_id OFFSET 0
        ) AS found
        """

    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }

    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> InboxRow {
        InboxRow(
            key: InboxKey(sender: try row.text(), eventID: try row.text()), digest: try row.bytea(),
            verdict: try row.word(), subject: try row.text(), replyType: try row.textOrNil(),
            reply: try row.byteaOrNil(), reportID: try row.idOrNil(), express: try row.bool())
    }
}

/// The result of an act that is not `taken`, or that has an answer.
public struct Settlement: Sendable {
    public let key: InboxKey
    public var verdict: Verdict
    public var replyType: String?
    public var reply: [UInt8]?
    /// The report of the answer; the barrier needs it when the answer is sent again.
    public var reportID: ReportID?

    public init(
        key: InboxKey, verdict: Verdict, replyType: String? = nil, reply: [UInt8]? = nil, reportID: ReportID? = nil
    ) {
        self.key = key
        self.verdict = verdict
        self.replyType = replyType
        self.reply = reply
        self.reportID = reportID
    }
}

public struct SettleInbox: Command {
    public var settlements: [Settlement]
    public init(_ settlements: [Settlement]) { self.settlements = settlements }

    public static let sql = """
        UPDATE inbox SET verdict = act.verdict, reply_type = act.reply_type, reply = act.reply, report_id =
            act.report_id
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::uuid[])
            AS act (sender, event_id, verdict, reply_type, reply, report_id)
        WHERE inbox.sender = act.sender AND inbox.event_id = act.event_id
          -- A verdict is written once.
          AND (inbox.verdict IN ('held', 'dead') OR inbox.reply IS NULL)
        """

    public var parameters: [Parameter] {
        [
            .texts(settlements.map(\.key.sender)), .texts(settlements.map(\.key.eventID)),
            .texts(settlements.map(\.verdict.rawValue)), .texts(settlements.map(\.replyType)),
            .byteas(settlements.map(\.reply)), .ids(orNil: settlements.map(\.reportID)),
        ]
    }
}

/// Records one more attempt at a redelivered message before it is handled; returns the number of attempts, this one
/// included.
public struct NoteAttempt: Statement {
    public var digest: [UInt8]
    public var at: Instant
    public init(digest: [UInt8], at: Instant) {
        self.digest = digest
        self.at = at
    }

    public static let sql = """
        INSERT INTO attempt (digest, count, noted_at) VALUES ($1, 1, $2)
        ON CONFLICT (digest) DO UPDATE SET count = attempt.count + 1, noted_at = excluded.noted_at
        RETURNING count
        """
    public var parameters: [Parameter] { [.bytea(digest), .instant(at)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// Those of these messages with recorded attempts: they stopped a worker, or were in work when it stopped.
public struct ReadAttempts: Statement {
    public var digests: [[UInt8]]
    public init(digests: [[UInt8]]) { self.digests = digests }
    public static let sql = "SELECT digest FROM attempt WHERE digest = ANY ($1::bytea[])"
    public var parameters: [Parameter] { [.byteas(digests)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [UInt8] { try row.bytea() }
}

/// Deletes the attempts of a message that was handled: it is not suspected any more.
public struct ForgetAttempt: Command {
    public var digest: [UInt8]
    public init(digest: [UInt8]) { self.digest = digest }
    public static let sql = "DELETE FROM attempt WHERE digest = $1"
    public var parameters: [Parameter] { [.bytea(digest)] }
}
