import CRabbitMQ
import Glibc

/// The state of one open channel.
final class ChannelState {
    /// A message whose header or body has not arrived in full. Frames of two messages on one channel are never mixed.
    var assembly: Assembly?
    /// The answer to `basic.get`, whose message follows.
    var fetching: Assembly.Opening?
    var fetched: Delivery?
    /// Takes the confirms and returns of this channel, if there is one.
    weak var publisher: Publisher?
    /// The limit of bodies on the channel; of a longer body only length and digest are kept.
    var bodyLimit: BodyLimit?
}

struct Assembly {
    enum Opening {
        case delivery(consumerTag: String, deliveryTag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case fetch(deliveryTag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case returned(replyCode: UInt16, replyText: String, exchange: String, routingKey: String)
    }

    let opening: Opening
    var properties: Properties?
    var body: [UInt8] = []
    var bytesMissing: UInt64 = 0
    /// The length and the digest of a body that is not kept.
    var omitted: (bytes: UInt64, digest: any BodyDigest)?

    /// The most memory reserved at once for a body. The announced size comes from the peer, so memory grows with the
    /// bytes that arrive.
    static let reserveBytesMax: UInt64 = 1 << 20
}

enum FrameResult {
    case nothing
    case progress
    case event(Event)
}

extension Connection {
    /// The next event of any kind on any channel; nil if none came within `seconds` (0: only what has already
    /// arrived). Serves heartbeats. Events that arrived during other calls come first, in order. Confirms and returns
    /// of a channel owned by a `Publisher` go to that publisher instead. Throws when the connection is lost or closed
    /// by the broker.
    public func nextEvent(within seconds: Double) throws(AMQPError) -> Event? {
        if let event = pending.popFirst() {
            // An emptied slice would keep its old storage.
            if pending.isEmpty { pending = [] }
            return event
        }
        let deadline = Deadline(in: seconds)
        while true {
            switch try readFrame(within: deadline.secondsLeft) {
            case .nothing: return nil
            case .progress: continue
            case .event(let event): return event
            }
        }
    }

    /// Reads one frame, waiting at most `seconds`, and keeps an event for `nextEvent`. True if a frame came.
    func serve(within seconds: Double) throws(AMQPError) -> Bool {
        switch try readFrame(within: seconds) {
        case .nothing: return false
        case .progress: return true
        case .event(let event):
            pending.append(event)
            return true
        }
    }

    /// Reads what has arrived, without waiting, and sends a heartbeat if one is due; keeps events for `nextEvent`. A
    /// caller busy for longer than a heartbeat interval calls it twice in each interval. The prefetch bounds what is
    /// kept.
    public func serve() throws(AMQPError) {
        while try serve(within: 0) {}
    }

    /// Sends heartbeats, a few in each interval, and reads nothing: for a caller that leaves incoming data in the
    /// socket because it has enough to process already. Call it as often as `serve()`. A broker that died meanwhile
    /// is noticed at the next read.
    public func keepAlive() throws(AMQPError) {
        let state = try connected()
        let interval = Double(amqp_get_heartbeat(state))
        guard interval > 0, keptAlive.map({ $0.secondsPast > interval / 4 }) ?? true, wait(forRoomWithin: 0) else {
            return
        }
        keptAlive = Deadline(in: 0)
        var heartbeat = amqp_frame_t()
        heartbeat.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
        let status = amqp_send_frame(state, &heartbeat)
        guard status == AMQP_STATUS_OK.rawValue else { throw lost(status) }
    }

    /// False if the socket has no room to write within `seconds`; the library itself would wait for ever.
    func wait(forRoomWithin seconds: Double) -> Bool {
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLOUT), revents: 0)
        // An error or a hang-up also ends the wait: the write that follows reports it.
        return poll(&descriptor, 1, Deadline(in: seconds).millisecondsLeft) > 0
    }

    /// Reads one frame and assembles messages here, because the library's own reading of a message waits for its body
    /// without a timeout.
    func readFrame(within seconds: Double) throws(AMQPError) -> FrameResult {
        let state = try connected()
        var frame = amqp_frame_t()
        var timeout = timeval(seconds: seconds)
        let status = amqp_simple_wait_frame_noblock(state, &frame, &timeout)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return .nothing }
        guard status == AMQP_STATUS_OK.rawValue else { throw lost(status) }

