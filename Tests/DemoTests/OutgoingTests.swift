import AMQP
import Casework
import Contract
import Foundation
import TestOffice
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import PartyClient

/// Instead of the source's queue, two classic queues: one may be full, the other takes everything.
@Suite("What the broker refuses", .serialized, .enabled(if: SubmitterOffice.isThere, SubmitterOffice.absent))
struct OutgoingTests {
    private static let source = SourceID(unchecked: "web")
    private static let full: QueueName = "outgoing-tests-full"
    private static let open: QueueName = "outgoing-tests-open"

    @Test("a nacked part is sent again, and so is what follows it about the same report, though the broker took it")
    func sendsAgainWhatFollows() throws {
        try Self.withQueues(room: 0) { broker in
            let outgoing = Outgoing()
            let connection = try Self.connect(outgoing)
            defer { connection.close() }
            for posting in [Self.part(1, of: "r"), Self.report("r"), Self.report("s")] { outgoing.post(posting) }
            var confirmed: [String] = []
            try eventually("the other report is confirmed, and the part refused") {
                confirmed += try Self.exchange(outgoing)
                return confirmed == ["s"] && outgoing.isResting
            }
            #expect(outgoing.count == 2, "the report that the broker took waits for its part")
            try broker.makeRoom()
            try eventually { () in
                confirmed += try Self.exchange(outgoing)
                return outgoing.count == 0
            }
            #expect(confirmed == ["s", "r-1", "r"])
            #expect(try broker.take(Self.full).map(Self.id) == ["r-1"])
            let taken = try broker.take(Self.open)
            #expect(taken.map(Self.id).filter { $0 == "r" }.count >= 2 && taken.map(Self.id).last == "r")
            #expect(Set(taken.filter { Self.id($0) == "r" }.map(\.body)).count == 1, "the same bytes")
        }
    }

    @Test("through a queue that is full now and then, everything arrives, and last in its order")
    func keepsOrderThroughFullQueue() throws {
        try Self.withQueues(room: 3) { broker in
            let outgoing = Outgoing()
            let connection = try Self.connect(outgoing)
            defer { connection.close() }
            for number in 1...20 { outgoing.post(Self.part(number, of: "r")) }
            var (confirmed, taken): ([String], [Delivery]) = ([], [])
            try eventually(within: 60) {
                confirmed += try Self.exchange(outgoing)
                taken += try broker.take(Self.full)
                return outgoing.count == 0
            }
            taken += try broker.take(Self.full)
            let all = (1...20).map { "r-\($0)" }
            #expect(confirmed == all)
            let ids = taken.map(Self.id)
            let last = all.map { ids.lastIndex(of: $0) ?? -1 }
            #expect(last == last.sorted() && last.first != -1, "\(ids)")
        }
    }

    @Test("a queue that stays full is given up in time, with what follows")
    func givesUpFullQueue() throws {
        try Self.withQueues(room: 0) { _ in
            let outgoing = Outgoing(fullSecondsMax: 0.5)
            let connection = try Self.connect(outgoing)
            defer { connection.close() }
            for posting in [Self.part(1, of: "r"), Self.report("r")] { outgoing.post(posting) }
            var confirmed: [String] = []
            try eventually { () in
                confirmed += try Self.exchange(outgoing)
                return outgoing.count == 0
            }
            #expect(confirmed == [])
            #expect(outgoing.givenUp.map(\.posting.id) == ["r-1", "r"])
            #expect(outgoing.givenUp.first?.reason.hasSuffix("the queue of source.web is full") == true)
        }
    }

    // MARK: Messages and queues

    private static func part(_ number: Int, of report: String) -> Posting {
        posting("\(report)-\(number)", .attachmentPart, report, AttachmentPart(sha256: "", part: number, content: [1]))
    }

    private static func report(_ id: String) -> Posting { posting(id, .reportSubmitted, id, Nothing()) }

    private static func posting<Data: Codable & Sendable>(
        _ id: String, _ type: MessageType, _ subject: String, _ data: Data
    ) -> Posting {
        Posting(
            CloudEvent(
                id: id, source: .source(source), type: type, subject: subject,
                time: Instant(microsecondsSinceEpoch: 0), data: data), to: Topology.Exchange.intake)
    }

    private static func id(_ delivery: Delivery) -> String { Arrival(delivery, for: .office(.intake)).entry.id }

    private static func connect(_ outgoing: Outgoing) throws -> Connection {
        var settings = try SubmitterOffice.settings()
        (settings.user, settings.password) = ("source.\(source)", SubmitterOffice.password)
        let connection = try Connection(settings)
        try outgoing.attach(to: connection)
        return connection
    }

    private static func exchange(_ outgoing: Outgoing) throws -> [String] {
        try outgoing.push()
        return try outgoing.collect(within: 0.1).map(\.id)
    }

    private struct Administrator {
        let connection: Connection
        let channel: ChannelNumber

        /// A queue that refuses messages beyond `room`, for parts of attachments.
        func declare(room: Int?) throws {
            var arguments: FieldTable = ["x-overflow": "reject-publish"]
            if let room { arguments["x-max-length"] = .int(Int64(room)) }
            _ = try connection.deleteQueue(full, on: channel)
            try connection.declareQueue(full, arguments: arguments, on: channel)
            try bind(full, .attachmentPart)
        }

        func bind(_ queue: QueueName, _ type: MessageType) throws {
            try connection.bindQueue(
                queue, to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: type.routingKey(from: .source(source))), on: channel)
        }

        func makeRoom() throws { try declare(room: nil) }

        func take(_ queue: QueueName) throws -> [Delivery] {
            var taken: [Delivery] = []
            while let delivery = try connection.get(queue, on: channel) {
                taken.append(delivery)
                try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
            }
            return taken
        }
    }

    private static func withQueues(room: Int, _ body: (Administrator) throws -> Void) throws {
        let connection = try Connection(SubmitterOffice.settings())
        defer { connection.close() }
        let broker = Administrator(connection: connection, channel: try connection.openChannel())
        let own = QueueName(rawValue: Topology.Queue.submit(source))
        let (exchange, key) = (
            ExchangeName(rawValue: Topology.Exchange.intake), RoutingKey(rawValue: "source.\(source).#")
        )
        try connection.unbindQueue(own, from: exchange, key: key, on: broker.channel)
        try broker.declare(room: room)
        try connection.declareQueue(open, on: broker.channel)
        try broker.bind(open, .reportSubmitted)
        defer {
            #expect(throws: Never.self) {
                for queue in [full, open] { _ = try connection.deleteQueue(queue, on: broker.channel) }
                try connection.bindQueue(own, to: exchange, key: key, on: broker.channel)
            }
        }
        try body(broker)
    }
}
