import AMQP
import CaseStore
import Casework
import Contract
import Foundation

/// The publishing side of a lane: its own connection, its own rows of the outbox, confirms with many in flight.
///
/// What is not confirmed stays in `pending`, through lost connections too, and is sent again with the same event id.
struct LaneOutlet {
    /// What became of rows since the last transaction, to be written with the next one.
    struct Settled {
        var confirmed: [OutboxRow] = []
        /// Given back by the broker: no such queue.
        var unroutable: [OutboxRow] = []
        var isEmpty: Bool { confirmed.isEmpty && unroutable.isEmpty }
    }

    private let settings: AMQP.ConnectionSettings
    private let sender: String
    private var link: (connection: Broker, publisher: Publisher)?
    /// Rows to send, in order, and those sent but not confirmed, by token.
    private var waiting: [OutboxRow] = []
    private var inFlight: [Int64: OutboxRow] = [:]
    /// When each was sent, oldest first; those confirmed meanwhile are passed over.
    private var sendings: ArraySlice<(token: Int64, at: ContinuousClock.Instant)> = []
    /// Refused for now, as by a full queue: tried again now and then, while the lane goes on.
    private var nacked: [OutboxRow] = []
    private var nextToken: Int64 = 0
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
        if !waiting.isEmpty { return true }
        guard let oldest = sendings.first else { return false }
        return (ContinuousClock.now - oldest.at).seconds > LaneSettings.confirmTimeoutSeconds
    }
    /// Everything that this lane knows to be in the outbox.
    var eventIDs: Set<UUID> {
        Set((waiting + nacked + inFlight.values + settled.confirmed + settled.unroutable).map(\.eventID))
    }

    mutating func connect() throws {
        guard link == nil else { return }
        let connection = try Broker(settings)
        link = (connection, try Publisher(on: connection))
    }

    /// What was in flight goes again over the next connection.
    mutating func disconnect() {
        link?.connection.close()
        link = nil
        waiting = inFlight.sorted { $0.key < $1.key }.map(\.value) + waiting
        inFlight = [:]
        sendings = []
    }

    mutating func add(_ rows: [OutboxRow]) { waiting += rows }

    mutating func retryNacked() {
        waiting += nacked
        nacked = []
    }

    mutating func takeSettled() -> Settled {
        defer { settled = Settled() }
        return settled
    }

    /// A transaction that should have written this failed: it belongs to the next one.
    mutating func putBack(_ unsettled: Settled) {
        settled.confirmed += unsettled.confirmed
        settled.unroutable += unsettled.unroutable
    }

    /// Sends what waits, as far as the broker takes it, and reads the confirms that have arrived. They are not waited for:
    /// the rows are safe in the outbox, and the next batch is decided meanwhile.
    /// - Parameter confirmsWithin: how long to wait for all confirms, in seconds; a lane that ends does.
    mutating func flush(confirmsWithin seconds: Double = 0) throws {
        guard let link else { return }
        let start = ContinuousClock.now
        func remaining(of seconds: Double) -> Double { max(0, seconds - (ContinuousClock.now - start).seconds) }
        let sending = waiting.isEmpty ? nil : Sending()
        var sent = 0
        // Also when publishing throws: what was sent is in flight, and only there.
        defer { waiting.removeFirst(sent) }
        while sent < waiting.count {
            let row = waiting[sent]
            nextToken += 1
            guard try link.publisher.publish(
                row.body, to: ExchangeName(rawValue: row.exchange), key: RoutingKey(rawValue: row.routingKey),
                properties: sending?.properties(row, from: sender) ?? Properties(), mandatory: true, token: nextToken,
                deadline: remaining(of: LaneSettings.confirmTimeoutSeconds))
            else { break }
            inFlight[nextToken] = row
            sendings.append((nextToken, start))
            sent += 1
        }
        try settle(link.publisher.settle(within: remaining(of: seconds)))
    }

    private mutating func settle(_ outcomes: [(token: Int64, outcome: Publisher.Outcome)]) {
        for (token, outcome) in outcomes {
            guard let row = inFlight.removeValue(forKey: token) else { continue }
            switch outcome {
            case .confirmed: settled.confirmed.append(row)
            case .returned: settled.unroutable.append(row)
            case .nacked: nacked.append(row)
            }
        }
        sendings = sendings.drop { inFlight[$0.token] == nil }
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
private struct Sending {
    private let now = Instant.wall()

    func properties(_ row: OutboxRow, from sender: String) -> Properties {
        let id = UUID.version7(at: now)
        return Properties(
            contentType: MediaType.cloudEvents, messageID: id.lowercased, type: row.type, correlationID: row.subject, userID: sender,
            timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)), headers: ["traceparent": .string(traceparent(row, id))])
    }

    /// W3C trace context: all that is sent about a report is one trace, whose id is the report's; each sending is a span.
    private func traceparent(_ row: OutboxRow, _ sending: UUID) -> String {
        let trace = (row.reports.first?.uuid ?? row.eventID).bytes.hexadecimal
        return "00-\(trace)-\(Array(sending.bytes.suffix(8)).hexadecimal)-01"
    }
}

extension UUID {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension Instant {
    /// Wall time, for what is transport.
    static func wall() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
