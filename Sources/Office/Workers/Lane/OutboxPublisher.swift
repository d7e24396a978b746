import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import Observability

/// The publishing side of a lane: its own connection, its own outbox rows, and publisher confirms with many
/// messages in flight.
///
/// An unconfirmed row stays in memory, even if the connection is lost, and is sent again with the same event id.
/// Rows for a queue that takes no messages stay only in the database (`ParkedQueues`), so that memory is limited
/// in any case.
struct OutboxPublisher {
    /// The outcomes of rows since the last transaction, to be written with the next one.
    struct Settled {
        var confirmed: [OutboxRow] = []
        /// Returned by the broker: there is no such queue.
        var unroutable: [OutboxRow] = []
        /// Not sent: the barrier excludes the addressee by now.
        var withdrawn: [OutboxRow] = []
        var all: [OutboxRow] { confirmed + unroutable + withdrawn }
        var isEmpty: Bool { confirmed.isEmpty && unroutable.isEmpty && withdrawn.isEmpty }
    }

    struct Link {
        let connection: Broker
        let publisher: Publisher

        init(_ settings: AMQP.ConnectionSettings) throws {
            connection = try Broker(settings)
            publisher = try Publisher(on: connection)
        }
    }

    private let login: () -> AMQP.ConnectionSettings
    private let name: String
    let sender: String
    var link: Link?
    /// Rows to send, in order; `inFlight` has those that were sent and are not confirmed, by token.
    private var waiting: [OutboxRow] = []
    private var inFlight: [Int64: OutboxRow] = [:]
    /// When the barrier admitted all rows in `waiting`; `nil` if some of them may have waited for long.
    private var admittedAt: ContinuousClock.Instant?
    /// When each row was sent, oldest first; rows that were confirmed meanwhile are skipped.
    private var sendings: ArraySlice<(token: Int64, at: ContinuousClock.Instant)> = []
    private var lastToken: Int64 = 0
    /// The newest confirmed token. A row that was sent earlier over this connection and is not confirmed is held
    /// up by its queue.
    private var newestConfirmed: Int64 = 0
    var parked = ParkedQueues()
    /// The rows on their way to parked queues, by routing key.
    var trials: [String: QueueTrial] = [:]
    /// The test whether the broker confirms anything at all.
    var question = BrokerQuestion()
    private(set) var settled = Settled()
    var metrics: WorkerMetrics

    /// - Parameter login: asked before each connection.
    init(_ login: @autoclosure @escaping () -> AMQP.ConnectionSettings, worker: Worker, name: String) {
        self.login = login
        self.name = name
        sender = Party.office(worker).description
        metrics = .none(worker)
    }

    var settings: AMQP.ConnectionSettings {
        var settings = login()
        settings.connectionName = "\(name) publishing"
        return settings
    }
    var isConnected: Bool { link != nil }
    /// Whether the broker takes no messages, or a confirm is overdue: then the lane takes no new batch.
    var isBehind: Bool {
        !waiting.isEmpty
            || overdue.contains { sending in inFlight[sending.token].map { !parked.contains($0.routingKey) } ?? false }
    }
    /// The bytes of the bodies that are not sent or not confirmed.
    var unconfirmedBytes: Int {
        waiting.reduce(0) { $0 + $1.body.count } + inFlight.values.reduce(0) { $0 + $1.body.count }
    }
    /// The event ids of all outbox rows in the memory of this lane.
    var eventIDs: Set<UUID> {
        Set((waiting + inFlight.values + trials.values.map(\.row) + settled.all).map(\.eventID))
    }

    mutating func connect() throws {
        if link == nil { link = try Link(settings) }
    }

    /// Closes the connection. Rows in flight are sent again over the next one.
    mutating func disconnect() {
        link?.connection.close()
        link = nil
        sendAgain()
        abandonTrials()
    }

    private mutating func sendAgain() {
        waiting = inFlight.sorted { $0.key < $1.key }.map(\.value) + waiting
        waiting.removeAll { parked.contains($0.routingKey) }
        admittedAt = nil
        inFlight = [:]
        sendings = []
        newestConfirmed = lastToken
        question = BrokerQuestion()
    }

    /// Drops the rows to send: another lane sends them. The outcomes of settled rows are still to be written.
    mutating func forget() {
        waiting = []
        inFlight = [:]
        sendings = []
        abandonTrials()
    }