        let event = try take(frame)
        // Otherwise the library's pools grow for as long as the connection lives. It keeps the buffers of frames
        // still waiting.
        if let state = self.state { amqp_maybe_release_buffers_on_channel(state, frame.channel) }
        return event.map { .event($0) } ?? .progress
    }

    private func take(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
        if frame.channel == 0 { return try takeConnectionMethod(frame) }
        // Frames of a closed channel are dropped.
        guard let channel = channels[frame.channel] else { return nil }
        let number = ChannelNumber(rawValue: frame.channel)
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD: return try take(frame.payload.method, channel, number)
        case AMQP_FRAME_HEADER: return try takeHeader(frame, channel, number)
        case AMQP_FRAME_BODY: return try takeBody(frame.payload.body_fragment, channel, number)
        default: return nil
        }
    }

    private func takeConnectionMethod(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
        guard Int32(frame.frame_type) == AMQP_FRAME_METHOD else { return nil }
        let method = frame.payload.method
        switch method.id {
        case rmq_connection_close:
            throw closedByBroker(method)
        case rmq_connection_blocked:
            isBlocked = true
            let reason = method.decoded?.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee.reason
            return .blocked(reason: String(repairing: reason ?? amqp_bytes_t()))
        case rmq_connection_unblocked:
            isBlocked = false
            return .unblocked
        default:
            return nil
        }
    }

    private func take(
        _ method: amqp_method_t, _ channel: ChannelState, _ number: ChannelNumber
    ) throws(AMQPError) -> Event? {
        guard let decoded = method.decoded else { return nil }
        switch method.id {
        case rmq_basic_deliver:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            channel.assembly = Assembly(
                opening: .delivery(
                    consumerTag: String(repairing: deliver.consumer_tag), deliveryTag: deliver.delivery_tag,
                    redelivered: deliver.redelivered != 0, exchange: String(repairing: deliver.exchange),
                    routingKey: String(repairing: deliver.routing_key)))
            return nil
        case rmq_basic_return:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            channel.assembly = Assembly(
                opening: .returned(
                    replyCode: returned.reply_code, replyText: String(repairing: returned.reply_text),
                    exchange: String(repairing: returned.exchange), routingKey: String(repairing: returned.routing_key))
            )
            return nil
        case rmq_basic_ack:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return route(.acknowledged(number, deliveryTag: ack.delivery_tag, multiple: ack.multiple != 0), channel)
        case rmq_basic_nack:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return route(.rejected(number, deliveryTag: nack.delivery_tag, multiple: nack.multiple != 0), channel)
        case rmq_basic_cancel:
            let cancel = decoded.assumingMemoryBound(to: amqp_basic_cancel_t.self).pointee
            return .consumerCancelled(number, consumerTag: String(repairing: cancel.consumer_tag))
        case rmq_basic_cancel_ok:
            let cancelled = decoded.assumingMemoryBound(to: amqp_basic_cancel_ok_t.self).pointee
            return .consumerStopped(number, consumerTag: String(repairing: cancelled.consumer_tag))
        case rmq_channel_close:
            let isOwned = channel.publisher != nil
            let error = closedByBroker(number, method)
            if error.isConnectionFatal { throw error }
            return isOwned ? nil : .channelClosed(number, error)
        default:
            return nil
        }
    }

    private func takeHeader(
        _ frame: amqp_frame_t, _ channel: ChannelState, _ number: ChannelNumber
    ) throws(AMQPError) -> Event? {
        let header = frame.payload.properties
        if channel.assembly == nil, let fetching = channel.fetching {
            channel.assembly = Assembly(opening: fetching)
            channel.fetching = nil
        }
        guard channel.assembly?.properties == nil, channel.assembly != nil, let decoded = header.decoded else {
            throw malformed("a header without its method")
        }
        channel.assembly?.properties = Properties(
            decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee,
            headersBytesMax: channel.bodyLimit?.headersBytesMax ?? .max)
        channel.assembly?.bytesMissing = header.body_size
        if let limit = channel.bodyLimit, header.body_size > UInt64(limit.bytesMax) {
            channel.assembly?.omitted = (header.body_size, limit.makeDigest())
        } else {
            channel.assembly?.body.reserveCapacity(Int(min(header.body_size, Assembly.reserveBytesMax)))
        }
        return complete(channel, number)
    }

    private func takeBody(
        _ fragment: amqp_bytes_t, _ channel: ChannelState, _ number: ChannelNumber
    ) throws(AMQPError) -> Event? {
        guard let missing = channel.assembly?.bytesMissing, channel.assembly?.properties != nil, fragment.len <= missing
        else {
            throw malformed("a body without or beyond its header")
        }
        let bytes = UnsafeRawBufferPointer(fragment)
        bytesRead &+= bytes.count
        if channel.assembly?.omitted != nil {
            channel.assembly?.omitted?.digest.add(bytes)
        } else {
            channel.assembly?.body.append(contentsOf: bytes)
        }
        channel.assembly?.bytesMissing = missing - UInt64(fragment.len)
        return complete(channel, number)
    }

    private func complete(_ channel: ChannelState, _ number: ChannelNumber) -> Event? {
        guard let assembly = channel.assembly, let properties = assembly.properties, assembly.bytesMissing == 0 else {
            return nil
        }
        channel.assembly = nil
        let omitted = assembly.omitted.map { omitted in
            var digest = omitted.digest
            return OmittedBody(bytes: Int(clamping: omitted.bytes), digest: digest.end())
        }
        switch assembly.opening {
        case .delivery(let consumerTag, let deliveryTag, let redelivered, let exchange, let routingKey):
            return .delivery(
                Delivery(
                    channel: number, deliveryTag: deliveryTag, consumerTag: consumerTag, redelivered: redelivered,
                    exchange: exchange, routingKey: routingKey, properties: properties, body: assembly.body,
                    omitted: omitted))
        case .fetch(let deliveryTag, let redelivered, let exchange, let routingKey):
            channel.fetched = Delivery(
                channel: number, deliveryTag: deliveryTag, consumerTag: "", redelivered: redelivered,
                exchange: exchange, routingKey: routingKey, properties: properties, body: assembly.body,
                omitted: omitted)
            return nil
        case .returned(let replyCode, let replyText, let exchange, let routingKey):
            let returned = Returned(
                channel: number, replyCode: replyCode, replyText: replyText, exchange: exchange,
                routingKey: routingKey, properties: properties, body: assembly.body)
            return route(.returned(returned), channel)
        }
    }

    private func route(_ event: Event, _ channel: ChannelState) -> Event? {
        guard let publisher = channel.publisher else { return event }
        publisher.take(event)
        return nil
    }

    private func malformed(_ what: String) -> AMQPError {
        abandon()
        return AMQPError(.malformed, what)
    }
}
