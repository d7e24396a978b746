import AMQP
import Foundation
import Testing

@Suite("a connection", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct ConnectionTests {
    @Test("a wrong password fails quickly, with the broker's refusal")
    func failsQuicklyForWrongPassword() throws {
        var settings = try Broker.settings()
        settings.password = "not the password"
        let begun = ContinuousClock.now
        let error = try #require(throws: AMQPError.self) { try Connection(settings) }
        #expect(error.code == .authenticationFailed)
        #expect(error.replyCode == 403)
        #expect(error.isConnectionFatal)
        #expect(ContinuousClock.now - begun < .seconds(4))
    }

    @Test("an unknown virtual host fails with the broker's code")
    func namesUnknownVirtualHostByCode() throws {
        var settings = try Broker.settings()
        settings.virtualHost = Broker.uniqueName()
        let error = try #require(throws: AMQPError.self) { try Connection(settings) }
        #expect(error.code == .connectionClosedByBroker)
        #expect(error.replyCode == 530)
    }

    @Test("connecting to a port where nothing listens fails")
    func failsWhereNothingListens() throws {
        let listener = try Listener()
        var settings = ConnectionSettings(host: "127.0.0.1", port: listener.port, user: "u", password: "p")
        settings.connectTimeoutSeconds = 2
        listener.close()
        let error = try #require(throws: AMQPError.self) { try Connection(settings) }
        #expect(error.code == .connectFailed)
    }

    @Test("a peer that accepts and says nothing times out within the connect time-out")
    func timesOutOnSilentPeer() throws {
        let listener = try Listener()
        defer { listener.close() }
        var settings = ConnectionSettings(host: "127.0.0.1", port: listener.port, user: "u", password: "p")
        settings.connectTimeoutSeconds = 0.5
        let begun = ContinuousClock.now
        let error = try #require(throws: AMQPError.self) { try Connection(settings) }
        #expect(error.code == .timedOut)
        #expect(error.isConnectionFatal)
        #expect(ContinuousClock.now - begun < .seconds(2))
    }

    @Test("a peer with another protocol causes an error in time, never a crash", arguments: Listener.nonsense.indices)
    func survivesPeerThatSpeaksAnotherProtocol(index: Int) throws {
        let listener = try Listener()
        defer { listener.close() }
        listener.answer(Listener.nonsense[index])
        var settings = ConnectionSettings(host: "127.0.0.1", port: listener.port, user: "u", password: "p")
        settings.connectTimeoutSeconds = 1
        for tls in [nil, TLSSettings()] {
            settings.tls = tls
            #expect(try failure(before: 2) { _ = try Connection(settings) }.isConnectionFatal)
        }
    }

    @Test("heartbeats are answered while nothing arrives for many intervals")
    func answersHeartbeatsWhileIdle() throws {
        var settings = try Broker.settings()
        settings.heartbeatSeconds = 1
        let connection = try Connection(settings)
        #expect(try connection.nextEvent(within: 3.6) == nil)
        #expect(connection.isOpen)
        #expect(try connection.roundTrip([1]).body == [1])
        connection.close()
        #expect(!connection.isOpen)
    }

    @Test("a caller that is busy for more than two heartbeats keeps the connection by serving it")
    func keepsConnectionWhileCallerIsBusy() throws {
        var settings = try Broker.settings()
        settings.heartbeatSeconds = 1
        let connection = try Connection(settings)
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        try connection.publish([1], to: .default, key: queue.key, properties: Properties(), on: channel)
        let unserved = try Connection(settings)
        // Work that does not call the library but for this, twice in each interval.
        let begun = ContinuousClock.now
        while ContinuousClock.now - begun < .seconds(4) {
            let part = ContinuousClock.now
            while ContinuousClock.now - part < .milliseconds(500) { _ = (0..<1_000).reduce(0, &+) }
            try connection.serve()
        }
        #expect(try connection.delivery(within: 0).body == [1])
        #expect(try connection.roundTrip([2]).body == [2])
        #expect(try failure(before: 1) { while try unserved.nextEvent(within: 0) != nil {} }.code == .connectionLost)
    }

    @Test("when the broker closes the connection, its code is thrown, and a new connection works")
    func throwsCodeWhenBrokerCloses() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, consumerTag: "twice", on: channel)
        let error = try #require(throws: AMQPError.self) {
            try connection.consume(queue, consumerTag: "twice", on: channel)
        }
        #expect(error.code == .connectionClosedByBroker)
        #expect(error.replyCode == 530)
        #expect(error.isConnectionFatal)
        #expect(!connection.isOpen)
        #expect(throws: AMQPError.self) { try connection.nextEvent(within: 0) }
        #expect(throws: AMQPError.self) { try connection.openChannel() }
        #expect(try Broker.connection().roundTrip([2]).body == [2])
    }

    @Test("a channel that the broker closes is an event, and the connection goes on")
    func reportsChannelClosedByBroker() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        // A tag that was never delivered.
        try connection.acknowledge(upTo: 77, multiple: false, on: channel)
        guard case .channelClosed(channel, let error) = try connection.event() else {
            Issue.record("the channel was not closed")
            return
        }
        #expect(error.code == .channelClosed)
        #expect(error.replyCode == 406)
        #expect(!error.isConnectionFatal)
        #expect(try connection.roundTrip([3]).body == [3])
    }

    @Test("a wrong operation closes only its channel", arguments: [404, 403, 406] as [UInt16])
    func closesOnlyChannelOfWrongOperation(replyCode: UInt16) throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let error = try #require(throws: AMQPError.self) {
            switch replyCode {
            case 404: try connection.declareExchange("amqp-tests.none", kind: .direct, passive: true, on: channel)
            case 403: try connection.declareExchange("amq.reserved", kind: .direct, on: channel)
            default:
                let queue = try connection.ownQueue(on: channel)
                try connection.declareQueue(
                    queue, durable: false, exclusive: true, arguments: ["x-max-length": 3], on: channel)
            }
        }
        #expect(error.code == .channelClosed)
        #expect(error.replyCode == replyCode)
        #expect(!error.isConnectionFatal)
        #expect("\(error)" == "AMQP: channelClosed (\(replyCode))")
        let again = try #require(throws: AMQPError.self) { try connection.setPrefetch(1, on: channel) }
        #expect(again.code == .channelClosed)
        #expect(try connection.roundTrip([4]).body == [4])
    }

    @Test("a passive declaration tells whether a queue or exchange exists; the error has the broker's words")
    func tellsWhetherQueueAndExchangeExist() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        #expect(try connection.declareQueue(queue, passive: true, on: channel) == QueueStatus.empty(queue))
        try connection.declareExchange("amq.topic", kind: .direct, passive: true, on: channel)
        let error = try #require(throws: AMQPError.self) {
            try connection.declareQueue("amqp-tests.none", passive: true, on: channel)
        }
        #expect(error.replyCode == 404)
        #expect(error.debugDescription.contains("no queue 'amqp-tests.none'"))
        #expect(!"\(error)".contains("amqp-tests.none"), "the bland description names nothing")
    }

    @Test("a queue that is declared without a name gets one from the broker")
    func takesQueueNameFromBroker() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.declareQueue("", durable: false, exclusive: true, on: channel).name
        #expect(queue.rawValue.hasPrefix("amq.gen-"))
        try connection.consume(queue, on: channel)
        try connection.publish([1], to: .default, key: queue.key, properties: Properties(), on: channel)
        #expect(try connection.delivery().body == [1])
    }

    @Test("deliveries to a closed channel are not handed out, and go to the next consumer")
    func dropsDeliveriesOfClosedChannel() throws {
        let connection = try Broker.connection()
        let first = try connection.openChannel()
        let queue = try connection.ownQueue(on: first)
        for _ in 0..<50 {
            try connection.publish([5], to: .default, key: queue.key, properties: Properties(), on: first)
        }
        try connection.consume(queue, on: first)
        let kept = try connection.delivery()
        // An answer that comes after deliveries: they are kept by then.
        #expect(try connection.declareQueue(queue, passive: true, on: first).messageCount == 0)
        try connection.closeChannel(first)
        try connection.closeChannel(first)
        let second = try connection.openChannel()
        #expect(second != first)
        try connection.consume(queue, on: second)
        for tag in 1...50 as ClosedRange<UInt64> {
            let delivery = try connection.delivery()
            #expect(delivery.channel == second)
            #expect(delivery.deliveryTag == tag)
        }
        let error = try #require(throws: AMQPError.self) {
            try connection.acknowledge(upTo: kept.deliveryTag, multiple: false, on: kept.channel)
        }
        #expect(error.code == .channelClosed)
        #expect(!error.isConnectionFatal)
    }

    @Test("channels can be opened and closed more often than there are numbers, while others stay open")
    func reusesChannelNumbers() throws {
        let connection = try Broker.connection()
        let first = try connection.openChannel()
        let queue = try connection.ownQueue(on: first)
        for _ in 0..<2_100 {
            let channel = try connection.openChannel()
            #expect(channel != first)
            try connection.closeChannel(channel)
        }
        #expect(try connection.declareQueue(queue, passive: true, on: first).consumerCount == 0)
    }

    @Test("a closed connection throws, and does not trap")
    func refusesUseAfterClose() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        connection.close()
        connection.close()
        #expect(connection.fileDescriptor == -1)
        let error = try #require(throws: AMQPError.self) {
            try connection.publish([], to: .default, key: "nowhere", properties: Properties(), on: channel)
        }
        #expect(error.code == .connectionLost)
    }

    @Test("a socket that is cut from outside is a lost connection")
    func reportsCutSocketAsLostConnection() throws {
        let connection = try Broker.connection()
        _ = try connection.openChannel()
        shutdown(connection.fileDescriptor, Int32(SHUT_RDWR))
        let error = try #require(throws: AMQPError.self) { try connection.nextEvent(within: 5) }
        #expect(error.code == .connectionLost)
        #expect(error.isConnectionFatal)
    }
}

