/// Distinct types, so that two of four adjacent strings cannot be swapped.
public struct ExchangeName: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    /// The exchange every queue is bound to under its own name.
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

public enum ExchangeKind: String, Sendable {
    case direct, topic, fanout, headers
}

public struct QueueStatus: Equatable, Sendable {
    /// Messages ready for delivery; those delivered and not yet acknowledged are not among them.
    public var messageCount: Int
    public var consumerCount: Int
}
