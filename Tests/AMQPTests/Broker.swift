import AMQP
import Foundation
import Testing

/// The broker the tests use: an administrator with all rights on one virtual host. Each test names its own queues and
/// exchanges.
enum Broker {
    static let url = ProcessInfo.processInfo.environment["TEST_BIHUAN_AMQP_URL"]
    static let isThere = url != nil
    static let absent: Comment = "TEST_BIHUAN_AMQP_URL names no broker"

    static func settings(_ name: String = #function) throws -> ConnectionSettings {
        var settings = try ConnectionSettings(url: #require(url))
        settings.connectionName = name
        return settings
    }

    static func connection(_ name: String = #function) throws -> Connection {
        try Connection(settings(name))
    }

    static func uniqueName() -> String {
        "amqp-tests." + UUID().uuidString.lowercased()
    }

    static func uniqueQueue() -> QueueName { QueueName(rawValue: uniqueName()) }
}

extension Connection {
    /// A queue that goes with this connection.
    func ownQueue(arguments: FieldTable = [:], on channel: ChannelNumber) throws -> QueueName {
        let queue = Broker.uniqueQueue()
        try declareQueue(queue, durable: false, exclusive: true, arguments: arguments, on: channel)
        return queue
    }

    /// The next event, which must come.
    func event(within seconds: Double = 10) throws -> Event {
        try #require(try nextEvent(within: seconds), "no event came")
    }

    func delivery(within seconds: Double = 10) throws -> Delivery {
        let event = try event(within: seconds)
        guard case .delivery(let delivery) = event else { throw Unexpected(event: event) }
        return delivery
    }

    /// A message through a queue and back.
    func roundTrip(_ body: [UInt8], _ properties: Properties = Properties()) throws -> Delivery {
        let channel = try openChannel()
        let queue = try ownQueue(on: channel)
        try consume(queue, on: channel)
        try publish(body, to: .default, key: RoutingKey(rawValue: queue.rawValue), properties: properties, on: channel)
        let delivery = try delivery()
        try acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
        return delivery
    }
}

extension Publisher {
    /// Waits until nothing is in flight.
    func outcomes(within seconds: Double = 20) throws -> [Int64: Outcome] {
        let settled = try settle(within: seconds)
        #expect(inFlightCount == 0, "some confirms did not come")
        return Dictionary(settled.map { ($0.token, $0.outcome) }, uniquingKeysWith: { first, _ in first })
    }
}

struct Unexpected: Error {
    var event: Event
}

extension QueueName {
    var key: RoutingKey { RoutingKey(rawValue: rawValue) }
}

extension QueueStatus {
    static func empty(_ name: QueueName) -> QueueStatus { QueueStatus(name: name, messageCount: 0, consumerCount: 0) }
}

/// The error that `body` must end with, before the time is over.
func failure(
    before seconds: Double, sourceLocation: SourceLocation = #_sourceLocation, of body: () throws -> Void
) throws -> AMQPError {
    let begun = ContinuousClock.now
    let error = try #require(throws: AMQPError.self, sourceLocation: sourceLocation) { try body() }
    #expect(ContinuousClock.now - begun < .seconds(seconds), sourceLocation: sourceLocation)
    return error
}
