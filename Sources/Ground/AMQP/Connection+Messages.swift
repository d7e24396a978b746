import CRabbitMQ

// MARK: Receiving

extension Connection {
    /// Sets how many unacknowledged deliveries each later consumer of the channel may have; 0 means no limit, at most
    /// 65,535.
    public func setPrefetch(_ count: Int, on channel: ChannelNumber) throws(AMQPError) {
        guard let count = UInt16(exactly: count) else { throw AMQPError(.invalidArgument, "a prefetch beyond 65535") }
        _ = try call(on: channel) { state in amqp_basic_qos(state, channel.rawValue, 0, count, 0) }
    }

    /// Starts a consumer. Deliveries come by `nextEvent`; each must be acknowledged or rejected. Returns the consumer
    /// tag; the broker chooses one if `consumerTag` is empty. The arguments are those of the broker, such as
    /// `x-priority`.
    @discardableResult
    public func consume(
        _ queue: QueueName, consumerTag: String = "", exclusive: Bool = false, arguments: FieldTable = [:],
        on channel: ChannelNumber
    ) throws(AMQPError) -> String {
        let name = try arena.shortText(queue.rawValue)
        let tag = try arena.shortText(consumerTag)
        let table = try arena.table(arguments, bytesMax: headersBytesMax)
        let reply = try call(on: channel) { state in
            amqp_basic_consume(state, channel.rawValue, name, tag, 0, 0, exclusive ? 1 : 0, table)
        }
        return String(repairing: reply.consumer_tag)
    }

    /// Starts a consumer without waiting for an answer and reads nothing, so that with several consumers the first
    /// one's deliveries are not read while the next is started. If the broker refuses, it closes the channel, and
    /// `nextEvent` reports that. For bodies longer than `bodyLimit` only length and digest are kept; the limit
    /// applies to the whole channel.
    /// - Parameter prefetch: the unacknowledged deliveries that this and later consumers of the channel may have; `nil`
    ///   for no change.
    public func startConsuming(
        _ queue: QueueName, consumerTag: String, prefetch: UInt16? = nil, bodyLimit: BodyLimit? = nil,
        on channel: ChannelNumber
    ) throws(AMQPError) {
        defer { arena.recycle() }
        if let prefetch {
            var request = amqp_basic_qos_t()
            request.prefetch_count = prefetch
            try send(on: channel) { state in amqp_send_method(state, channel.rawValue, rmq_basic_qos, &request) }
        }
        var request = amqp_basic_consume_t()
        request.queue = try arena.shortText(queue.rawValue)
        request.consumer_tag = try arena.shortText(consumerTag)
        request.nowait = 1
        try send(on: channel) { state in amqp_send_method(state, channel.rawValue, rmq_basic_consume, &request) }
        channels[channel.rawValue]?.bodyLimit = bodyLimit
    }

    /// Cancels a consumer without waiting for an answer, and so without reading what the broker sent before it.
    /// `nextEvent` reports the end by `consumerStopped`; no delivery follows it.
    public func stopConsuming(consumerTag: String, on channel: ChannelNumber) throws(AMQPError) {
        defer { arena.recycle() }
        var request = amqp_basic_cancel_t()
        request.consumer_tag = try arena.shortText(consumerTag)
        try send(on: channel) { state in amqp_send_method(state, channel.rawValue, rmq_basic_cancel, &request) }
    }

    /// Cancels a consumer. Deliveries already under way still come; unacknowledged deliveries can still be
    /// acknowledged on the channel.
    public func cancel(consumerTag: String, on channel: ChannelNumber) throws(AMQPError) {
        let tag = try arena.shortText(consumerTag)
        _ = try call(on: channel) { state in amqp_basic_cancel(state, channel.rawValue, tag) }
    }

