import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Corpus
import Foundation
import Installation

/// Publishes reports of the corpus to the office, each as its source, persistent, mandatory and confirmed.
final class Feeder {
    /// A report ready to be sent.
    struct Letter: Sendable {
        let source: SourceID
        let id: String
        let key: RoutingKey
        let body: [UInt8]

        init(_ report: SampleReport) {
            let event = CloudEvent(
                id: report.id, source: .source(report.source), type: .reportSubmitted, subject: report.id,
                time: report.submission.receivedAt ?? Instant(Date()), data: report.submission)
            source = report.source
            id = report.id
            key = RoutingKey(rawValue: event.type.routingKey(from: event.source))
            body = Wire.encode(event)
        }
    }

    private let settings: @Sendable (SourceID) throws -> AMQP.ConnectionSettings
    private var lines: [SourceID: (connection: AMQP.Connection, publisher: Publisher)] = [:]
    private var nextToken: Int64 = 0
    private var unconfirmed = 0

    init(_ configuration: OfficeConfiguration) {
        settings = { try configuration.brokerSettings(for: .source($0)) }
    }

    /// Connects all sources before a measurement.
    func open(_ sources: some Sequence<SourceID>) throws {
        for source in sources { _ = try line(source) }
    }

    func send(_ letter: Letter) throws {
        let publisher = try line(letter.source).publisher
        let wall = Instant(Date())
        let properties = Properties(
            contentType: MediaType.cloudEvents, messageID: UUID.version7(at: wall).lowercased,
            type: MessageType.reportSubmitted.rawValue, correlationID: letter.id,
            userID: Party.source(letter.source).description,
            timestamp: UInt64(max(0, wall.microsecondsSinceEpoch / 1_000_000)))
        nextToken += 1
        guard
            try publisher.publish(
                letter.body, to: ExchangeName(rawValue: Topology.Exchange.intake), key: letter.key,
                properties: properties, mandatory: true, token: nextToken, deadline: 30)
        else { throw UserError("the broker took no report for 30 s") }
        unconfirmed += 1
        if nextToken.isMultiple(of: 64) { try collect(within: 0) }
    }

    /// Sends at a fixed rate from `start` on, independent of earlier reports, so that a slow office does not
    /// reduce its own load.
    /// - Returns: when each report should have been sent; `start` and the results are monotonic nanoseconds.
    func send(_ letters: [Letter], perSecond rate: Double, from start: Int64) throws -> [String: Int64] {
        var intended: [String: Int64] = [:]
        intended.reserveCapacity(letters.count)
        for (index, letter) in letters.enumerated() {
            let due = start + Int64(Double(index) / rate * 1e9)
            while Monotonic.now < due {
                if unconfirmed > 0 { try collect(within: 0) }
                Monotonic.sleep(seconds: min(Monotonic.seconds(from: Monotonic.now, to: due), 0.001))
            }
            intended[letter.id] = due
            try send(letter)
        }
        return intended
    }

    /// Waits until the broker has confirmed everything.
    func finish() throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while unconfirmed > 0 {
            guard ContinuousClock.now < deadline else {
                throw UserError("the broker owes \(unconfirmed) confirms after 60 s")
            }
            try collect(within: 0.05)
        }
    }

    func close() {
        for line in lines.values { line.connection.close() }
        lines = [:]
    }

    private func collect(within seconds: Double) throws {
        for line in lines.values {
            for (_, outcome) in try line.publisher.settle(within: line.publisher.inFlightCount > 0 ? seconds : 0) {
                guard outcome == .confirmed else { throw UserError("the broker did not take a report: \(outcome)") }
                unconfirmed -= 1
            }
        }
    }

    private func line(_ source: SourceID) throws -> (connection: AMQP.Connection, publisher: Publisher) {
        if let line = lines[source] { return line }
        let connection = try AMQP.Connection(try settings(source))
        let line = (connection, try Publisher(on: connection))
        lines[source] = line
        return line
    }
}
