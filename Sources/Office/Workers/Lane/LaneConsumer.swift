import Basics
import AMQP
import BrokerTopology
import CaseStore
import Contract
import Crypto
import Foundation

/// The consuming side of a lane: one connection, with a channel for each queue that all lanes read, and one channel for
/// the queues of parties that this lane holds. Each channel is acknowledged in its own order.
///
/// After the start, no method waits for a reply of the broker while deliveries may come: the reply would come after
/// all deliveries that the broker has sent, and the library would read all of them into memory. Deliveries beyond
/// the limit of bytes stay in the socket.
final class LaneConsumer {
    private let connection: Broker
    private let bytesMax: Int
    private let batchSizeMax: Int
    private let officeName: String
    private var lines: [Line] = []
    private var lineOf: [ChannelNumber: Int] = [:]
    private let digestKey: DigestKey
    /// Only the few headers of an SDK are read, to tell its user what to change.
    private let limit = BodyLimit(bytesMax: Limits.standard.messageBytesMax, headersBytesMax: 4_096) { RunningDigest() }
    /// The bytes of the bodies in all lines.
    private var waitingBytes = 0
    private(set) var isCancelled = false
    /// The queues that all lanes read, with their channels.
    private let shared: [(queue: String, channel: ChannelNumber)]

    /// The channel for the queues of parties; `nil` if the worker reads none.
    private let partyChannel: ChannelNumber?
    /// The queues of parties that this lane reads, or that it gives up and has not settled yet.
    private var parties: [String: PartyConsumer] = [:]
    /// Queues of parties that were deleted at the broker.
    private(set) var vanished: [String] = []
    /// The messages that were ready at the start in the queue that all parties once shared; `nil` if there is no such
    /// queue.
    let retiredMessages: Int?

    private struct PartyConsumer {
        let prefetch: Int
        /// Deliveries that are not acknowledged.
        var unsettled = 0
        var isGivenUp = false
        /// Whether no further delivery comes.
        var isStopped = false
    }

    /// One channel with the deliveries that no batch has taken yet. The tag of a consumer is the name of its queue.
    private struct Line {
        let channel: ChannelNumber
        /// Whether it is the queue of commands. Persons wait for an answer, so commands are taken separately.
        let isCommand: Bool
        var waiting: ArraySlice<Delivery> = []
    }

    /// A batch: the messages taken, and the delivery tag up to which each channel is acknowledged.
    struct Batch {
        var received: [InboundMessage] = []
        /// The markers that lanes of this worker sent, in the order of the deliveries; see `Listening`.
        var markers: [(queue: String, id: String)] = []
        fileprivate var upTo: [ChannelNumber: UInt64] = [:]
        /// The deliveries from each queue of a party.
        fileprivate var counts: [String: Int] = [:]
        fileprivate var bytes = 0
        /// The queues of parties from which some of it came.
        var parties: some Sequence<String> { counts.keys }
        var isEmpty: Bool { upTo.isEmpty }
        fileprivate(set) var isOfCommands = false
    }

    init(_ lane: LaneSettings, desk: any Desk, name: String) throws {
        digestKey = lane.digestKey
        var settings = lane.brokerNow
        settings.connectionName = "\(name) consuming"
        bytesMax = lane.batchBytesMax
        batchSizeMax = lane.batchSizeMax
        officeName = Party.office(desk.worker).description
        let connection = try Broker(settings)
        self.connection = connection
        retiredMessages = try desk.worker.retiredQueue.flatMap { try connection.messages(in: $0) }
        let command = Topology.Queue.command(desk.worker)
        shared = try desk.worker.queues.map { ($0, try connection.openChannel()) }
        lines = shared.map { Line(channel: $0.channel, isCommand: $0.queue == command) }
        partyChannel = desk.worker.readsParties ? try connection.openChannel() : nil
        // The queues of parties come after the commands, and before what the broker gave up.
        if let partyChannel { lines.insert(Line(channel: partyChannel, isCommand: false), at: 1) }
        lineOf = Dictionary(uniqueKeysWithValues: lines.indices.map { (lines[$0].channel, $0) })
        // Twice a batch, so that the next batch arrives while this one is decided.
        for (queue, channel) in shared { try consume(queue, prefetch: 2 * batchSizeMax, on: channel) }
    }

    // MARK: Queues of parties

    /// The queues of parties that this lane reads and does not give up.
    var held: [String] { parties.filter { !$0.value.isGivenUp }.keys.sorted() }
    /// All queues of parties whose leases this lane must keep.
    var leased: Int { parties.count }

    /// Begins to read queues of parties. Each may have its share of two batches unacknowledged, so that a party that
    /// floods its queue delays the others by no more than that.
    func hold(_ queues: [String]) throws {
        guard let partyChannel else { return }
        let total = parties.count + queues.count
        let prefetch = max(LaneSettings.prefetchMin, 2 * batchSizeMax / max(1, total))
        for queue in queues where parties[queue] == nil {
            parties[queue] = PartyConsumer(prefetch: prefetch)
            try consume(queue, prefetch: prefetch, on: partyChannel)
        }
    }

