import CRabbitMQ
import Glibc

/// One AMQP connection with its channels. All calls block, within the timeouts of the settings, and must be made on
/// the thread that made the connection: the library below is not thread-safe, and it serves heartbeats only inside
/// calls. Call `nextEvent` (or a `Publisher`'s `settle`) more often than the heartbeat interval, also when idle.
///
/// The thread needs a stack of some 5 MiB for frames of 128 KiB; this is checked at connect.
///
/// An error with `isConnectionFatal` leaves the connection closed. The fate of unconfirmed messages is then unknown,
/// and the broker delivers unacknowledged ones again.
public final class Connection {
    let settings: ConnectionSettings
    /// The library's handle; nil once the connection is closed.
    var state: amqp_connection_state_t?
    var channels: [UInt16: ChannelState] = [:]
    /// Events read during other calls; `nextEvent` returns them first.
    var pending: ArraySlice<Event> = []
    let arena = Arena()
    /// Kept alive because the handle refers to it.
    private let tls: TLSSession?
    private let channelNumberMax: UInt16
    private var lastChannelNumber: UInt16 = 0
    /// When `keepAlive` last sent a heartbeat.
    var keptAlive: Deadline?
    /// Bytes of all bodies read on all channels since the connection was made, kept or not; for a caller that reads
    /// within a budget.
    public internal(set) var bytesRead = 0

    /// The host that answered.
    public let endpoint: Endpoint
    /// True between the broker's `blocked` and `unblocked`. The broker sends them only after the connection's first
    /// publish.
    public internal(set) var isBlocked = false
    public var isOpen: Bool { state != nil }
    /// The socket, or -1. Its readability does not show whether an event waits, because the library buffers.
    public var fileDescriptor: Int32 { state.map { amqp_get_sockfd($0) } ?? -1 }

    /// The most bytes that a message's encoded headers may take: a frame less the other properties at their full
    /// size.
    var headersBytesMax: Int { frameBytesMax - 4_096 }
    /// The frame size agreed with the broker.
    public let frameBytesMax: Int

    /// Connects to the first host that accepts the login. Throws `connectFailed`, `timedOut`, `tlsFailed`,
    /// `authenticationFailed`, `connectionClosedByBroker` (as when the virtual host does not exist, 530), or
    /// `invalidArgument` for invalid settings.
    public init(_ settings: ConnectionSettings) throws(AMQPError) {
        try settings.validate()
        self.settings = settings
        try Self.requireStack(forFramesOf: settings.frameBytesMax)
        let link = try Link.open(settings, arena)
        let handle = link.handle
        tls = link.tls
        endpoint = link.endpoint
        var rpcTimeout = timeval(seconds: settings.rpcTimeoutSeconds)
        amqp_set_rpc_timeout(handle, &rpcTimeout)
        channelNumberMax = UInt16(clamping: max(1, min(amqp_get_channel_max(handle), AMQP_DEFAULT_MAX_CHANNELS)))
        frameBytesMax = Int(amqp_get_frame_max(handle))
        state = handle
    }

    deinit {
        abandon()
    }

    /// Closes the connection with the AMQP handshake, within two seconds; a peer that takes no bytes gets no
    /// handshake. Never throws: unconfirmed and unacknowledged messages are as after a lost connection.
    public func close() {
        if let state, wait(forRoomWithin: 0) {
            var timeout = timeval(seconds: min(2, settings.rpcTimeoutSeconds))
            amqp_set_rpc_timeout(state, &timeout)
            _ = amqp_connection_close(state, AMQP_REPLY_SUCCESS)
        }
        abandon()
    }

    // MARK: Channels

    /// Opens a channel. Throws `invalidArgument` if the broker's limit of channels is reached.
    public func openChannel() throws(AMQPError) -> ChannelNumber {
        _ = try connected()
        // A number is used again only after all others, so that a tag kept from a closed channel acknowledges nothing
        // on a new one.
        let last = lastChannelNumber
        let upwards = (1...channelNumberMax).lazy.map { (last &+ $0 &- 1) % self.channelNumberMax + 1 }
        guard let number = upwards.first(where: { channels[$0] == nil }) else {
            throw AMQPError(.invalidArgument, "no channel number is free")
        }
        lastChannelNumber = number
        channels[number] = ChannelState()
        let channel = ChannelNumber(rawValue: number)
        do {
            _ = try call(on: channel) { state in amqp_channel_open(state, number) }
        } catch {
            channels[number] = nil
            throw error
        }
        return channel
    }

