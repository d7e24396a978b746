import AMQP
import Testing

@Suite("messages", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct MessageTests {
    @Test("all properties and nested headers arrive as they were sent")
    func carriesAllPropertiesAndHeaders() throws {
        let connection = try Broker.connection()
        let sent = Properties(
            contentType: "application/cloudevents+json", contentEncoding: "identity", messageID: "m-1", type: "a.b.v1",
            correlationID: "c-1", userID: try Broker.settings().user, replyTo: "r", appID: "tests",
            timestamp: 1_700_000_000,
            priority: 255, expiration: "60000", clusterID: "c", deliveryMode: .transient,
            headers: [
                "void": .void, "yes": true, "no": false, "least": .int(.min), "most": .int(.max), "half": .double(0.5),
                "text": "闭环", "bytes": .bytes([0, 255, 1]), "when": .timestamp(1_700_000_001), "nothing": "",
                "list": .array([1, "two", .table(["three": 3]), .array([])]),
                "table": .table(["inner": .table(["deep": .array([.void])]), "empty": .table([:])]),
            ])
        #expect(try connection.roundTrip([1, 2], sent).properties == sent)
        #expect(try connection.roundTrip([]).properties == Properties())
    }

    @Test("headers nest sixteen deep and no deeper")
    func nestsHeadersSixteenDeep() throws {
        let connection = try Broker.connection()
        func nested(_ depth: Int) -> FieldTable {
            depth == 1 ? ["leaf": 1] : ["t": .table(nested(depth - 1))]
        }
        let deep = Properties(headers: nested(16))
        #expect(try connection.roundTrip([], deep).properties == deep)
        let error = try #require(throws: AMQPError.self) {
            try connection.roundTrip([], Properties(headers: nested(17)))
        }
        #expect(error.code == .invalidArgument)
        #expect(try connection.roundTrip([6]).body == [6])
    }

    @Test("a value that is too long for its field is refused before anything is sent")
    func refusesOversizeFieldsBeforeSending() throws {
        let connection = try Broker.connection()
        let long = String(repeating: "x", count: 256)
        let tooLong = [
            Properties(messageID: long), Properties(headers: [long: 1]),
            Properties(headers: ["h": .bytes([UInt8](repeating: 0, count: connection.frameBytesMax))]),
        ]
        for properties in tooLong {
            let error = try #require(throws: AMQPError.self) { try connection.roundTrip([], properties) }
            #expect(error.code == .invalidArgument)
        }
        let text = String(repeating: "x", count: 255)
        let full = Properties(
            contentType: text, contentEncoding: text, messageID: text, type: text, correlationID: text, replyTo: text,
            appID: text, timestamp: .max, priority: 0, expiration: "4294967295", clusterID: text,
            headers: ["h": .bytes([UInt8](repeating: 1, count: connection.frameBytesMax - 4_200))])
        #expect(try connection.roundTrip([7], full).properties == full)
    }

    @Test("bodies of every size around a frame's arrive whole")
    func deliversBodiesOfEverySize() throws {
        let connection = try Broker.connection()
        let frame = connection.frameBytesMax - 8
        for size in [0, 1, frame - 1, frame, frame + 1, 2 * frame, 1 << 20] {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
            #expect(try connection.roundTrip(body).body == body, "\(size) bytes")
        }
    }

    @Test("a user id that is not the connection's own closes the channel with 406")
    func closesChannelForForeignUserID() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.publish([], to: .default, key: queue.key, properties: Properties(userID: "another"), on: channel)
        guard case .channelClosed(channel, let error) = try connection.event() else {
            Issue.record("the channel was not closed")
            return
        }
        #expect(error.replyCode == 406)
        #expect(try connection.roundTrip([8]).body == [8])
    }

    @Test("a delivery names exchange, key and redelivery")
    func deliversExchangeKeyAndRedelivery() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let exchange = ExchangeName(rawValue: Broker.uniqueName())
        try connection.declareExchange(exchange, kind: .topic, durable: false, on: channel)
        defer { try? connection.deleteExchange(exchange, on: channel) }
        let queue = try connection.ownQueue(on: channel)
        try connection.bindQueue(queue, to: exchange, key: "unit.*.signed", on: channel)
        let tag = try connection.consume(queue, on: channel)
        try connection.publish([9], to: exchange, key: "unit.u7.signed", properties: Properties(), on: channel)

        let first = try connection.delivery()
        #expect(first.consumerTag == tag)
        #expect(first.exchange == exchange.rawValue)
        #expect(first.routingKey == "unit.u7.signed")
        #expect(!first.redelivered)
        try connection.reject(deliveryTag: first.deliveryTag, multiple: false, requeue: true, on: channel)
        let second = try connection.delivery()
        #expect(second.redelivered)
        #expect(second.body == [9])

        try connection.unbindQueue(queue, from: exchange, key: "unit.*.signed", on: channel)
        try connection.publish(
            [10], to: exchange, key: "unit.u7.signed", properties: Properties(), mandatory: true, on: channel)
        guard case .returned = try connection.event() else {
            Issue.record("it went on to the queue")
            return
        }
    }

    @Test("a returned message arrives whole, however large")
    func returnsLargeMessagesWhole() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let body = [UInt8](repeating: 8, count: 300_000)
        let properties = Properties(contentType: "a/b", messageID: "m", headers: ["t": .table(["deep": .array([1])])])
        let nowhere = RoutingKey(rawValue: Broker.uniqueName())
        try connection.publish(
            body, to: "amq.topic", key: nowhere, properties: properties, mandatory: true, on: channel)
        guard case .returned(let returned) = try connection.event() else {
            Issue.record("no return")
            return
        }
        #expect(returned.replyCode == 312)
        #expect(returned.replyText == "NO_ROUTE")
        #expect(returned.exchange == "amq.topic")
        #expect(returned.routingKey == nowhere.rawValue)
        #expect(returned.properties == properties)
        #expect(returned.body == body)
        #expect(returned.channel == channel)
    }

    @Test("a consumer's arguments reach the broker: the higher priority is served first")
    func passesConsumerArgumentsToBroker() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        let low = try connection.consume(queue, arguments: ["x-priority": -5], on: channel)
        let high = try connection.consume(queue, arguments: ["x-priority": 5], on: channel)
        #expect(low != high)
        for _ in 0..<5 {
            try connection.publish([1], to: .default, key: queue.key, properties: Properties(), on: channel)
        }
        for _ in 0..<5 { #expect(try connection.delivery().consumerTag == high) }
    }

    @Test("a quorum queue counts deliveries")
    func readsDeliveryCountOfQuorumQueue() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = Broker.uniqueQueue()
        try connection.declareQueue(queue, arguments: ["x-queue-type": "quorum"], on: channel)
        defer { _ = try? connection.deleteQueue(queue, on: channel) }
        try connection.consume(queue, on: channel)
        try connection.publish([], to: .default, key: queue.key, properties: Properties(), on: channel)
        for count in 0...2 {
            let delivery = try connection.delivery()
            #expect(delivery.deliveryCount == count)
            try connection.reject(deliveryTag: delivery.deliveryTag, multiple: false, requeue: true, on: channel)
        }
    }

    @Test("fetching takes one message, between deliveries on the same channel")
    func fetchesOneMessageBetweenDeliveries() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let consumed = try connection.ownQueue(on: channel)
        let fetched = try connection.ownQueue(on: channel)
        #expect(try connection.get(fetched, on: channel) == nil)
        try connection.consume(consumed, on: channel)
        let large = [UInt8](repeating: 3, count: 200_000)
        try connection.publish(
            large, to: .default, key: fetched.key, properties: Properties(messageID: "f"), on: channel)
        for number in 0..<20 as Range<UInt8> {
            try connection.publish([number], to: .default, key: consumed.key, properties: Properties(), on: channel)
        }
        let delivery = try #require(try connection.get(fetched, on: channel))
        #expect(delivery.body == large)
        #expect(delivery.properties.messageID == "f")
        #expect(delivery.routingKey == fetched.rawValue)
        #expect(try (0..<20).map { _ in try connection.delivery().body } == (0..<20).map { [UInt8($0)] })
    }

    @Test("several queues on several channels are each acknowledged many messages at a time")
    func acknowledgesManyOnSeveralChannels() throws {
        let connection = try Broker.connection()
        let publishing = try connection.openChannel()
        var queues: [ChannelNumber: QueueName] = [:]
        for _ in 0..<3 {
            let channel = try connection.openChannel()
            let queue = try connection.ownQueue(on: channel)
            try connection.setPrefetch(40, on: channel)
            try connection.consume(queue, on: channel)
            queues[channel] = queue
        }
        for number in 0..<100 as Range<UInt8> {
            for queue in queues.values {
                try connection.publish([number], to: .default, key: queue.key, properties: Properties(), on: publishing)
            }
        }
        var bodies: [ChannelNumber: [UInt8]] = [:]
        for _ in 0..<300 {
            let delivery = try connection.delivery()
            bodies[delivery.channel, default: []] += delivery.body
            if bodies[delivery.channel]?.count.isMultiple(of: 20) == true {
                try connection.acknowledge(upTo: delivery.deliveryTag, multiple: true, on: delivery.channel)
            }
        }
        for (channel, queue) in queues {
            #expect(bodies[channel] == Array(0..<100))
            try connection.closeChannel(channel)
            #expect(try connection.declareQueue(queue, passive: true, on: publishing).messageCount == 0)
        }
    }

    @Test("a consumer is notified when its queue is deleted")
    func reportsDeletedQueueToConsumer() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        let tag = try connection.consume(queue, on: channel)
        let other = try connection.openChannel()
        try connection.deleteQueue(queue, on: other)
        guard case .consumerCancelled(channel, tag) = try connection.event() else {
            Issue.record("no notice came")
            return
        }
    }

    @Test("purging and deleting count what they drop")
    func countsPurgedAndDeletedMessages() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.enableConfirms(on: channel)
        for dropped in [5, 3] {
            for _ in 0..<dropped {
                try connection.publish([], to: .default, key: queue.key, properties: Properties(), on: channel)
            }
            var confirmed: UInt64 = 0
            let last: UInt64 = dropped == 5 ? 5 : 8
            while confirmed < last {
                if case .acknowledged(_, let tag, _) = try connection.event() { confirmed = max(confirmed, tag) }
            }
            #expect(
                try
                    (dropped == 5
                    ? connection.purgeQueue(queue, on: channel) : connection.deleteQueue(queue, on: channel)) == dropped
            )
        }
    }
}
