/// The name of an exchange. Names have distinct types, so that two of four adjacent strings cannot be swapped.
public struct ExchangeName: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    /// The exchange to which every queue is bound under its own name.
    public static let `default`: ExchangeName = ""
}

public struct QueueName: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }
}

public struct RoutingKey: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }
}

/// A channel of one connection.
public struct ChannelNumber: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public var description: String { String(rawValue) }
}

/// How an exchange chooses queues. Plugins of the broker add more kinds, such as "x-consistent-hash".
public struct ExchangeKind: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    public static let direct: ExchangeKind = "direct"
    public static let topic: ExchangeKind = "topic"
    public static let fanout: ExchangeKind = "fanout"
    public static let headers: ExchangeKind = "headers"
}

public struct QueueStatus: Equatable, Sendable {
    /// The given name, or the one chosen by the broker.
    public var name: QueueName
    /// Messages ready for delivery, without those delivered and not yet acknowledged.
    public var messageCount: Int
    public var consumerCount: Int

    public init(name: QueueName, messageCount: Int, consumerCount: Int) {
        self.name = name
        self.messageCount = messageCount
        self.consumerCount = consumerCount
    }
}
