public import Basics
import Casework
public import Foundation
public import PostgreSQL

/// The body of a dead letter: the encrypted bytes, or a digest and the size if the bytes may not be kept.
public enum DeadLetterBody: Sendable {
    case kept(SealedBox, bytes: Int)
    /// - Parameter digest: keyed.
    case notKept(digest: [UInt8], bytes: Int)

    public var bytes: Int {
        switch self {
        case .kept(_, let bytes), .notKept(_, let bytes): bytes
        }
    }

    public var box: SealedBox? {
        if case .kept(let box, _) = self { box } else { nil }
    }

    fileprivate var digest: [UInt8]? {
        if case .notKept(let digest, _) = self { digest } else { nil }
    }
}

/// A message that could not be handled, with the reason.
public struct DeadLetter: Sendable {
    public let id: UUID
    /// A stable word: `not_json`, `stops_the_worker`, `too_costly` …
    public var reason: String
    /// A text for a person; it contains nothing of the message.
    public var detail: String
    public var type: String?
    public var sender: String?
    public var eventID: String?
    /// The id of the act in the inbox; `nil` for a message of the office itself.
    public var inboxID: String?
    /// The queue it came from; for the office's own messages the exchange they were sent to.
    public var queue: String
    public var routingKey: String
    /// The worker that handles commands about it.
    public var worker: String
    /// For the office's own messages: the addressee.
    public var addressee: String?
    public var subject: String?
    public var reports: [ReportID] = []
    public var handoffID: HandoffID?
    public var body: DeadLetterBody
    public var answered: Bool
    public var receivedAt: Instant
    /// How often it was received.
    public var times = 1

    public init(
        id: UUID, reason: String, detail: String, type: String?, sender: String?, eventID: String?, inboxID: String?,
        queue: String, routingKey: String, worker: String, body: DeadLetterBody, answered: Bool, receivedAt: Instant
    ) {
        self.id = id
        self.reason = reason
        self.detail = detail
        self.type = type
        self.sender = sender
        self.eventID = eventID
        self.inboxID = inboxID
        self.queue = queue
        self.routingKey = routingKey
        self.worker = worker
        self.body = body
        self.answered = answered
        self.receivedAt = receivedAt
    }
}

/// The state of a dead letter.
public enum DeadLetterState: String, CaseIterable, Hashable, Sendable {
    /// It is not yet decided.
    case open
    /// Its handler handled it again and it has a verdict.
    case replayed
    /// A person decided that nothing more is to be done.
    case discarded
}

extension DeadLetter {
    static let columns = Columns<DeadLetter>(
        of: "dead_letter",
        [
            .uuid("id", \.id, .key), .text("reason", \.reason), .text("detail", \.detail), .text("type", \.type),
            .text("sender", \.sender), .text("event_id", \.eventID), .text("inbox_id", \.inboxID),
            .text("queue", \.queue), .text("routing_key", \.routingKey), .text("worker", \.worker),
            .text("addressee", \.addressee), .text("subject", \.subject), .uuids("reports", \.reports),
            .uuid("handoff_id", \.handoffID), .text("key_id", \.body.box?.keyID),
            .bytea("sealed", \.body.box?.sealed), .bytea("digest", \.body.digest),
            .int8("bytes", { Int64($0.body.bytes) }), .bool("answered", \.answered),
            .instant("received_at", \.receivedAt), .int4("times", \.times),
        ])

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        let (id, reason, detail) = (try row.uuid(), try row.text(), try row.text())
        let (type, sender, eventID, inboxID) = (
            try row.textOrNil(), try row.textOrNil(), try row.textOrNil(), try row.textOrNil()
        )
        let (queue, routingKey, worker) = (try row.text(), try row.text(), try row.text())
        let (addressee, subject) = (try row.textOrNil(), try row.textOrNil())
        let (reports, handoff): ([ReportID], HandoffID?) = (try row.uuids().map { ReportID($0) }, try row.idOrNil())
        let (keyID, sealed, digest, bytes) = (
            try row.textOrNil(), try row.byteaOrNil(), try row.byteaOrNil(), try row.int()
        )
        let body: DeadLetterBody =
            if let keyID, let sealed { .kept(SealedBox(keyID: keyID, sealed: sealed), bytes: bytes) } else {
                .notKept(digest: digest ?? [], bytes: bytes)
            }
        self.init(
            id: id, reason: reason, detail: detail, type: type, sender: sender, eventID: eventID, inboxID: inboxID,
            queue: queue, routingKey: routingKey, worker: worker, body: body, answered: try row.bool(),
            receivedAt: try row.instant())
        self.addressee = addressee
        self.subject = subject
        self.reports = reports
        handoffID = handoff
        times = try row.int()
    }
}

