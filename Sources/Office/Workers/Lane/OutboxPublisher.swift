import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation

/// The publishing side of a lane: its own connection, its own rows of the outbox, confirms with many in flight.
///
/// What is not confirmed stays in memory, through lost connections too, and is sent again with the same event id. What
/// goes to a queue that takes no messages stays in the database only (`ParkedQueues`), so that memory is bounded
/// whatever happens there.
struct OutboxPublisher {
    /// What became of rows since the last transaction, to be written with the next one.
    struct Settled {
        var confirmed: [OutboxRow] = []
        /// Given back by the broker: no such queue.
        var unroutable: [OutboxRow] = []
        /// Not sent: the barrier stands before the addressee by now.
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

    let settings: AMQP.ConnectionSettings
    let sender: String
    var link: Link?
    /// Rows to send, in order, and those sent but not confirmed, by token.
    private var waiting: [OutboxRow] = []
    private var inFlight: [Int64: OutboxRow] = [:]
    /// When the barrier admitted all that waits; `nil`: some of it may have waited for long.
    private var admittedAt: ContinuousClock.Instant?
    /// When each was sent, oldest first; those confirmed meanwhile are passed over.
    private var sendings: ArraySlice<(token: Int64, at: ContinuousClock.Instant)> = []
    private var lastToken: Int64 = 0
    /// Of all that were confirmed: what was sent before it over this connection and is not confirmed, is held up by its
    /// queue.
    private var newestConfirmed: Int64 = 0
    var parked = ParkedQueues()
    /// Rows on their way to parked queues, by routing key.
    var trials: [String: QueueTrial] = [:]
    /// The broker is asked whether it confirms anything at all.
    var question = BrokerQuestion()
    private(set) var settled = Settled()

    init(_ settings: AMQP.ConnectionSettings, worker: Worker, name: String) {
        var settings = settings
        settings.connectionName = "\(name) publishing"
        self.settings = settings
        sender = Party.office(worker).description
    }

    var isConnected: Bool { link != nil }
    /// The broker does not take messages, or owes a confirm for too long: no new batch meanwhile.
    var isBehind: Bool {
        !waiting.isEmpty
            || overdue.contains { sending in inFlight[sending.token].map { !parked.contains($0.routingKey) } ?? false }
    }
    /// Of bodies that are to be sent, or to be confirmed.
    var unconfirmedBytes: Int {
        waiting.reduce(0) { $0 + $1.body.count } + inFlight.values.reduce(0) { $0 + $1.body.count }
    }
    /// Everything that this lane holds of the outbox.
    var eventIDs: Set<UUID> {
        Set((waiting + inFlight.values + trials.values.map(\.row) + settled.all).map(\.eventID))
    }

    mutating func connect() throws {
        if link == nil { link = try Link(settings) }
    }

    /// What was in flight goes again over the next connection.
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

    /// The rows are another's to send. What became of those that were settled is still to be written.
    mutating func forget() {
        waiting = []
        inFlight = [:]
        sendings = []
        abandonTrials()
    }

    /// Takes rows to be sent; those for parked queues stay in the database.
    /// - Parameter justWritten: the barrier admitted them a moment ago. What has lain in the database is asked about
    ///   once more.
    mutating func add(_ rows: [OutboxRow], justWritten: Bool) {
        if !justWritten { admittedAt = nil } else if waiting.isEmpty { admittedAt = .now }
        waiting += rows.filter { !parked.contains($0.routingKey) }
    }

    /// Units, sources and persons may have been moved while rows waited: those that the barrier keeps back now are not
    /// sent.
    var toBeAsked: [UUID] {
        if let admittedAt, (ContinuousClock.now - admittedAt).inSeconds < LaneSettings.admittedSeconds { return [] }
        return waiting.map(\.eventID)
    }

    mutating func withdraw(_ barred: Set<UUID>) {
        settled.withdrawn += waiting.filter { barred.contains($0.eventID) }
        waiting.removeAll { barred.contains($0.eventID) }
        admittedAt = .now
    }

    /// One that waits in the database only.
    mutating func withdraw(_ row: OutboxRow) { settled.withdrawn.append(row) }

    mutating func takeSettled() -> Settled {
        defer { settled = Settled() }
        return settled
    }

