/// A publisher with confirms and many messages in flight, each tracked by its own tag. The broker confirms messages
/// singly or in groups, out of order, and refuses some, so a count alone could wait for ever.
///
/// It owns one channel of a connection. The broker returns an unroutable mandatory message before its confirm and
/// without its tag, so each mandatory message carries its tag in the header `x-publish-token`. Matching by message id
/// or by order would need unique ids among the messages in flight; a caller that repeats a message cannot promise
/// that.
public final class Publisher {
    public enum Outcome: Equatable, Sendable {
        /// The broker is responsible for the message. A message that is not mandatory is also confirmed when no queue
        /// accepted it.
        case confirmed
        /// The broker did not accept the message; it may be published again.
        case nacked
        case returned(replyCode: UInt16, text: String)
    }

    private static let tokenHeader = "x-publish-token"

    private struct Entry {
        let token: Int64
        let byteCount: Int
        var returned: Outcome?
        var isSettled = false
    }

    public let channel: ChannelNumber
    private let connection: Connection
    private let messagesInFlightMax: Int
    private let bytesInFlightMax: Int

    /// The entries in order of their tags; the first has `firstTag`. A settled entry is removed when all before it
    /// are settled.
    private var entries: ArraySlice<Entry> = []
    private var firstTag: UInt64 = 1
    private var bytesInFlight = 0
    private var settled: [(token: Int64, outcome: Outcome)] = []
    private var failure: AMQPError?

    public private(set) var inFlightCount = 0
    public var isBlocked: Bool { connection.isBlocked }

    /// Opens a channel of its own on `connection`. A single message may exceed `bytesInFlightMax` if nothing else is
    /// in flight.
    public init(
        on connection: Connection, messagesInFlightMax: Int = 512, bytesInFlightMax: Int = 1 << 20
    ) throws(AMQPError) {
        guard messagesInFlightMax > 0, bytesInFlightMax > 0 else {
            throw AMQPError(.invalidArgument, "a window of nothing")
        }
        self.connection = connection
        self.messagesInFlightMax = messagesInFlightMax
        self.bytesInFlightMax = bytesInFlightMax
        channel = try connection.openChannel()
        try connection.enableConfirms(on: channel)
        connection.channels[channel.rawValue]?.publisher = self
    }

    /// Publishes a message; `token` identifies it in the outcomes. While the window is full, the connection blocked
    /// or the socket full, it reads frames until there is room. Returns false, with nothing sent, if `deadline`
    /// seconds passed. Throws the error that ended the channel or connection; `takeUnsettled` then returns what was
    /// in flight.
    public func publish(
        _ body: [UInt8], to exchange: ExchangeName, key: RoutingKey, properties: Properties, mandatory: Bool = false,
        token: Int64, deadline: Double
    ) throws(AMQPError) -> Bool {
        let end = Deadline(in: deadline)
        try connection.serve()
        try throwFailure()
        while !hasRoom(for: body.count) {
            guard try connection.serve(within: end.secondsLeft) else { return false }
            try throwFailure()
        }
        guard connection.wait(forRoomWithin: end.secondsLeft) else { return false }

        var properties = properties
        if mandatory { properties.headers[Self.tokenHeader] = .int(Int64(firstTag) + Int64(entries.count)) }
        try connection.write(body, to: exchange, key: key, properties: properties, mandatory: mandatory, on: channel)
        entries.append(Entry(token: token, byteCount: body.count))
        inFlightCount += 1
        bytesInFlight += body.count
        return true
    }

    /// Reads frames until nothing is in flight or `seconds` passed. Returns and forgets the outcomes so far,
    /// including those that came during `publish`, in no particular order. Throws a failure of the channel or
    /// connection once no outcome is left to return.
    public func settle(within seconds: Double) throws(AMQPError) -> [(token: Int64, outcome: Outcome)] {
        let end = Deadline(in: seconds)
        do throws(AMQPError) {
            while inFlightCount > 0, failure == nil, try connection.serve(within: end.secondsLeft) {}
            try connection.serve()
        } catch {
            failure = failure ?? error
        }
        if settled.isEmpty { try throwFailure() }
        defer { settled.removeAll(keepingCapacity: true) }
        return settled
    }

    /// Returns and forgets the tokens still in flight, as after the loss of the connection. The broker may or may not
    /// have these messages.
    public func takeUnsettled() -> [Int64] {
        let tokens = entries.filter { !$0.isSettled }.map(\.token)
        firstTag += UInt64(entries.count)
        entries.removeAll()
        inFlightCount = 0
        bytesInFlight = 0
        return tokens
    }

    // MARK: Called by the connection

    func take(_ event: Event) {
        switch event {
        case .acknowledged(_, let tag, let multiple): settle(tag, multiple, .confirmed)
        case .rejected(_, let tag, let multiple): settle(tag, multiple, .nacked)
        case .returned(let returned): note(returned)
        default: break
        }
    }

    func channelClosed(_ error: AMQPError) {
        failure = error
    }

    // MARK: Bookkeeping

    private func throwFailure() throws(AMQPError) {
        if let failure { throw failure }
    }

    private func hasRoom(for byteCount: Int) -> Bool {
        if connection.isBlocked { return false }
        if inFlightCount == 0 { return true }
        return inFlightCount < messagesInFlightMax && bytesInFlight + byteCount <= bytesInFlightMax
    }

    private func index(of tag: UInt64) -> Int? {
        guard tag >= firstTag, tag - firstTag < UInt64(entries.count) else { return nil }
        return entries.startIndex + Int(tag - firstTag)
    }

    private func note(_ returned: Returned) {
        guard let tag = returned.properties.headers[Self.tokenHeader]?.intValue, tag > 0,
            let index = index(of: UInt64(tag))
        else { return }
        entries[index].returned = .returned(replyCode: returned.replyCode, text: returned.replyText)
    }

    /// Settles an entry, or with `multiple` all up to the tag; tag 0 with `multiple` means all so far.
    private func settle(_ tag: UInt64, _ multiple: Bool, _ outcome: Outcome) {
        guard multiple else {
            if let index = index(of: tag) { settleEntry(at: index, outcome) }
            return dropSettled()
        }
        guard let last = entries.indices.last, tag == 0 || tag >= firstTag else { return }
        let end = tag == 0 ? last : index(of: tag) ?? last
        for index in entries.startIndex...end { settleEntry(at: index, outcome) }
        dropSettled()
    }

    private func settleEntry(at index: Int, _ outcome: Outcome) {
        guard !entries[index].isSettled else { return }
        entries[index].isSettled = true
        inFlightCount -= 1
        bytesInFlight -= entries[index].byteCount
        settled.append((entries[index].token, entries[index].returned ?? outcome))
    }

    private func dropSettled() {
        let open = entries.firstIndex { !$0.isSettled } ?? entries.endIndex
        firstTag += UInt64(open - entries.startIndex)
        entries = entries[open...]
    }
}