public struct InsertDeadLetters: Command {
    public var letters: [DeadLetter]
    public init(letters: [DeadLetter]) { self.letters = letters }
    public static let sql = """
        \(DeadLetter.columns.insert)
        -- A message that the broker or its addressee returned is kept under its event's id, and may be returned
        -- again, also after a replay.
        ON CONFLICT (id) DO UPDATE SET
            times = dead_letter.times + excluded.times,
            replays = dead_letter.replays + (dead_letter.state = 'replayed')::int,
            state = CASE WHEN dead_letter.state = 'replayed' THEN 'open' ELSE dead_letter.state END,
            settled_at = CASE WHEN dead_letter.state <> 'replayed' THEN dead_letter.settled_at END,
            settled_by = CASE WHEN dead_letter.state <> 'replayed' THEN dead_letter.settled_by END,
            settled_because = CASE WHEN dead_letter.state <> 'replayed' THEN dead_letter.settled_because END
        """
    public var parameters: [Parameter] { DeadLetter.columns.inserting(letters) }
}

/// The number of open dead letters of each sender, counted up to `countMax`. An unregistered sender is "".
public struct CountOpenDeadLetters: Statement {
    public var senders: [String]
    public var countMax: Int
    public init(senders: [String], countMax: Int) {
        self.senders = senders
        self.countMax = countMax
    }
    public static let sql = """
        SELECT wanted.sender, found.count FROM unnest($1::text[]) AS wanted (sender)
        CROSS JOIN LATERAL (
            SELECT count(*) FROM (
                SELECT FROM dead_letter WHERE state = 'open' AND coalesce(dead_letter.sender, '') = wanted.sender LIMIT
                    $2
            ) AS open
        ) AS found
        """
    public var parameters: [Parameter] { [.texts(senders), .int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (sender: String, count: Int) {
        (try row.text(), try row.int())
    }
}

/// Counts messages that were not kept as dead letters because too many of their sender's are open.
public struct CountUnkeptLetters: Command {
    public var senders: [String]
    public var counts: [Int]
    public var at: Instant
    public init(_ counts: [String: Int], at: Instant) {
        senders = counts.keys.sorted()
        self.counts = senders.map { counts[$0] ?? 0 }
        self.at = at
    }
    public static let sql = """
        INSERT INTO dead_letter_unkept (sender, count, last_at)
        SELECT sender, count, $3 FROM unnest($1::text[], $2::int[]) AS more (sender, count) ORDER BY sender
        ON CONFLICT (sender) DO UPDATE SET count = dead_letter_unkept.count + excluded.count, last_at = excluded.last_at
        """
    public var parameters: [Parameter] { [.texts(senders), .integers(counts), .instant(at)] }
}

/// The senders with messages that were not kept as dead letters.
public struct ReadUnkeptLetters: Statement {
    public init() {}
    public static let sql = "SELECT sender, count, last_at FROM dead_letter_unkept ORDER BY sender"
    public var parameters: [Parameter] { [] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (sender: String, count: Int, lastAt: Instant)
    {
        (try row.text(), try row.int(), try row.instant())
    }
}

/// Dead letters that a command concerns, locked in the order of their ids.
public struct LockDeadLetters: Statement {
    public var ids: [UUID]
    public init(ids: [UUID]) { self.ids = ids }
    public static let sql = """
        SELECT \(DeadLetter.columns.names), state
        FROM dead_letter WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
        """
    public var parameters: [Parameter] { [.uuids(ids)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (letter: DeadLetter, state: DeadLetterState) {
        let letter = try DeadLetter(&row)
        return (letter, try row.word())
    }
}

/// Counts further deliveries of dead letters, on the last dead letter of each act.
public struct CountLettersAgain: Command {
    public var keys: [InboxKey]
    public var times: [Int]
    public init(_ sendings: [InboxKey: Int]) {
        keys = sendings.keys.sorted()
        times = keys.map { sendings[$0] ?? 0 }
    }
    public static let sql = """
        UPDATE dead_letter SET times = dead_letter.times + again.times
        FROM (
            SELECT (
                SELECT d.id FROM dead_letter d WHERE d.inbox_id = act.inbox_id AND coalesce(d.sender, 'unknown') =
                    act.sender
                ORDER BY d.received_at DESC, d.id DESC LIMIT 1
            ) AS id, act.times
            FROM unnest($1::text[], $2::text[], $3::int[]) AS act (sender, inbox_id, times)
        ) AS again
        WHERE dead_letter.id = again.id
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID)), .integers(times)] }
}

/// The reason of the last dead letter of each act.
public struct ReadDeadLetterReasons: Statement {
    public var keys: [InboxKey]
    public init(keys: [InboxKey]) { self.keys = keys }
    public static let sql = """
        SELECT DISTINCT ON (act.sender, act.inbox_id) act.sender, act.inbox_id, d.reason
        FROM unnest($1::text[], $2::text[]) AS act (sender, inbox_id)
        JOIN dead_letter d ON d.inbox_id = act.inbox_id AND coalesce(d.sender, 'unknown') = act.sender
        ORDER BY act.sender, act.inbox_id, d.received_at DESC, d.id DESC
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (key: InboxKey, reason: String) {
        (InboxKey(sender: try row.text(), eventID: try row.text()), try row.text())
    }
}

/// Those of these acts that are decided, or wait for a decision, under their own id. A report is found even after its
/// inbox row was pruned.
public struct ReadDecidedActs: Statement {
    public var keys: [InboxKey]
    public init(keys: [InboxKey]) { self.keys = keys }
    public static let sql = """
        SELECT act.sender, act.event_id FROM unnest($1::text[], $2::text[]) AS act (sender, event_id)
        WHERE EXISTS (
                SELECT FROM inbox i WHERE i.sender = act.sender AND i.event_id = act.event_id AND i.verdict <> 'dead')
            OR act.sender LIKE 'source.%' AND EXISTS (
                SELECT FROM report r WHERE r.source = substr(act.sender, 8) AND r.source_id = act.event_id)
        """
    public var parameters: [Parameter] { [.texts(keys.map(\.sender)), .texts(keys.map(\.eventID))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> InboxKey {
        InboxKey(sender: try row.text(), eventID: try row.text())
    }
}

/// The result of a command on a dead letter. `open`: it was tried again and failed again, for this reason.
public struct DeadLetterSettlement: Sendable {
    public let id: UUID
    public let state: DeadLetterState
    public let at: Instant
    public let by: String
    /// The verdict, or the reason why it was discarded or why it is still dead.
    public let because: String
    /// The stable word of the reason if it is still dead.
    public let reason: String?

    public init(id: UUID, state: DeadLetterState, at: Instant, by: String, because: String, reason: String? = nil) {
        self.id = id
        self.state = state
        self.at = at
        self.by = by
        self.because = because
        self.reason = reason
    }
}

public struct SettleDeadLetters: Command {
    public var settlements: [DeadLetterSettlement]
    public init(_ settlements: [DeadLetterSettlement]) { self.settlements = settlements }
    public static let sql = """
        UPDATE dead_letter SET
            state = s.state, replays = replays + (s.state = 'open')::int,
            reason = CASE WHEN s.state = 'open' THEN coalesce(s.reason, dead_letter.reason) ELSE dead_letter.reason END,
            detail = CASE WHEN s.state = 'open' THEN s.because ELSE detail END,
            settled_at = CASE WHEN s.state <> 'open' THEN s.at END, settled_by = CASE WHEN s.state <> 'open' THEN s.by
                END,
            settled_because = CASE WHEN s.state <> 'open' THEN s.because END
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) AS s (id, state, at,
            by, because, reason)
        -- It is settled only once.
        WHERE dead_letter.id = s.id AND dead_letter.state = 'open'
        """
    public var parameters: [Parameter] {
        [
            .uuids(settlements.map(\.id)), .texts(settlements.map(\.state.rawValue)), .instants(settlements.map(\.at)),
            .texts(settlements.map(\.by)), .texts(settlements.map(\.because)), .texts(settlements.map(\.reason)),
        ]
    }
}

/// A choice of dead letters; a property that is `nil` matches all.
public struct DeadLetterFilter: Sendable {
    public var state: DeadLetterState? = .open
    public var reason: String?
    public var type: String?
    public var sender: String?
    public var receivedAfter: Instant?
    public var receivedBefore: Instant?
    public init() {}
}

/// A dead letter for an operator: everything except its bytes.
public struct DeadLetterSummary: Sendable {
    public let id: UUID
    public let reason: String
    public let detail: String
    public let type: String?
    public let sender: String?
    public let eventID: String?
    public let queue: String
    public let routingKey: String
    public let worker: String
    public let bytes: Int
    /// Whether its bytes are stored, so that it can be tried again.
    public let isKept: Bool
    public let times: Int
    public let answered: Bool
    public let receivedAt: Instant
    public let replays: Int
    public let state: DeadLetterState
    public let settledAt: Instant?
    public let settledBy: String?
    public let settledBecause: String?

    fileprivate init(_ row: inout RowReader) throws(PostgreSQLError) {
        (id, reason, detail) = (try row.uuid(), try row.text(), try row.text())
        (type, sender, eventID) = (try row.textOrNil(), try row.textOrNil(), try row.textOrNil())
        (queue, routingKey, worker) = (try row.text(), try row.text(), try row.text())
        (bytes, isKept, times) = (try row.int(), try row.bool(), try row.int())
        (answered, receivedAt, replays) = (try row.bool(), try row.instant(), try row.int())
        (state, settledAt) = (try row.word(), try row.instantOrNil())
        (settledBy, settledBecause) = (try row.textOrNil(), try row.textOrNil())
    }
}

private let summaryColumns = """
    id, reason, detail, type, sender, event_id, queue, routing_key, worker, bytes, sealed IS NOT NULL, times, answered,
        \
    received_at, replays, state, settled_at, settled_by, settled_because
    """

/// The FROM and WHERE of the chosen dead letters, after a given one.
private let chosenLetters = """
    FROM dead_letter
    WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR type = $3)
      AND ($4::text IS NULL OR sender = $4) AND ($5::timestamptz IS NULL OR received_at >= $5)
      AND ($6::timestamptz IS NULL OR received_at < $6)
      AND ($7::timestamptz IS NULL OR (received_at, id) > ($7, $8::uuid))
    """

extension DeadLetterFilter {
    fileprivate func parameters(after: (receivedAt: Instant, id: UUID)?) -> [Parameter] {
        [
            .text(state?.rawValue), .text(reason), .text(type), .text(sender), .instant(receivedAfter),
            .instant(receivedBefore),
            .instant(after?.receivedAt), .uuid(after?.id),
        ]
    }
}

/// Dead letters, oldest first, one page after a given one.
public struct ListDeadLetters: Statement {
    public var filter: DeadLetterFilter
    public var after: (receivedAt: Instant, id: UUID)?
    public var countMax: Int
    public init(_ filter: DeadLetterFilter, after: (receivedAt: Instant, id: UUID)? = nil, countMax: Int) {
        self.filter = filter
        self.after = after
        self.countMax = countMax
    }

    public static let sql = "SELECT \(summaryColumns) \(chosenLetters) ORDER BY received_at, id LIMIT $9"
    public var parameters: [Parameter] { filter.parameters(after: after) + [.int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> DeadLetterSummary {
        try DeadLetterSummary(&row)
    }
}

/// The number of dead letters after a given one.
public struct CountListedDeadLetters: Statement {
    public var filter: DeadLetterFilter
    public var after: (receivedAt: Instant, id: UUID)?
    public init(_ filter: DeadLetterFilter, after: (receivedAt: Instant, id: UUID)?) {
        self.filter = filter
        self.after = after
    }

    public static let sql = "SELECT count(*) \(chosenLetters)"
    public var parameters: [Parameter] { filter.parameters(after: after) }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

public struct ReadDeadLetters: Statement {
    public var ids: [UUID]
    public init(ids: [UUID]) { self.ids = ids }
    public static let sql =
        "SELECT \(summaryColumns) FROM dead_letter WHERE id = ANY ($1::uuid[]) ORDER BY received_at, id"
    public var parameters: [Parameter] { [.uuids(ids)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> DeadLetterSummary {
        try DeadLetterSummary(&row)
    }
}
