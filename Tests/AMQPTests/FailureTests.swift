import AMQP
import Foundation
import Testing

extension PrivateBrokerTests {
    /// A frozen broker takes what the sockets hold, and neither reads nor answers nor closes: as a machine that hangs.
    @Suite("A broker that hangs, raises an alarm or is operated", .serialized)
    struct FailureTests {
        let broker: PrivateBroker

        init() throws { broker = try .here() }

        private func settings(_ isTLS: Bool, _ name: String = #function) -> ConnectionSettings {
            isTLS ? broker.settings(.right, name) : broker.settings(name)
        }

        @Test("a request without an answer ends in time, and so does the connection", arguments: [false, true])
        func endsUnansweredRequestInTime(isTLS: Bool) throws {
            var settings = settings(isTLS)
            settings.rpcTimeoutSeconds = 0.5
            let connection = try Connection(settings)
            let channel = try connection.openChannel()
            try broker.whileFrozen {
                let error = try failure(before: 2) { try connection.setPrefetch(5, on: channel) }
                #expect(error.code == .timedOut)
                #expect(error.isConnectionFatal)
                #expect(!connection.isOpen)
            }
        }

        @Test("the handshake with a hanging broker ends in time", arguments: [false, true])
        func endsHandshakeWithHangingBrokerInTime(isTLS: Bool) throws {
            var settings = settings(isTLS)
            settings.connectTimeoutSeconds = 0.5
            try broker.whileFrozen {
                let error = try failure(before: 2) { _ = try Connection(settings) }
                #expect(error.code == .timedOut)
            }
        }

        @Test("publishing to a broker that reads nothing ends in time", arguments: [false, true])
        func endsPublishingToBrokerThatReadsNothing(isTLS: Bool) throws {
            var settings = settings(isTLS)
            settings.tcpUserTimeoutMilliseconds = 1_000
            settings.heartbeatSeconds = 0
            let connection = try Connection(settings)
            let channel = try connection.openChannel()
            let queue = try connection.ownQueue(on: channel)
            let body = [UInt8](repeating: 7, count: 1 << 20)
            try broker.whileFrozen {
                let error = try failure(before: 10) {
                    for _ in 0..<200 {
                        try connection.publish(
                            body, to: .default, key: queue.key, properties: Properties(), on: channel)
                    }
                }
                #expect(error.code == .connectionLost, "\(error.debugDescription)")
            }
        }

        @Test("a publisher returns to its caller in time when the broker reads nothing")
        func returnsFromPublisherWhenBrokerReadsNothing() throws {
            let connection = try Connection(broker.settings())
            let publisher = try Publisher(on: connection, messagesInFlightMax: 4)
            let queue = try connection.ownQueue(on: try connection.openChannel())
            try broker.whileFrozen {
                let begun = ContinuousClock.now
                var accepted: Int64 = 0
                while try publisher.publish(
                    [1], to: .default, key: queue.key, properties: Properties(), token: accepted, deadline: 0.3)
                {
                    accepted += 1
                }
                #expect(accepted == 4)
                #expect(ContinuousClock.now - begun < .seconds(2))
            }
            #expect(try publisher.outcomes().count == 4)
        }

        @Test(
            "waiting for the rest of a message ends in time, and the rest is read when it comes",
            arguments: [false, true])
        func endsWaitForRestOfMessageInTime(isTLS: Bool) throws {
            let connection = try Connection(settings(isTLS))
            let channel = try connection.openChannel()
            let queue = try connection.ownQueue(on: channel)
            let publisher = try Publisher(on: connection)
            // More than the sockets hold, so that the broker is in the middle of one when it freezes.
            let body = (0..<1_900_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let count = 15
            for token in 0..<Int64(count) {
                #expect(
                    try publisher.publish(
                        body, to: .default, key: queue.key, properties: Properties(), token: token, deadline: 10))
            }
            #expect(try publisher.outcomes().count == count)
            try connection.consume(queue, on: channel)
            var bodies = [try connection.delivery().body]
            try broker.whileFrozen {
                let begun = ContinuousClock.now
                while let event = try connection.nextEvent(within: 0.2) {
                    if case .delivery(let delivery) = event { bodies.append(delivery.body) }
                }
                #expect(bodies.count < count, "the broker froze too late")
                #expect(ContinuousClock.now - begun < .seconds(3))
            }
            while bodies.count < count { bodies.append(try connection.delivery().body) }
            #expect(bodies.allSatisfy { $0 == body })
        }

