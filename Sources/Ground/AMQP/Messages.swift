public enum DeliveryMode: Sendable {
    case transient, persistent
}

/// The properties of a message. Texts have at most 255 bytes of UTF-8; received bytes that are not UTF-8 are repaired
/// with U+FFFD.
public struct Properties: Equatable, Sendable {
    public var contentType: String?
    public var contentEncoding: String?
    public var messageID: String?
    public var type: String?
    public var correlationID: String?
    /// If set, the broker refuses the message unless it is the connection's own user (channel closed with 406).
    public var userID: String?
    public var replyTo: String?
    public var appID: String?
    /// Seconds since 1970.
    public var timestamp: UInt64?
    /// 0 to 255; only queues made with `x-max-priority` heed it.
    public var priority: UInt8?
    /// After how many milliseconds, as decimal digits, a queue drops the message.
    public var expiration: String?
    /// Of no meaning to the broker.
    public var clusterID: String?
    public var deliveryMode: DeliveryMode
    public var headers: FieldTable

    public init(
        contentType: String? = nil, contentEncoding: String? = nil, messageID: String? = nil, type: String? = nil,
        correlationID: String? = nil, userID: String? = nil, replyTo: String? = nil, appID: String? = nil,
        timestamp: UInt64? = nil, priority: UInt8? = nil, expiration: String? = nil, clusterID: String? = nil,
        deliveryMode: DeliveryMode = .persistent, headers: FieldTable = [:]
    ) {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.messageID = messageID
        self.type = type
        self.correlationID = correlationID
        self.userID = userID
        self.replyTo = replyTo
        self.appID = appID
        self.timestamp = timestamp
        self.priority = priority
        self.expiration = expiration
        self.clusterID = clusterID
        self.deliveryMode = deliveryMode
        self.headers = headers
    }
}

/// Digests a body while it arrives.
public protocol BodyDigest {
    mutating func add(_ bytes: UnsafeRawBufferPointer)
    /// The digest of all that was added.
    mutating func end() -> [UInt8]
}

/// Bodies longer than this are not kept: they are digested as they arrive, so that no publisher can fill the memory of
/// who reads.
public struct BodyLimit: Sendable {
    public var bytesMax: Int
    /// Of headers that take more memory than about this, only the broker's own count of deliveries is kept.
    public var headersBytesMax: Int
    public var makeDigest: @Sendable () -> any BodyDigest

    public init(bytesMax: Int, headersBytesMax: Int = .max, makeDigest: @escaping @Sendable () -> any BodyDigest) {
        self.bytesMax = bytesMax
        self.headersBytesMax = headersBytesMax
        self.makeDigest = makeDigest
    }
}

/// What is known of a body that was not kept.
public struct OmittedBody: Sendable {
    public var bytes: Int
    public var digest: [UInt8]
}

/// A message the broker handed over, to be acknowledged by its tag on its channel.
public struct Delivery: Sendable {
    public var channel: ChannelNumber
    public var deliveryTag: UInt64
    /// Empty for a message fetched by `get`.
    public var consumerTag: String
    public var redelivered: Bool
    public var exchange: String
    public var routingKey: String
    public var properties: Properties
    /// Empty where it is longer than its consumer's `BodyLimit`.
    public var body: [UInt8]
    public var omitted: OmittedBody?

    static let countHeader = "x-delivery-count"

    /// How often a quorum queue delivered the message before; 0 when the queue does not count. On a first delivery the
    /// header would be the publisher's own word, and is not believed.
    public var deliveryCount: Int {
        guard redelivered else { return 0 }
        return Int(clamping: properties.headers[Self.countHeader]?.intValue ?? 0)
    }
}

/// A mandatory message that no queue took. Its confirm follows.
public struct Returned: Sendable {
    public var channel: ChannelNumber
    public var replyCode: UInt16
    public var replyText: String
    public var exchange: String
    public var routingKey: String
    public var properties: Properties
    public var body: [UInt8]
}

/// What the broker sends unasked. The loss of the connection is no event: it is thrown.
public enum Event: Sendable {
    case delivery(Delivery)
    case acknowledged(ChannelNumber, deliveryTag: UInt64, multiple: Bool)
    /// `basic.nack` from the broker: it did not take the message.
    case rejected(ChannelNumber, deliveryTag: UInt64, multiple: Bool)
    case returned(Returned)
    /// The broker ended the consumer, as when its queue was deleted.
    case consumerCancelled(ChannelNumber, consumerTag: String)
    /// The broker takes no more messages from this connection until `unblocked`.
    case blocked(reason: String)
    case unblocked
    case channelClosed(ChannelNumber, AMQPError)
}
