import AMQP
import Foundation
import Testing

@Suite("memory", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct MemoryTests {
    @Test("memory does not grow with messages that are confirmed, returned, delivered and acknowledged")
    func memoryDoesNotGrowWithMessages() throws {
        let traffic = try Traffic()
        try traffic.pass(20_000)
        let before = try residentBytes()
        try traffic.pass(200_000)
        let growth = try residentBytes() - before
        #expect(growth < 4 << 20, "\(growth) bytes more")
    }

    /// One connection that publishes and consumes.
    private struct Traffic {
        let connection: Connection
        let channel: ChannelNumber
        let queue: QueueName
        let publisher: Publisher
        let nowhere = Broker.uniqueQueue()
        let body = [UInt8](repeating: 1, count: 100)
        let properties = Properties(messageID: "m", headers: ["trace": "0123456789"])

        init() throws {
            connection = try Broker.connection()
            channel = try connection.openChannel()
            queue = try connection.ownQueue(on: channel)
            try connection.setPrefetch(500, on: channel)
            try connection.consume(queue, on: channel)
            publisher = try Publisher(on: connection)
        }

        /// Every second message is returned, every other one delivered.
        func pass(_ count: Int) throws {
            var delivered = 0
            var settled = 0
            for token in 0..<Int64(count) {
                let key = token.isMultiple(of: 2) ? queue.key : nowhere.key
                guard
                    try publisher.publish(
                        body, to: .default, key: key, properties: properties, mandatory: true, token: token,
                        deadline: 10)
                else { throw Unfinished() }
                if token % 100 == 99 {
                    settled += try publisher.settle(within: 0).count
                    delivered += try take(within: 0)
                }
            }
            settled += try publisher.settle(within: 20).count
            while delivered < count / 2 {
                let more = try take(within: 10)
                if more == 0 { throw Unfinished() }
                delivered += more
            }
            #expect(settled == count)
            #expect(delivered == count / 2)
        }

        private func take(within seconds: Double) throws -> Int {
            var count = 0
            var last: UInt64?
            while let event = try connection.nextEvent(within: last == nil ? seconds : 0) {
                guard case .delivery(let delivery) = event else { throw Unexpected(event: event) }
                count += 1
                last = delivery.deliveryTag
            }
            if let last { try connection.acknowledge(upTo: last, multiple: true, on: channel) }
            return count
        }
    }

    struct Unfinished: Error {}
}

/// Private memory of this process that is in RAM.
func residentBytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    return try #require(Int(line.filter(\.isNumber))) * 1_024
}
