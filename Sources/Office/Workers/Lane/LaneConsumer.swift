import Basics
import AMQP
import BrokerTopology
import CaseStore
import Contract
import Crypto
import Foundation

/// The consuming side of a lane: one connection, one channel per queue, so that each queue is acknowledged in its own
/// order.
///
/// Nothing here asks the broker a question: the answer would come behind all that it has sent, and the library would
/// take that in, however much it is. What is beyond the budget of bytes stays in the socket.
final class LaneConsumer {
    private let connection: Broker
    private let bytesMax: Int
    private let officeName: String
    private var lines: [Line] = []
    private var lineOf: [ChannelNumber: Int] = [:]
    private let digestKey: DigestKey
    /// Of the bodies in all lines.
    private var waitingBytes = 0
    private(set) var isCancelled = false

    /// One queue with what was delivered from it and not yet taken.
    private struct Line {
        let queue: String
        let channel: ChannelNumber
        /// Persons wait for an answer: their commands are taken apart from the rest.
        let isCommand: Bool
        var waiting: ArraySlice<Delivery> = []
        var consumerTag: String { queue }
    }

    /// A batch: what was taken, and up to which tag each channel is to be acknowledged.
    struct Batch {
        var received: [InboundMessage] = []
        /// What the lanes of this worker sent themselves, in its place among the rest; see `Listening`.
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
            // Twice a batch, so that the next one arrives while this one is decided.
            try connection.setPrefetch(2 * lane.batchSizeMax, on: channel)
            lineOf[channel] = lines.count
            lines.append(Line(queue: queue, channel: channel, isCommand: queue == Topology.Queue.command(desk.worker)))
        }
        // Of headers an SDK's few are read, to tell it what to change.
        let limit = BodyLimit(bytesMax: Limits.standard.messageBytesMax, headersBytesMax: 4_096) { RunningDigest() }
        for line in lines {
            try connection.startConsuming(
                QueueName(rawValue: line.queue), consumerTag: line.consumerTag, bodyLimit: limit, on: line.channel)
        }
    }

    /// Everything that has arrived, up to `countMax` messages and the budget of bytes; waits only for the first.
    /// Commands come in a batch of their own, first. Of the others, queues listed first overtake, and leave a quarter
    /// of the batch to those behind.
    func receive(upTo countMax: Int, waiting seconds: Double) throws -> [Batch] {
        if lines.allSatisfy(\.waiting.isEmpty), let event = try connection.nextEvent(within: seconds) {
            try take(event)
        }
        try serve()
        return [takeBatch(upTo: countMax, \.isCommand), takeBatch(upTo: countMax) { !$0.isCommand }].filter {
            !$0.isEmpty
        }
    }

    /// Commands alone, without waiting: what a person may ask for while a batch of others takes its time.
    func receiveCommands(upTo countMax: Int) throws -> Batch {
        try serve()
        return takeBatch(upTo: countMax, \.isCommand)
    }

    /// Reads what has arrived without waiting, as far as the budget goes, and keeps the connection alive.
    func serve() throws {
        // Bodies that are not kept count too: a row of them must not hold the lane here.
        let end = connection.bytesRead + bytesMax
        while waitingBytes < bytesMax, connection.bytesRead < end {
            guard let event = try connection.nextEvent(within: 0) else { break }
            try take(event)
        }
        try connection.keepAlive()
    }

    /// Reads what arrives for a while: how a lane waits for something else without losing its connection.
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

    /// No more deliveries; what was delivered already is still there to be taken.
    func cancel() throws {
        guard !isCancelled else { return }
        isCancelled = true
        for line in lines { try connection.stopConsuming(consumerTag: line.consumerTag, on: line.channel) }
    }

    /// Politely only where nothing more can come: the library would read all of it before the broker's answer.
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

    /// Until the batch has so many messages and bytes, and whatever the size, one.
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
        // A copy, so that what was taken does not stay in memory behind the slice.
        lines[index].waiting = ArraySlice(Array(line.waiting.dropFirst(taken)))
    }

    private func take(_ event: Event) throws {
        switch event {
        case .delivery(let delivery):
            guard let index = lineOf[delivery.channel] else { return }
            lines[index].waiting.append(delivery)
            waitingBytes += delivery.body.count
        case .consumerCancelled(_, let tag):
            // The queue was deleted: begin again, which waits until it is there.
            throw LaneFault(reason: "the broker cancelled consumer \(tag)")
        case .channelClosed(_, let error): throw error
        case .acknowledged, .rejected, .returned, .blocked, .unblocked: break
        }
    }
}

/// By which the inbox knows a body, made while the body arrives.
private struct RunningDigest: BodyDigest {
    private var hash = SHA256()
    mutating func add(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }
    mutating func end() -> [UInt8] { Array(hash.finalize()) }
}

/// Something that a new connection may mend.
struct LaneFault: PlainlyWorded, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
