import CRabbitMQ

extension Connection {
    /// Declares an exchange. Does nothing if it exists with the same properties; otherwise the broker closes the
    /// channel with 406. With `passive` it only checks that the exchange exists, of any kind: if not, the broker
    /// closes the channel with 404.
    public func declareExchange(
        _ exchange: ExchangeName, kind: ExchangeKind, durable: Bool = true, passive: Bool = false,
        autoDelete: Bool = false, arguments: FieldTable = [:], on channel: ChannelNumber
    ) throws(AMQPError) {
        let name = try arena.shortText(exchange.rawValue)
        let kind = try arena.shortText(kind.rawValue)
        let table = try arena.table(arguments, bytesMax: headersBytesMax)
        _ = try call(on: channel) { state in
            amqp_exchange_declare(
                state, channel.rawValue, name, kind, passive ? 1 : 0, durable ? 1 : 0, autoDelete ? 1 : 0, 0, table)
        }
    }

    public func deleteExchange(_ exchange: ExchangeName, on channel: ChannelNumber) throws(AMQPError) {
        let name = try arena.shortText(exchange.rawValue)
        _ = try call(on: channel) { state in amqp_exchange_delete(state, channel.rawValue, name, 0) }
    }

    /// Declares a queue. Does nothing if it exists with the same properties; otherwise the broker closes the channel
    /// with 406. For an empty name the broker chooses one and returns it. With `passive` it only checks that the
    /// queue exists: if not, the broker closes the channel with 404.
    @discardableResult
    public func declareQueue(
        _ queue: QueueName, durable: Bool = true, exclusive: Bool = false, autoDelete: Bool = false,
        passive: Bool = false, arguments: FieldTable = [:], on channel: ChannelNumber
    ) throws(AMQPError) -> QueueStatus {
        let name = try arena.shortText(queue.rawValue)
        let table = try arena.table(arguments, bytesMax: headersBytesMax)
        let reply = try call(on: channel) { state in
            amqp_queue_declare(
                state, channel.rawValue, name, passive ? 1 : 0, durable ? 1 : 0, exclusive ? 1 : 0, autoDelete ? 1 : 0,
                table)
        }
        return QueueStatus(
            name: QueueName(rawValue: String(repairing: reply.queue)), messageCount: Int(reply.message_count),
            consumerCount: Int(reply.consumer_count))
    }

    public func bindQueue(
        _ queue: QueueName, to exchange: ExchangeName, key: RoutingKey, arguments: FieldTable = [:],
        on channel: ChannelNumber
    ) throws(AMQPError) {
        let queue = try arena.shortText(queue.rawValue)
        let exchange = try arena.shortText(exchange.rawValue)
        let key = try arena.shortText(key.rawValue)
        let table = try arena.table(arguments, bytesMax: headersBytesMax)
        _ = try call(on: channel) { state in amqp_queue_bind(state, channel.rawValue, queue, exchange, key, table) }
    }

    /// Removes a binding; the arguments must equal those of the binding. Does nothing if the binding does not exist.
    public func unbindQueue(
        _ queue: QueueName, from exchange: ExchangeName, key: RoutingKey, arguments: FieldTable = [:],
        on channel: ChannelNumber
    ) throws(AMQPError) {
        let queue = try arena.shortText(queue.rawValue)
        let exchange = try arena.shortText(exchange.rawValue)
        let key = try arena.shortText(key.rawValue)
        let table = try arena.table(arguments, bytesMax: headersBytesMax)
        _ = try call(on: channel) { state in amqp_queue_unbind(state, channel.rawValue, queue, exchange, key, table) }
    }

    /// Deletes a queue and returns how many messages it held. Does nothing if the queue does not exist.
    @discardableResult
    public func deleteQueue(_ queue: QueueName, on channel: ChannelNumber) throws(AMQPError) -> Int {
        let name = try arena.shortText(queue.rawValue)
        let reply = try call(on: channel) { state in amqp_queue_delete(state, channel.rawValue, name, 0, 0) }
        return Int(reply.message_count)
    }

    /// Empties a queue and returns how many messages were dropped; messages delivered and not yet acknowledged stay.
    @discardableResult
    public func purgeQueue(_ queue: QueueName, on channel: ChannelNumber) throws(AMQPError) -> Int {
        let name = try arena.shortText(queue.rawValue)
        let reply = try call(on: channel) { state in amqp_queue_purge(state, channel.rawValue, name) }
        return Int(reply.message_count)
    }
}