    /// Fetches one message; nil if the queue is empty. It must be acknowledged like a delivery.
    public func get(_ queue: QueueName, on channel: ChannelNumber) throws(AMQPError) -> Delivery? {
        let state = try handle(for: channel)
        defer { arena.recycle() }
        let name = try arena.shortText(queue.rawValue)
        amqp_maybe_release_buffers(state)
        let reply = amqp_basic_get(state, channel.rawValue, name, 0)
        guard reply.reply_type == AMQP_RESPONSE_NORMAL else { throw failure(reply, on: channel) }
        guard reply.reply.id == rmq_basic_get_ok,
            let got = reply.reply.decoded?.assumingMemoryBound(to: amqp_basic_get_ok_t.self).pointee,
            let channelState = channels[channel.rawValue]
        else { return nil }
        channelState.fetching = .fetch(
            deliveryTag: got.delivery_tag, redelivered: got.redelivered != 0,
            exchange: String(repairing: got.exchange), routingKey: String(repairing: got.routing_key))

        let deadline = Deadline(in: settings.rpcTimeoutSeconds)
        while channelState.fetched == nil {
            guard try serve(within: deadline.secondsLeft) else { throw lost(AMQP_STATUS_TIMEOUT.rawValue) }
        }
        defer { channelState.fetched = nil }
        return channelState.fetched
    }

    /// Acknowledges a delivery; with `multiple`, everything delivered on the channel up to this tag.
    public func acknowledge(upTo deliveryTag: UInt64, multiple: Bool, on channel: ChannelNumber) throws(AMQPError) {
        try send(on: channel) { state in amqp_basic_ack(state, channel.rawValue, deliveryTag, multiple ? 1 : 0) }
    }

    /// Sends `basic.nack`: with `requeue` the message returns to its queue; otherwise it goes to the queue's
    /// dead-letter exchange or is dropped.
    public func reject(deliveryTag: UInt64, multiple: Bool, requeue: Bool, on channel: ChannelNumber) throws(AMQPError)
    {
        try send(on: channel) { state in
            amqp_basic_nack(state, channel.rawValue, deliveryTag, multiple ? 1 : 0, requeue ? 1 : 0)
        }
    }
}

// MARK: Publishing

extension Connection {
    /// Turns on publisher confirms for the channel; the first publish has tag 1. `Publisher` tracks the tags.
    public func enableConfirms(on channel: ChannelNumber) throws(AMQPError) {
        _ = try call(on: channel) { state in amqp_confirm_select(state, channel.rawValue) }
    }

    /// Sends one message and does not wait for its confirm. Reads first what has arrived, so that a blocked
    /// connection or a closed channel is noticed. Throws `blocked`, `channelClosed` or `invalidArgument` (nothing
    /// sent, the connection stays open).
    public func publish(
        _ body: [UInt8], to exchange: ExchangeName, key: RoutingKey, properties: Properties, mandatory: Bool = false,
        on channel: ChannelNumber
    ) throws(AMQPError) {
        try serve()
        guard !isBlocked else { throw AMQPError(.blocked, "the broker takes no messages") }
        try write(body, to: exchange, key: key, properties: properties, mandatory: mandatory, on: channel)
    }

    func write(
        _ body: [UInt8], to exchange: ExchangeName, key: RoutingKey, properties: Properties, mandatory: Bool,
        on channel: ChannelNumber
    ) throws(AMQPError) {
        defer { arena.recycle() }
        let exchange = try arena.shortText(exchange.rawValue)
        let key = try arena.shortText(key.rawValue)
        var wire = try arena.properties(properties, headersBytesMax: headersBytesMax)
        try send(on: channel) { state in
            body.withUnsafeBytes { bytes in
                // The library only reads the bytes.
                let content = amqp_bytes_t(
                    len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
                return amqp_basic_publish(state, channel.rawValue, exchange, key, mandatory ? 1 : 0, 0, &wire, content)
            }
        }
    }

    private func send(on channel: ChannelNumber, _ write: (amqp_connection_state_t) -> Int32) throws(AMQPError) {
        let state = try handle(for: channel)
        guard wait(forRoomWithin: settings.rpcTimeoutSeconds) else {
            throw AMQPError(.timedOut, "the socket takes no bytes", isConnectionFatal: false)
        }
        let status = write(state)
        guard status == AMQP_STATUS_OK.rawValue else { throw lost(status) }
    }
}