    /// Closes a channel; its unacknowledged deliveries return to the queues. Does nothing if the channel is closed.
    public func closeChannel(_ channel: ChannelNumber) throws(AMQPError) {
        guard channels[channel.rawValue] != nil else { return }
        let state = try connected()
        let reply = amqp_channel_close(state, channel.rawValue, AMQP_REPLY_SUCCESS)
        guard reply.reply_type == AMQP_RESPONSE_NORMAL else {
            let error = failure(reply, on: channel)
            if error.isConnectionFatal { throw error }
            return
        }
        try forget(channel)
    }

    // MARK: Inside

    /// Checks that the thread's stack is large enough. The library decodes headers by recursion: five bytes of a
    /// frame nest one more array, and each level takes some 115 bytes of stack. On a small stack one frame of a
    /// malicious publisher would crash the process.
    private static func requireStack(forFramesOf frameBytes: Int) throws(AMQPError) {
        let needed = frameBytes / 5 * 160 + 1 << 18
        let bytes = rmq_stack_bytes_left()
        guard bytes >= needed else {
            throw AMQPError(
                .invalidArgument,
                "the thread's stack has \(bytes) bytes left, and frames of \(frameBytes) need \(needed)")
        }
    }

    func connected() throws(AMQPError) -> amqp_connection_state_t {
        guard let state else { throw AMQPError(.connectionLost, "the connection is closed") }
        return state
    }

    /// Closes the socket without the AMQP handshake and without reading what the peer sent, for a peer that reads
    /// nothing. Frees everything that the library holds for this connection.
    public func abandon() {
        guard let state else { return }
        self.state = nil
        amqp_destroy_connection(state)
        channels.removeAll()
    }

    /// The handle, if the channel is open. Writing on a closed channel would make the broker close the connection
    /// (504).
    func handle(for channel: ChannelNumber) throws(AMQPError) -> amqp_connection_state_t {
        let state = try connected()
        guard channels[channel.rawValue] != nil else { throw AMQPError(.channelClosed, "the channel is not open") }
        return state
    }

    /// Makes one call to the broker and returns its answer. The answer's pointers are valid until the next call on
    /// this connection.
    func call<Reply>(
        on channel: ChannelNumber, _ ask: (amqp_connection_state_t) -> UnsafeMutablePointer<Reply>?
    ) throws(AMQPError) -> Reply {
        let state = try handle(for: channel)
        defer { arena.recycle() }
        amqp_maybe_release_buffers(state)
        guard let reply = ask(state) else { throw failure(amqp_get_rpc_reply(state), on: channel) }
        return reply.pointee
    }

    /// The error of a refused or failed call; it also updates the state of the connection or channel.
    func failure(_ reply: amqp_rpc_reply_t, on channel: ChannelNumber) -> AMQPError {
        if reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION {
            if reply.reply.id == rmq_channel_close { return closedByBroker(channel, reply.reply) }
            if reply.reply.id == rmq_connection_close { return closedByBroker(reply.reply) }
        }
        return lost(reply.library_error)
    }

    /// The error of a library status after which the connection is unusable; closes the connection.
    func lost(_ status: Int32, file: String = #fileID, line: Int = #line) -> AMQPError {
        abandon()
        return AMQPError(status: status, else: .connectionLost, file: file, line: line)
    }

    func closedByBroker(_ method: amqp_method_t) -> AMQPError {
        let error = AMQPError(connectionClosed: method)
        if let state {
            var nothing = amqp_connection_close_ok_t()
            if wait(forRoomWithin: 0) { amqp_send_method(state, 0, rmq_connection_close_ok, &nothing) }
        }
        abandon()
        return error
    }

    func closedByBroker(_ channel: ChannelNumber, _ method: amqp_method_t) -> AMQPError {
        var error = AMQPError(.channelClosed, "the broker closed the channel")
        if let close = method.decoded?.assumingMemoryBound(to: amqp_channel_close_t.self).pointee {
            error = AMQPError(.channelClosed, String(repairing: close.reply_text), replyCode: close.reply_code)
        }
        guard let state else { return error }
        var nothing = amqp_channel_close_ok_t()
        let status = amqp_send_method(state, channel.rawValue, rmq_channel_close_ok, &nothing)
        guard status == AMQP_STATUS_OK.rawValue else { return lost(status) }
        channels[channel.rawValue]?.publisher?.channelClosed(error)
        do throws(AMQPError) { try forget(channel) } catch { return error }
        return error
    }

    /// Removes a closed channel. Reads first what the library still holds, including confirms of this channel; its
    /// pending deliveries are dropped, because their tags ended with the channel.
    private func forget(_ channel: ChannelNumber) throws(AMQPError) {
        while let state, amqp_frames_enqueued(state) != 0 { _ = try serve(within: 0) }
        channels[channel.rawValue] = nil
        pending.removeAll { if case .delivery(let delivery) = $0 { delivery.channel == channel } else { false } }
    }
}
