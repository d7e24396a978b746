import AMQP
import Foundation
import Testing

@Suite("a publisher", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct PublisherTests {
    @Test("one message is confirmed")
    func confirmsOneMessage() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection)
        let queue = try connection.ownQueue(on: try connection.openChannel())
        #expect(try publisher.send([1], to: queue, token: 7))
        #expect(publisher.inFlightCount == 1)
        #expect(try publisher.outcomes() == [7: .confirmed])
        #expect(try publisher.settle(within: 0).isEmpty)
    }

    @Test("more messages than the window holds are confirmed, each once")
    func confirmsMoreMessagesThanWindowHolds() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection, messagesInFlightMax: 16)
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        var settled: [Int64] = []
        for token in 0..<2_000 as Range<Int64> {
            #expect(try publisher.send([1], to: queue, token: token))
            #expect(publisher.inFlightCount <= 16)
            if token.isMultiple(of: 500) { settled += try publisher.settle(within: 0).map(\.token) }
        }
        settled += try publisher.outcomes().keys
        #expect(settled.sorted() == Array(0..<2_000))
        #expect(try connection.declareQueue(queue, passive: true, on: channel).messageCount == 2_000)
    }

    @Test("a window of few bytes lets one larger message pass alone")
    func letsOneLargeMessageThroughSmallWindow() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection, bytesInFlightMax: 1_000)
        let queue = try connection.ownQueue(on: try connection.openChannel())
        for token in 0..<5 as Range<Int64> {
            #expect(try publisher.send([UInt8](repeating: 0, count: 5_000), to: queue, token: token))
            #expect(publisher.inFlightCount == 1)
        }
        #expect(try publisher.settle(within: 10).count == 5)
    }

    @Test("nothing is sent when no room appears in time")
    func sendsNothingWithoutRoomInTime() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection, messagesInFlightMax: 1)
        let channel = try connection.openChannel()
        // Its confirms wait for the disk.
        let queue = Broker.uniqueQueue()
        try connection.declareQueue(queue, arguments: ["x-queue-type": "quorum"], on: channel)
        defer { _ = try? connection.deleteQueue(queue, on: channel) }
        var refused = 0
        for token in 0..<50 as Range<Int64> {
            if try !publisher.send([1], to: queue, token: token, deadline: 0) { refused += 1 }
        }
        #expect(refused > 0)
        let outcomes = try publisher.outcomes()
        #expect(outcomes.count == 50 - refused)
        #expect(try connection.declareQueue(queue, passive: true, on: channel).messageCount == 50 - refused)
    }

    @Test("a full queue refuses each message by nack", arguments: ["classic", "quorum"])
    func reportsEachNackOfFullQueue(kind: String) throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection)
        let channel = try connection.openChannel()
        let queue = Broker.uniqueQueue()
        let limits: FieldTable = ["x-queue-type": .string(kind), "x-max-length": 1, "x-overflow": "reject-publish"]
        try connection.declareQueue(queue, arguments: limits, on: channel)
        defer { _ = try? connection.deleteQueue(queue, on: channel) }
        var outcomes: [Publisher.Outcome] = []
        for token in 0..<10 as Range<Int64> {
            #expect(try publisher.send([1], to: queue, token: token))
            outcomes += try publisher.outcomes().values
        }
        #expect(outcomes.count == 10)
        #expect(outcomes.first == .confirmed)
        #expect(outcomes.last == .nacked)
    }

    @Test("the broker returns a mandatory message before it confirms it")
    func receivesReturnBeforeConfirm() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        try connection.enableConfirms(on: channel)
        let key = RoutingKey(rawValue: Broker.uniqueName())
        try connection.publish([5], to: .default, key: key, properties: Properties(), mandatory: true, on: channel)
        guard case .returned(let returned) = try connection.event() else {
            Issue.record("no return came first")
            return
        }
        #expect(returned.replyCode == 312)
        #expect(returned.routingKey == key.rawValue)
        #expect(returned.body == [5])
        guard case .acknowledged(channel, deliveryTag: 1, _) = try connection.event() else {
            Issue.record("no confirm followed")
            return
        }
    }

    @Test("returned messages are distinguished from routed ones that look the same")
    func tellsReturnedFromRoutedMessages() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection)
        let queue = try connection.ownQueue(on: try connection.openChannel())
        let nowhere = Broker.uniqueQueue()
        let isLost: (Int64) -> Bool = { $0 % 3 == 1 }
        for token in 0..<300 as Range<Int64> {
            #expect(try publisher.send([1], to: isLost(token) ? nowhere : queue, mandatory: true, token: token))
        }
        for (token, outcome) in try publisher.outcomes() {
            #expect(
                outcome == (isLost(token) ? .returned(replyCode: 312, text: "NO_ROUTE") : .confirmed), "token \(token)")
        }
    }

    @Test("an unknown exchange ends the publisher after it has reported what was settled")
    func endsPublisherForUnknownExchange() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection)
        let queue = try connection.ownQueue(on: try connection.openChannel())
        #expect(try publisher.send([1], to: queue, token: 1))
        #expect(try publisher.outcomes() == [1: .confirmed])
        let unknown = ExchangeName(rawValue: Broker.uniqueName())
        #expect(try publisher.publish([2], to: unknown, key: "k", properties: Properties(), token: 2, deadline: 5))
        let error = try #require(throws: AMQPError.self) { try publisher.settle(within: 10) }
        #expect(error.code == .channelClosed)
        #expect(error.replyCode == 404)
        #expect(throws: AMQPError.self) { try publisher.send([3], to: queue, token: 3) }
        #expect(publisher.takeUnsettled() == [2])
        #expect(publisher.inFlightCount == 0)

        let next = try Publisher(on: connection)
        #expect(try next.send([4], to: queue, token: 4))
        #expect(try next.outcomes() == [4: .confirmed])
    }

    @Test("messages in flight are reported when the connection breaks")
    func reportsMessagesInFlightWhenLost() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection)
        let queue = try connection.ownQueue(on: try connection.openChannel())
        for token in 0..<5 as Range<Int64> { #expect(try publisher.send([1], to: queue, token: token)) }
        shutdown(connection.fileDescriptor, Int32(SHUT_RDWR))
        var settled: [Int64] = []
        let error = try #require(throws: AMQPError.self) {
            while true { settled += try publisher.settle(within: 5).map(\.token) }
        }
        #expect(error.code == .connectionLost)
        #expect((settled + publisher.takeUnsettled()).sorted() == [0, 1, 2, 3, 4])
        let again = try #require(throws: AMQPError.self) { try publisher.send([1], to: queue, token: 9) }
        #expect(again.isConnectionFatal)
    }

    @Test("deliveries that arrive while confirms are awaited are kept in order")
    func keepsDeliveriesWhileConfirmsAreAwaited() throws {
        let connection = try Broker.connection()
        let publisher = try Publisher(on: connection, messagesInFlightMax: 4)
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        for token in 0..<200 as Range<Int64> {
            #expect(try publisher.send([UInt8(token)], to: queue, token: token))
        }
        #expect(try publisher.outcomes().count == 200)
        #expect(try (0..<200).map { _ in try connection.delivery().body } == (0..<200).map { [UInt8($0)] })
    }
}

extension Publisher {
    fileprivate func send(
        _ body: [UInt8], to queue: QueueName, mandatory: Bool = false, token: Int64, deadline: Double = 10
    ) throws -> Bool {
        try publish(
            body, to: .default, key: queue.key, properties: Properties(messageID: "same"), mandatory: mandatory,
            token: token, deadline: deadline)
    }
}
