import AMQP
import CaseStore
import Contract

/// The consuming side of a lane: one connection, one channel per queue, so that each queue is acknowledged in its own order.
final class LaneConsumer {
    private let connection: Broker
    private var lines: [Line] = []
    private var lineOf: [ChannelNumber: Int] = [:]
    private let digestKey: DigestKey
    private(set) var isCancelled = false

    /// One queue with what was delivered from it and not yet taken.
    private struct Line {
        let queue: String
        let channel: ChannelNumber
        let consumerTag: String
        var waiting: ArraySlice<Delivery> = []
    }

    /// A batch: what was taken, and up to which tag each channel is to be acknowledged.
    struct Batch {
        var parcels: [Parcel] = []
        fileprivate var upTo: [ChannelNumber: UInt64] = [:]
        fileprivate var bytes = 0
        var isEmpty: Bool { parcels.isEmpty }
    }

    init(_ lane: LaneSettings, desk: any Desk, name: String) throws {
        let batchSizeMax = lane.batchSizeMax
        digestKey = lane.digestKey
        var settings = lane.broker
        settings.connectionName = "\(name) consuming"
        connection = try Broker(settings)
        for queue in desk.queues {
            let channel = try connection.openChannel()
            // Twice a batch, so that the next one arrives while this one is decided.
            try connection.setPrefetch(2 * batchSizeMax, on: channel)
            let tag = try connection.consume(QueueName(rawValue: queue), on: channel)
            lineOf[channel] = lines.count
            lines.append(Line(queue: queue, channel: channel, consumerTag: tag))
        }
    }

    /// Everything that has arrived, up to `countMax`; waits only for the first. Queues listed first overtake, and leave a
    /// quarter of the batch to the others.
    func receive(upTo countMax: Int, waiting seconds: Double) throws -> Batch {
        if lines.allSatisfy(\.waiting.isEmpty), let event = try connection.nextEvent(within: seconds) { try take(event) }
        try serve()
        var batch = Batch()
        for (index, line) in lines.enumerated() where !line.waiting.isEmpty {
            let othersWait = lines[(index + 1)...].contains { !$0.waiting.isEmpty }
            let room = countMax - batch.parcels.count
            take(from: index, max(0, othersWait ? room - countMax / 4 : room), into: &batch)
        }
        return batch
    }

    /// Reads what has arrived without waiting, which also serves the heartbeat.
    func serve() throws {
        while let event = try connection.nextEvent(within: 0) { try take(event) }
    }

    /// Reads what arrives for a while: how a lane waits for something else without losing its connection.
    func serve(for seconds: Double) throws {
        if let event = try connection.nextEvent(within: seconds) { try take(event) }
        try serve()
    }

    /// Whether the broker holds nothing either that this lane, or another in its stead, could be given.
    func queuesAreEmpty() throws -> Bool {
        for line in lines {
            let status = try connection.declareQueue(QueueName(rawValue: line.queue), passive: true, on: line.channel)
            if status.messageCount > 0 { return false }
        }
        return lines.allSatisfy(\.waiting.isEmpty)
    }

    func acknowledge(_ batch: Batch) throws {
        for (channel, tag) in batch.upTo { try connection.acknowledge(upTo: tag, multiple: true, on: channel) }
    }

    /// No more deliveries; what was delivered already is still there to be taken.
    func cancel() throws {
        guard !isCancelled else { return }
        isCancelled = true
        for line in lines { try connection.cancel(consumerTag: line.consumerTag, on: line.channel) }
        try serve()
    }

    func close() { connection.close() }

    private func take(from index: Int, _ count: Int, into batch: inout Batch) {
        var taken = 0
        for delivery in lines[index].waiting.prefix(count) {
            guard batch.bytes < LaneSettings.batchBytesMax else { break }
            batch.bytes += delivery.body.count
            taken += 1
            batch.parcels.append(Parcel(Arrival(delivery), from: lines[index].queue, digestKey: digestKey))
            batch.upTo[delivery.channel] = delivery.deliveryTag
        }
        // A copy, so that what was taken does not stay in memory behind the slice.
        lines[index].waiting = ArraySlice(Array(lines[index].waiting.dropFirst(taken)))
    }

    private func take(_ event: Event) throws {
        switch event {
        case .delivery(let delivery):
            if let index = lineOf[delivery.channel] { lines[index].waiting.append(delivery) }
        case .consumerCancelled(_, let tag):
            // The queue was deleted: begin again, which waits until it is there.
            throw LaneFault(reason: "the broker cancelled consumer \(tag)")
        case .channelClosed(_, let error): throw error
        case .acknowledged, .rejected, .returned, .blocked, .unblocked: break
        }
    }
}

/// Something that a new connection may mend.
struct LaneFault: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