    private func consume(_ queue: String, prefetch: Int, on channel: ChannelNumber) throws {
        try connection.startConsuming(
            QueueName(rawValue: queue), consumerTag: queue, prefetch: UInt16(clamping: prefetch), bodyLimit: limit,
            on: channel)
    }

    /// Gives queues up: their consumers end, and what was delivered is still settled by this lane (`takeEnded`).
    func giveUp(_ queues: some Sequence<String>) throws {
        guard let partyChannel else { return }
        for queue in queues where parties[queue]?.isGivenUp == false {
            parties[queue]?.isGivenUp = true
            try connection.stopConsuming(consumerTag: queue, on: partyChannel)
        }
    }

    /// The queues that were given up or deleted, from which nothing is left to settle: another lane may read them.
    func takeEnded() -> [String] {
        let ended = parties.filter { $0.value.isGivenUp && $0.value.isStopped && $0.value.unsettled == 0 }.keys.sorted()
        for queue in ended { parties[queue] = nil }
        return ended
    }

    func takeVanished() -> [String] {
        defer { vanished = [] }
        return vanished
    }

    /// Whether nothing that was delivered from a queue is unsettled.
    func isSettled(_ queue: String) -> Bool { parties[queue].map { $0.unsettled == 0 } ?? true }

    // MARK: Receiving

    /// All messages that have arrived, up to `countMax` and the limit of bytes. It waits only for the first.
    ///
    /// If some were waiting when the lane came, they come faster than it handles them one by one, and it lets them
    /// gather. A transaction costs about the same for one message as for ten, so a busy machine does less work for
    /// each, and every message is handled sooner. An idle lane does not gather.
    ///
    /// Commands are in a separate batch, which comes first. In the other batch, queues that are listed first come
    /// first, and leave a quarter of the batch to the later ones.
    func receive(upTo countMax: Int, waiting seconds: Double, gathering gatherSeconds: Double = 0) throws -> [Batch] {
        try serve()
        if lines.allSatisfy(\.waiting.isEmpty) {
            if let event = try connection.nextEvent(within: seconds) { try take(event) }
        } else if gatherSeconds > 0, mayGather {
            Thread.sleep(forTimeInterval: gatherSeconds)
        }
        try serve()
        return [takeBatch(upTo: countMax, \.isCommand), takeBatch(upTo: countMax) { !$0.isCommand }].filter {
            !$0.isEmpty
        }
    }

    /// Whether more may come before some of what waits is acknowledged: it is less than a batch, and no queue of a
    /// party has delivered all that it may.
    private var mayGather: Bool {
        lines.reduce(0) { $0 + $1.waiting.count } < batchSizeMax
            && !parties.values.contains { $0.unsettled >= $0.prefetch }
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
        for (queue, count) in batch.counts { parties[queue]?.unsettled -= count }
    }

    /// Ends the consumers. Messages that were delivered before can still be taken.
    func cancel() throws {
        guard !isCancelled else { return }
        isCancelled = true
        for (queue, channel) in shared { try connection.stopConsuming(consumerTag: queue, on: channel) }
        try giveUp(held)
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
            let queue = delivery.consumerTag
            batch.upTo[delivery.channel] = delivery.deliveryTag
            if line.channel == partyChannel { batch.counts[queue, default: 0] += 1 }
            if delivery.properties.type == LaneSettings.markerType, delivery.properties.userID == officeName {
                batch.markers.append((queue, delivery.properties.correlationID ?? ""))
                continue
            }
            batch.bytes += delivery.body.count
            batch.received.append(InboundMessage(Arrival(delivery), from: queue, digestKey: digestKey))
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
            if delivery.channel == partyChannel { parties[delivery.consumerTag]?.unsettled += 1 }
        case .consumerStopped(_, let tag): parties[tag]?.isStopped = true
        case .consumerCancelled(let channel, let tag):
            // The queue was deleted. The lane goes on without the queue of a party; without one of the office's own, it
            // starts again until the queue exists.
            guard channel == partyChannel else { throw LaneFault(reason: "the broker cancelled consumer \(tag)") }
            parties[tag]?.isGivenUp = true
            parties[tag]?.isStopped = true
            vanished.append(tag)
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

extension Broker {
    /// The messages that are ready in a queue; `nil` if there is no such queue. The reply comes before any delivery
    /// only if no consumer has been started on the connection.
    func messages(in queue: String) throws -> Int? {
        let channel = try openChannel()
        do throws(AMQPError) {
            let status = try declareQueue(QueueName(rawValue: queue), passive: true, on: channel)
            try closeChannel(channel)
            return status.messageCount
        } catch {
            guard !error.isConnectionFatal, error.replyCode == 404 else { throw error }
            return nil
        }
    }
}