/// A port on loopback that takes connections and says nothing.
struct Listener {
    let descriptor: Int32
    let port: Int

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = descriptor
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(fd, generic, size) == 0 && listen(fd, 8) == 0 && getsockname(fd, generic, &size) == 0
            }
        }
        try #require(isListening)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Foundation.close(descriptor)
    }

    /// Sends `bytes` to each client, and no more, until it is closed.
    func answer(_ bytes: [UInt8]) {
        let descriptor = descriptor
        Thread {
            while case let peer = accept(descriptor, nil, nil), peer >= 0 {
                _ = send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }.start()
    }

    static let nonsense: [[UInt8]] = [
        Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8),
        // Another version of AMQP.
        Array("AMQP".utf8) + [0, 1, 0, 0],
        // A frame of 4 GiB; one without its end; one of no size; a method that does not exist; a method cut short.
        [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 4_000),
        [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 10, 0x00] + [UInt8](repeating: 1, count: 300_000),
        [1, 0, 0, 0, 0, 0, 0, 0xCE],
        [1, 0, 0, 0, 0, 0, 4, 0x7F, 0xFF, 0x7F, 0xFF, 0xCE],
        [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 10, 0xCE],
        // Frames of a method and of a message's header that are too short to say which.
        [1, 0, 0, 0, 0, 0, 2, 0, 10, 0xCE],
        [2, 0, 1, 0, 0, 0, 2, 0, 60, 0xCE],
        // connection.start as it should be, then connection.tune with frames of one byte.
        [1, 0, 0, 0, 0, 0, 28, 0, 10, 0, 10, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5] + Array("PLAIN".utf8) + [0, 0, 0, 5]
            + Array("en_US".utf8)
            + [0xCE, 1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 30, 0, 0, 0, 0, 0, 1, 0, 0, 0xCE],
        // connection.start whose table of properties is longer than the frame.
        [1, 0, 0, 0, 0, 0, 10, 0, 10, 0, 10, 0, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0xCE],
        // A message's header where no message is.
        [2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0xCE],
    ]
}
