/// Empty data: the bare receipt `report.received`, the command `command.replay`.
public struct Nothing: Codable, Hashable, Sendable {
    private enum NoKeys: CodingKey {}
    public init() {}

    /// Accepts an object with any fields; refuses anything else.
    public init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: NoKeys.self) }
    public func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKeys.self) }
}
