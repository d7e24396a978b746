public enum DeliveryMode: Sendable {
    case transient, persistent
}

/// The properties of a message. A text has at most 255 bytes of UTF-8; received bytes that are not UTF-8 are replaced
/// with U+FFFD.
public struct Properties: Equatable, Sendable {
    public var contentType: String?
    public var contentEncoding: String?
    public var messageID: String?
    public var type: String?
    public var correlationID: String?
    /// The broker refuses a message whose user is not the connection's own (channel closed with 406).
    public var userID: String?
    public var replyTo: String?
    public var appID: String?
    /// Seconds since 1970.
    public var timestamp: UInt64?
    /// 0 to 255; only queues made with `x-max-priority` use it.
    public var priority: UInt8?
    /// Milliseconds, as decimal digits, after which a queue drops the message.
    public var expiration: String?
    /// Ignored by the broker.
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

/// The digest of a body, computed while the body arrives.
public protocol BodyDigest {
    mutating func add(_ bytes: UnsafeRawBufferPointer)
    /// The digest of all bytes added.
    mutating func end() -> [UInt8]
}

/// The longest body that is kept. A longer one is digested as it arrives, so that no publisher can fill the
/// consumer's memory.
public struct BodyLimit: Sendable {
    public var bytesMax: Int
    /// About the most memory for headers. Of larger headers only the broker's own delivery count is kept.
    public var headersBytesMax: Int
    public var makeDigest: @Sendable () -> any BodyDigest

    public init(bytesMax: Int, headersBytesMax: Int = .max, makeDigest: @escaping @Sendable () -> any BodyDigest) {
        self.bytesMax = bytesMax
        self.headersBytesMax = headersBytesMax
        self.makeDigest = makeDigest
    }
}

/// Length and digest of a body that was not kept.
public struct OmittedBody: Sendable {
    public var bytes: Int
    public var digest: [UInt8]
}

/// A message from the broker, to be acknowledged by its tag on its channel.
public struct Delivery: Sendable {
    public var channel: ChannelNumber
    public var deliveryTag: UInt64
    /// Empty for a message fetched by `get`.
    public var consumerTag: String
    public var redelivered: Bool
    public var exchange: String
    public var routingKey: String
    public var properties: Properties
    /// Empty if the body is longer than the consumer's `BodyLimit`.
    public var body: [UInt8]
    public var omitted: OmittedBody?

    static let countHeader = "x-delivery-count"

    /// How often a quorum queue delivered the message before; 0 when the queue does not count. On a first delivery
    /// the header can only come from the publisher, so it is ignored.
    public var deliveryCount: Int {
        guard redelivered else { return 0 }
        return Int(clamping: properties.headers[Self.countHeader]?.intValue ?? 0)
    }
}

/// A mandatory message that no queue accepted. Its confirm follows.
public struct Returned: Sendable {
    public var channel: ChannelNumber
    public var replyCode: UInt16
    public var replyText: String
    public var exchange: String
    public var routingKey: String
    public var properties: Properties
    public var body: [UInt8]
}

/// What the broker sends without a request. The loss of the connection is not an event: it is thrown.
public enum Event: Sendable {
    case delivery(Delivery)
    case acknowledged(ChannelNumber, deliveryTag: UInt64, multiple: Bool)
    /// `basic.nack` from the broker: it did not accept the message.
    case rejected(ChannelNumber, deliveryTag: UInt64, multiple: Bool)
    case returned(Returned)
    /// The broker cancelled the consumer, as when its queue was deleted.
    case consumerCancelled(ChannelNumber, consumerTag: String)
    /// The broker has ended a consumer that `stopConsuming` asked it to end: no delivery to it follows.
    case consumerStopped(ChannelNumber, consumerTag: String)
    /// The broker accepts no messages from this connection until `unblocked`.
    case blocked(reason: String)
    case unblocked
    case channelClosed(ChannelNumber, AMQPError)
}
