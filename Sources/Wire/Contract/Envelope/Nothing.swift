/// Data that says nothing: the bare receipt `report.received`, the command `command.replay`.
public struct Nothing: Codable, Hashable, Sendable {
    private enum NoKeys: CodingKey {}
    public init() {}

    /// Fields that nobody knows are tolerated; what is no object is not.
    public init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: NoKeys.self) }
    public func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKeys.self) }
}