    /// Takes rows to send; those for parked queues stay in the database.
    /// - Parameter justWritten: whether the barrier admitted them a moment ago. For rows that were read back from
    ///   the database it is checked again.
    mutating func add(_ rows: [OutboxRow], justWritten: Bool) {
        if !justWritten { admittedAt = nil } else if waiting.isEmpty { admittedAt = .now }
        waiting += rows.filter { !parked.contains($0.routingKey) }
    }

    /// The rows for which the barrier must be checked again, if they have waited for long: units, sources and
    /// persons may have changed meanwhile.
    var toBeAsked: [UUID] {
        if let admittedAt, (ContinuousClock.now - admittedAt).inSeconds < LaneSettings.admittedSeconds { return [] }
        return waiting.map(\.eventID)
    }

    mutating func withdraw(_ barred: Set<UUID>) {
        settled.withdrawn += waiting.filter { barred.contains($0.eventID) }
        metrics.withdrawn(barred.count)
        waiting.removeAll { barred.contains($0.eventID) }
        admittedAt = .now
    }

    /// Withdraws a row that is only in the database.
    mutating func withdraw(_ row: OutboxRow) { settled.withdrawn.append(row) }

    mutating func takeSettled() -> Settled {
        defer { settled = Settled() }
        return settled
    }

    /// Takes back outcomes whose transaction failed: the next one writes them.
    mutating func putBack(_ unsettled: Settled) {
        settled.confirmed += unsettled.confirmed
        settled.unroutable += unsettled.unroutable
        settled.withdrawn += unsettled.withdrawn
    }

    // MARK: Sending

    /// Sends the waiting rows, as far as the broker takes them, and reads the confirms that have arrived. By
    /// default it does not wait for confirms: the rows are safe in the outbox, and the next batch is decided
    /// meanwhile.
    /// - Parameter seconds: how long to wait for all confirms. A lane waits when it ends, or when too many bytes
    ///   are unconfirmed.
    mutating func flush(confirmsWithin seconds: Double = 0) throws {
        guard let link else { return }
        let end = ContinuousClock.now + .seconds(seconds)
        try send()
        settleTrials()
        settle(try link.publisher.settle(within: max(0, (end - .now).inSeconds)), at: .now)
    }

    private mutating func send() throws {
        guard !waiting.isEmpty else { return }
        let start = ContinuousClock.now
        let sending = Sending()
        var sent = 0
        // Also if publishing throws: rows that were sent are in flight, and only there.
        defer { waiting.removeFirst(sent) }
        while sent < waiting.count {
            let row = waiting[sent]
            let seconds = max(0, LaneSettings.confirmTimeoutSeconds - (ContinuousClock.now - start).inSeconds)
            guard
                try publish(
                    row.body, to: row.exchange, key: row.routingKey, properties: sending.properties(row, from: sender),
                    mandatory: true, within: seconds)
            else { break }
            inFlight[lastToken] = row
            sendings.append((lastToken, start))
            sent += 1
        }
    }

    /// Sends a marker of the lane to itself, for which there is no outbox row: see `Listening`. A lost marker is
    /// sent again.
    mutating func send(marker: String, to queue: String) throws {
        let properties = Properties(
            type: LaneSettings.markerType, correlationID: marker, userID: sender, deliveryMode: .transient)
        _ = try publish([], to: Topology.Exchange.work, key: queue, properties: properties, mandatory: false, within: 0)
    }