        @Test("a dead peer is noticed by its missing heartbeats", arguments: [false, true])
        func noticesDeadPeerByMissedHeartbeats(isTLS: Bool) throws {
            var settings = settings(isTLS)
            settings.heartbeatSeconds = 1
            let connection = try Connection(settings)
            try broker.whileFrozen {
                let error = try failure(before: 4) { _ = try connection.nextEvent(within: 10) }
                #expect(error.code == .connectionLost)
            }
        }

        @Test("closing does not wait for a peer that hangs", arguments: [false, true])
        func closesWithoutWaitingForHangingPeer(isTLS: Bool) throws {
            var settings = settings(isTLS)
            settings.rpcTimeoutSeconds = 0.5
            let connection = try Connection(settings)
            _ = try connection.openChannel()
            try broker.whileFrozen {
                let begun = ContinuousClock.now
                connection.close()
                #expect(ContinuousClock.now - begun < .seconds(2))
                #expect(!connection.isOpen)
            }
        }

        @Test("a broker's alarm is an event, nothing is sent while it lasts, and its end is an event")
        func sendsNothingDuringBrokerAlarm() throws {
            try broker.control("set_vm_memory_high_watermark", "0")
            var isOver = false
            defer { if !isOver { _ = try? broker.control("set_vm_memory_high_watermark", "0.4") } }
            let connection = try Connection(broker.settings())
            let channel = try connection.openChannel()
            let queue = try connection.ownQueue(on: channel)
            let publisher = try Publisher(on: connection)
            func publish(_ token: Int64) throws -> Bool {
                try publisher.publish(
                    [1], to: .default, key: queue.key, properties: Properties(), token: token, deadline: 0.2)
            }
            // The broker speaks of an alarm to those who publish, after their first message.
            #expect(try publish(1))
            guard case .blocked(let reason) = try connection.event() else {
                Issue.record("no notice of the alarm")
                return
            }
            #expect(reason.contains("memory"))
            #expect(connection.isBlocked && publisher.isBlocked)
            #expect(try !publish(2))
            let error = try #require(throws: AMQPError.self) {
                try connection.publish([2], to: .default, key: queue.key, properties: Properties(), on: channel)
            }
            #expect(error.code == .blocked)
            #expect(!error.isConnectionFatal)
            try broker.control("set_vm_memory_high_watermark", "0.4")
            isOver = true
            guard case .unblocked = try connection.event() else {
                Issue.record("no notice of its end")
                return
            }
            #expect(!connection.isBlocked)
            #expect(try publish(3))
            #expect(try publisher.outcomes() == [1: .confirmed, 3: .confirmed])
            #expect(try connection.declareQueue(queue, passive: true, on: channel).messageCount == 2)
        }

        @Test("a connection that an operator closes ends with the operator's words")
        func endsWithOperatorsWords() throws {
            let connection = try Connection(broker.settings())
            let channel = try connection.openChannel()
            try broker.control("close_all_connections", "for the tests")
            let error = try #require(throws: AMQPError.self) { while try connection.nextEvent(within: 10) != nil {} }
            #expect(error.code == .connectionClosedByBroker)
            #expect(error.replyCode == 320)
            #expect(error.debugDescription.contains("for the tests"))
            #expect(throws: AMQPError.self) { try connection.setPrefetch(1, on: channel) }
            #expect(try Connection(broker.settings()).roundTrip([9]).body == [9])
        }
    }
}