    /// A transaction that should have written this failed: it belongs to the next one.
    mutating func putBack(_ unsettled: Settled) {
        settled.confirmed += unsettled.confirmed
        settled.unroutable += unsettled.unroutable
        settled.withdrawn += unsettled.withdrawn
    }

    // MARK: Sending

    /// Sends what waits, as far as the broker takes it, and reads the confirms that have arrived. They are not waited
    /// for: the rows are safe in the outbox, and the next batch is decided meanwhile.
    /// - Parameter confirmsWithin: how long to wait for all confirms, in seconds; a lane that ends does.
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
        // Also when publishing throws: what was sent is in flight, and only there.
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

    /// A word of the lane to itself, of which no row remembers: see `Listening`. One that gets lost is sent again.
    mutating func send(marker: String, to queue: String) throws {
        let properties = Properties(
            type: LaneSettings.markerType, correlationID: marker, userID: sender, deliveryMode: .transient)
        _ = try publish([], to: Topology.Exchange.work, key: queue, properties: properties, mandatory: false, within: 0)
    }

    /// Sends one message under the next token; false if the broker takes none within the time.
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
            if outcome == .confirmed { newestConfirmed = max(newestConfirmed, token) }
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

    /// Keeps what is to be written of a row.
    mutating func note(_ row: OutboxRow, _ outcome: Publisher.Outcome) {
        switch outcome {
        case .confirmed: settled.confirmed.append(row)
        case .returned: settled.unroutable.append(row)
        case .nacked: break
        }
    }

    /// Rows for these queues are held no longer; those in flight may still be confirmed.
    private mutating func park(_ keys: Set<String>, _ cause: ParkedQueues.Cause, at now: ContinuousClock.Instant) {
        for key in keys { parked.park(key, cause, at: now) }
        waiting.removeAll { keys.contains($0.routingKey) }
    }

    // MARK: Confirms that do not come

    /// Those sent so long ago that their confirms should be here.
    var overdue: [(token: Int64, at: ContinuousClock.Instant)] {
        let since = ContinuousClock.now - .seconds(LaneSettings.confirmTimeoutSeconds)
        return sendings.prefix { $0.at < since }.filter { inFlight[$0.token] != nil }
    }
    /// Whether a confirm is overdue although the broker confirmed what was sent later: then it is the queue that holds
    /// it up.
    var isHeldUpByQueues: Bool { overdue.contains { $0.token < newestConfirmed } }
    var oldestOverdue: (row: OutboxRow, at: ContinuousClock.Instant)? {
        overdue.first.flatMap { sending in inFlight[sending.token].map { ($0, sending.at) } }
    }

    /// Parks the queues that hold confirms up, and goes on over another connection: the broker reads no more from one
    /// that has sent some to such a queue, and its bookkeeping of confirms would never close.
    mutating func parkSilentQueues(over other: Link? = nil) throws {
        let rows = overdue.filter { other != nil || $0.token < newestConfirmed }.compactMap { inFlight[$0.token] }
        park(Set(rows.map(\.routingKey)), .silent, at: .now)
        // Not politely: the broker may read nothing more from it.
        link?.connection.abandon()
        link = nil
        sendAgain()
        link = try other ?? Link(settings)
    }

    /// Serves the heartbeat of an idle connection.
    func serve() throws {
        guard let link else { return }
        while let event = try link.connection.nextEvent(within: 0) {
            if case .channelClosed(_, let error) = event { throw error }
        }
    }
}

/// What all messages of one flush have alike.
struct Sending {
    private let now = Instant.wall()

    func properties(_ row: OutboxRow, from sender: String) -> Properties {
        let id = UUID.version7(at: now)
        return Properties(
            contentType: MediaType.cloudEvents, messageID: id.lowercased, type: row.type, correlationID: row.subject,
            userID: sender, timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)),
            headers: ["traceparent": .string(traceparent(row, id))])
    }

    /// W3C trace context: all that is sent about a report is one trace, whose id is the report's; each sending is a
    /// span. A bare receipt does not tell which report it is.
    private func traceparent(_ row: OutboxRow, _ sending: UUID) -> String {
        let isBare = row.type == MessageType.reportReceived.rawValue
        let trace = ((isBare ? nil : row.reports.first?.uuid) ?? row.eventID).bytes.hexadecimal
        return "00-\(trace)-\(Array(sending.bytes.suffix(8)).hexadecimal)-01"
    }
}

extension UUID {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}
