import Basics
import AMQP
import BrokerTopology
import CaseStore
import Contract
import Crypto
import Foundation

/// The consuming side of a lane: one connection with one channel per queue, so that each queue is acknowledged in
/// its own order.
///
/// After the start, no method waits for a reply of the broker while deliveries may come: the reply would come after
/// all deliveries that the broker has sent, and the library would read all of them into memory. Deliveries beyond
/// the limit of bytes stay in the socket.
final class LaneConsumer {
    private let connection: Broker
    private let bytesMax: Int
    private let officeName: String
    private var lines: [Line] = []
    private var lineOf: [ChannelNumber: Int] = [:]
    private let digestKey: DigestKey
    /// The bytes of the bodies in all lines.
    private var waitingBytes = 0
    private(set) var isCancelled = false

    /// One queue with the deliveries that no batch has taken yet.
    private struct Line {
        let queue: String
        let channel: ChannelNumber
        /// Whether it is the queue of commands. Persons wait for an answer, so commands are taken separately.
        let isCommand: Bool
        var waiting: ArraySlice<Delivery> = []
        var consumerTag: String { queue }
    }

    /// A batch: the messages taken, and the delivery tag up to which each channel is acknowledged.
    struct Batch {
        var received: [InboundMessage] = []
        /// The markers that lanes of this worker sent, in the order of the deliveries; see `Listening`.
        var markers: [String] = []
        fileprivate var upTo: [ChannelNumber: UInt64] = [:]
        fileprivate var bytes = 0
        var isEmpty: Bool { upTo.isEmpty }
        fileprivate(set) var isOfCommands = false
    }

    init(_ lane: LaneSettings, desk: any Desk, name: String) throws {
        digestKey = lane.digestKey
        var settings = lane.broker
        settings.connectionName = "\(name) consuming"
        bytesMax = lane.batchBytesMax
        officeName = Party.office(desk.worker).description
        connection = try Broker(settings)
        for queue in desk.worker.queues {
            let channel = try connection.openChannel()
            // Twice a batch, so that the next batch arrives while this one is decided.
            try connection.setPrefetch(2 * lane.batchSizeMax, on: channel)
            lineOf[channel] = lines.count
            lines.append(Line(queue: queue, channel: channel, isCommand: queue == Topology.Queue.command(desk.worker)))
        }
        // Only the few headers of an SDK are read, to tell its user what to change.
        let limit = BodyLimit(bytesMax: Limits.standard.messageBytesMax, headersBytesMax: 4_096) { RunningDigest() }
        for line in lines {
            try connection.startConsuming(
                QueueName(rawValue: line.queue), consumerTag: line.consumerTag, bodyLimit: limit, on: line.channel)
        }
    }

    /// All messages that have arrived, up to `countMax` and the limit of bytes. It waits only for the first.
    ///
    /// Commands are in a separate batch, which comes first. In the other batch, queues that are listed first come
    /// first, and leave a quarter of the batch to the later ones.
    func receive(upTo countMax: Int, waiting seconds: Double) throws -> [Batch] {
        if lines.allSatisfy(\.waiting.isEmpty), let event = try connection.nextEvent(within: seconds) {
            try take(event)
        }
        try serve()
        return [takeBatch(upTo: countMax, \.isCommand), takeBatch(upTo: countMax) { !$0.isCommand }].filter {
            !$0.isEmpty
        }
    }

    /// The commands that have arrived, without waiting. They can be handled while another batch takes long.
    func receiveCommands(upTo countMax: Int) throws -> Batch {
        try serve()
        return takeBatch(upTo: countMax, \.isCommand)
    }

    /// Reads arrived deliveries without waiting, up to the limit of bytes, and keeps the connection alive.
    func serve() throws {
        // Bodies that are not kept count too: many of them in a row must not hold the lane here.
        let end = connection.bytesRead + bytesMax
        while waitingBytes < bytesMax, connection.bytesRead < end {
            guard let event = try connection.nextEvent(within: 0) else { break }
            try take(event)
        }
        try connection.keepAlive()
    }

    /// Reads deliveries for so many seconds. A lane waits in this way without losing its connection.
    func serve(for seconds: Double) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        try serve()
        while case let left = (end - .now).inSeconds, left > 0 {
            let pause = min(left, LaneSettings.idleSeconds)
            if waitingBytes < bytesMax {
                if let event = try connection.nextEvent(within: pause) { try take(event) }
            } else {
                Thread.sleep(forTimeInterval: pause)
            }
            try serve()
        }
    }

    func acknowledge(_ batch: Batch) throws {
        for (channel, tag) in batch.upTo { try connection.acknowledge(upTo: tag, multiple: true, on: channel) }
    }

    /// Ends the consumers. Messages that were delivered before can still be taken.
    func cancel() throws {
        guard !isCancelled else { return }
        isCancelled = true
        for line in lines { try connection.stopConsuming(consumerTag: line.consumerTag, on: line.channel) }
    }

    /// Closes the connection. It waits for the broker's reply only if no more deliveries can come: the library
    /// would read all of them before the reply.
    func close() {
        if isCancelled, lines.allSatisfy(\.waiting.isEmpty) { connection.close() } else { connection.abandon() }
    }

    private func takeBatch(upTo countMax: Int, _ isMeant: (Line) -> Bool) -> Batch {
        var batch = Batch()
        let meant = lines.indices.filter { isMeant(lines[$0]) && !lines[$0].waiting.isEmpty }
        for index in meant {
            batch.isOfCommands = lines[index].isCommand
            let (count, bytes) =
                index == meant.last ? (countMax, bytesMax) : (countMax - countMax / 4, bytesMax - bytesMax / 4)
            take(from: index, upTo: count, bytes, into: &batch)
        }
        return batch
    }

    /// Takes deliveries until the batch has so many messages or bytes; at least one, whatever its size.
    private func take(from index: Int, upTo countMax: Int, _ bytesMax: Int, into batch: inout Batch) {
        let line = lines[index]
        var taken = 0
        for delivery in line.waiting {
            guard batch.isEmpty || (batch.received.count < countMax && batch.bytes < bytesMax) else { break }
            taken += 1
            batch.upTo[delivery.channel] = delivery.deliveryTag
            if delivery.properties.type == LaneSettings.markerType, delivery.properties.userID == officeName {
                batch.markers.append(delivery.properties.correlationID ?? "")
                continue
            }
            batch.bytes += delivery.body.count
            batch.received.append(InboundMessage(Arrival(delivery), from: line.queue, digestKey: digestKey))
        }
        waitingBytes -= line.waiting.prefix(taken).reduce(0) { $0 + $1.body.count }
        // A copy, so that the slice does not keep the taken deliveries in memory.
        lines[index].waiting = ArraySlice(Array(line.waiting.dropFirst(taken)))
    }

    private func take(_ event: Event) throws {
        switch event {
        case .delivery(let delivery):
            guard let index = lineOf[delivery.channel] else { return }
            lines[index].waiting.append(delivery)
            waitingBytes += delivery.body.count
        case .consumerCancelled(_, let tag):
            // The queue was deleted: the lane starts again until the queue exists.
            throw LaneFault(reason: "the broker cancelled consumer \(tag)")
        case .channelClosed(_, let error): throw error
        case .acknowledged, .rejected, .returned, .blocked, .unblocked: break
        }
    }
}

/// The SHA-256 of a body, computed while the body arrives.
private struct RunningDigest: BodyDigest {
    private var hash = SHA256()
    mutating func add(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }
    mutating func end() -> [UInt8] { Array(hash.finalize()) }
}

/// A fault that a new connection may end.
struct LaneFault: PlainlyWorded, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