    /// Sends one message under the next token.
    /// - Returns: `false` if the broker takes no message within the time.
    mutating func publish(
        _ body: [UInt8], to exchange: String, key: String, properties: Properties, mandatory: Bool,
        within seconds: Double
    ) throws -> Bool {
        guard let link else { return false }
        let isSent = try link.publisher.publish(
            body, to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: key), properties: properties,
            mandatory: mandatory, token: lastToken + 1, deadline: seconds)
        if isSent { lastToken += 1 }
        return isSent
    }

    private mutating func settle(
        _ outcomes: [(token: Int64, outcome: Publisher.Outcome)], at now: ContinuousClock.Instant
    ) {
        for (token, outcome) in outcomes {
            if outcome == .confirmed {
                newestConfirmed = max(newestConfirmed, token)
                if let sentAt = sentAt(token) { metrics.took((now - sentAt).inSeconds, .committedToConfirmed) }
            }
            guard let row = inFlight.removeValue(forKey: token) else { continue }
            note(row, outcome)
            switch outcome {
            case .nacked: park([row.routingKey], .refusing, at: now)
            case .confirmed: parked.tookEarlier(row.routingKey)
            case .returned: parked.free(row.routingKey)
            }
        }
        sendings = sendings.drop { inFlight[$0.token] == nil }
    }

    /// When the message of this token was sent. The tokens in `sendings` ascend.
    private func sentAt(_ token: Int64) -> ContinuousClock.Instant? {
        var (low, high) = (sendings.startIndex, sendings.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if sendings[middle].token < token { low = middle + 1 } else { high = middle }
        }
        return low < sendings.endIndex && sendings[low].token == token ? sendings[low].at : nil
    }

    /// Keeps the outcome of a row, to be written.
    mutating func note(_ row: OutboxRow, _ outcome: Publisher.Outcome) {
        metrics.published(row.type, outcome.label)
        switch outcome {
        case .confirmed: settled.confirmed.append(row)
        case .returned: settled.unroutable.append(row)
        case .nacked: break
        }
    }

    /// Parks queues and drops the waiting rows for them. Rows in flight may still be confirmed.
    private mutating func park(_ keys: Set<String>, _ cause: ParkedQueues.Cause, at now: ContinuousClock.Instant) {
        for key in keys { parked.park(key, cause, at: now) }
        waiting.removeAll { keys.contains($0.routingKey) }
    }

    // MARK: Overdue confirms

    /// The unconfirmed rows that were sent more than `LaneSettings.confirmTimeoutSeconds` ago.
    var overdue: [(token: Int64, at: ContinuousClock.Instant)] {
        let since = ContinuousClock.now - .seconds(LaneSettings.confirmTimeoutSeconds)
        return sendings.prefix { $0.at < since }.filter { inFlight[$0.token] != nil }
    }
    /// Whether a confirm is overdue although the broker confirmed a later message: then the queue holds it up.
    var isHeldUpByQueues: Bool { overdue.contains { $0.token < newestConfirmed } }
    var oldestOverdue: (row: OutboxRow, at: ContinuousClock.Instant)? {
        overdue.first.flatMap { sending in inFlight[sending.token].map { ($0, sending.at) } }
    }

    /// Parks the queues that hold up confirms, and continues over another connection. The broker reads nothing
    /// more from a connection that has sent to such a queue, and some confirms would never come over it.
    mutating func parkSilentQueues(over other: Link? = nil) throws {
        let rows = overdue.filter { other != nil || $0.token < newestConfirmed }.compactMap { inFlight[$0.token] }
        park(Set(rows.map(\.routingKey)), .silent, at: .now)
        // Closed without waiting for a reply: the broker may read nothing more from it.
        link?.connection.abandon()
        link = nil
        sendAgain()
        link = try other ?? Link(settings)
    }

    /// Serves the heartbeats of an idle connection.
    func serve() throws {
        guard let link else { return }
        while let event = try link.connection.nextEvent(within: 0) {
            if case .channelClosed(_, let error) = event { throw error }
        }
    }
}

/// The properties that all messages of one flush share.
struct Sending {
    private let now = Instant.wall()

    func properties(_ row: OutboxRow, from sender: String) -> Properties {
        let id = UUID.version7(at: now)
        return Properties(
            contentType: MediaType.cloudEvents, messageID: id.lowercased, type: row.type, correlationID: row.subject,
            userID: sender, timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)),
            headers: ["traceparent": .string(traceparent(row, id))])
    }

    /// The W3C trace context. All messages about a report are one trace, with the id of the report; each sending
    /// is a span. A bare receipt does not show the report, so its trace has the event's id.
    private func traceparent(_ row: OutboxRow, _ sending: UUID) -> String {
        let isBare = row.type == MessageType.reportReceived.rawValue
        let trace = ((isBare ? nil : row.reports.first?.uuid) ?? row.eventID).bytes.hexadecimal
        return "00-\(trace)-\(Array(sending.bytes.suffix(8)).hexadecimal)-01"
    }
}

extension UUID {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}

extension Publisher.Outcome {
    fileprivate var label: WorkerMetrics.Published {
        switch self {
        case .confirmed: .confirmed
        case .nacked: .nacked
        case .returned: .returned
        }
    }
}
