import AMQP
import Foundation
import Testing

@Suite("Bytes that are not read or not kept", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct BudgetTests {
    /// Adds up bytes, each times its place: enough to distinguish two bodies.
    private struct Sum: BodyDigest {
        var place: UInt64 = 0
        var sum: UInt64 = 0
        mutating func add(_ bytes: UnsafeRawBufferPointer) {
            for byte in bytes {
                place &+= 1
                sum &+= place &* UInt64(byte)
            }
        }
        mutating func end() -> [UInt8] { withUnsafeBytes(of: sum) { Array($0) } }
        static func of(_ body: [UInt8]) -> [UInt8] {
            var sum = Sum()
            body.withUnsafeBytes { sum.add($0) }
            return sum.end()
        }
    }

    @Test("a body over the limit arrives as length and digest; bodies beside it arrive whole")
    func replacesLargeBodyByLengthAndDigest() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        let bodies = [10, 1_000, 1_001, 0, 300_000, 999].map { count in
            (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        }
        try connection.startConsuming(
            queue, consumerTag: "t", bodyLimit: BodyLimit(bytesMax: 1_000) { Sum() }, on: channel)
        for body in bodies {
            try connection.publish(body, to: .default, key: queue.key, properties: Properties(), on: channel)
        }
        for body in bodies {
            let delivery = try connection.delivery()
            #expect(delivery.consumerTag == "t")
            #expect(delivery.body == (body.count > 1_000 ? [] : body))
            #expect(delivery.omitted?.bytes == (body.count > 1_000 ? body.count : nil))
            #expect(delivery.omitted?.digest == (body.count > 1_000 ? Sum.of(body) : nil))
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
        }
        #expect(connection.bytesRead == bodies.reduce(0) { $0 + $1.count })
        // Nothing comes after the consumer ended, and the queue keeps it.
        try connection.stopConsuming(consumerTag: "t", on: channel)
        try connection.publish([1], to: .default, key: queue.key, properties: Properties(), on: channel)
        let end = ContinuousClock.now + .seconds(10)
        var count = 0
        while count == 0, ContinuousClock.now < end {
            count = try connection.declareQueue(queue, passive: true, on: channel).messageCount
        }
        #expect(count == 1)
        connection.close()
    }

    @Test("headers over the limit, however nested, are reduced to the delivery count; small ones stay")
    func keepsOnlyDeliveryCountOfLargeHeaders() throws {
        let connection = try Broker.connection()
        let publishing = try Broker.connection()
        let (channel, other) = (try connection.openChannel(), try publishing.openChannel())
        let queue = Broker.uniqueQueue()
        try publishing.declareQueue(queue, arguments: ["x-queue-type": "quorum"], on: other)
        let few: FieldTable = ["ce-type": "a", "list": .array([.int(1), .table(["x": .bool(true)])])]
        let many = FieldTable(uniqueKeysWithValues: (0..<14_000).map { ("k\($0)", .bool(true)) })
        let nested: FieldTable = ["a": .array(Array(repeating: .table(["b": .void]), count: 10_000))]
        let long: FieldTable = ["a": .string(String(repeating: "x", count: 5_000))]
        for headers in [few, many, nested, long] {
            try publishing.publish(
                [1], to: .default, key: queue.key, properties: Properties(headers: headers), on: other)
        }
        let limit = BodyLimit(bytesMax: 1_000, headersBytesMax: 4_096) { Sum() }
        try connection.startConsuming(queue, consumerTag: "t", bodyLimit: limit, on: channel)
        for count in 0...1 {
            var lastTag: UInt64 = 0
            for table in [few, [:], [:], [:]] {
                let delivery = try connection.delivery()
                #expect(delivery.properties.headers.filter { $0.key != "x-delivery-count" } == table)
                #expect(delivery.deliveryCount == count && delivery.body == [1])
                lastTag = delivery.deliveryTag
            }
            try connection.reject(deliveryTag: lastTag, multiple: true, requeue: count == 0, on: channel)
        }
        connection.close()
        try publishing.deleteQueue(queue, on: other)
        publishing.close()
    }

    @Test("a missing queue closes the channel, and an event says so")
    func reportsChannelClosedByMissingQueue() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        try connection.startConsuming(Broker.uniqueQueue(), consumerTag: "t", on: channel)
        guard case .channelClosed(channel, let error) = try connection.event() else { throw Unfinished() }
        #expect(error.replyCode == 404)
        connection.close()
    }

    @Test("a connection with unread bytes outlives two heartbeat intervals, and memory stays flat")
    func staysConnectedWithFlatMemoryWhileUnread() throws {
        let publishing = try Broker.connection()
        let publisher = try Publisher(on: publishing)
        let queue = Broker.uniqueQueue()
        let other = try publishing.openChannel()
        try publishing.declareQueue(queue, durable: false, on: other)
        let body = [UInt8](repeating: 7, count: 250_000)
        for token in 0..<Int64(120) {
            guard
                try publisher.publish(
                    body, to: .default, key: queue.key, properties: Properties(), token: token, deadline: 10)
            else { throw Unfinished() }
        }
        _ = try publisher.outcomes()

        var settings = try Broker.settings()
        settings.heartbeatSeconds = 1
        let connection = try Connection(settings)
        let channel = try connection.openChannel()
        let before = try residentBytes()
        try connection.startConsuming(queue, consumerTag: "t", on: channel)
        _ = try connection.delivery()
        let end = ContinuousClock.now + .seconds(3.5)
        while ContinuousClock.now < end {
            try connection.keepAlive()
            // Work that does not call the library.
            let part = ContinuousClock.now
            while ContinuousClock.now - part < .milliseconds(200) { _ = (0..<1_000).reduce(0, &+) }
        }
        let growth = try residentBytes() - before
        #expect(growth < 4 << 20, "\(growth) bytes more while 30 MB waited")
        for _ in 2...120 { #expect(try connection.delivery().body.count == body.count) }
        connection.close()
        try publishing.deleteQueue(queue, on: other)
        publishing.close()
    }

    struct Unfinished: Error {}
}
