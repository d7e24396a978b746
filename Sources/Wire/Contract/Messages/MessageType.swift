/// The name of a message type: a literal string with a version, whose meaning never changes. Each is in its own file,
/// with its definition.
public struct MessageType: RawRepresentable, Hashable, Sendable, Codable, CaseIterable {
    public let rawValue: String

    /// `nil` if this contract has no such type.
    public init?(rawValue: String) {
        guard let known = MessageDefinition.byName[rawValue] else { return nil }
        self = known.type
    }

    init(_ name: String) { rawValue = name }

    public static var allCases: [MessageType] { MessageDefinition.all.map(\.type) }

    /// The contract of this type.
    public var definition: MessageDefinition {
        guard let definition = MessageDefinition.byName[rawValue] else {
            preconditionFailure("\(rawValue) is missing in MessageDefinition.all")
        }
        return definition
    }

    /// The type without `bihuan.` and the version, as in routing keys: `handoff.signed`.
    public var short: String {
        String(rawValue.dropFirst("bihuan.".count).dropLast(".v1".count))
    }

    /// A text that looks like a message type, known or not; `nil` for any other, which must not be repeated: it may
    /// be of any length, and in data with shifted columns it may be a name.
    public static func repeatable(_ text: String?) -> String? {
        guard let text, (1...100).contains(text.utf8.count),
            text.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2E
                    || $0 == 0x5F || $0 == 0x2D
            })
        else { return nil }
        return text
    }

    /// The routing keys under which `sender` may publish this type to the office: `unit.u7.handoff.signed`; for a
    /// command one key for each worker that reads it, such as `person.li.feedback.recall`.
    public func routingKeys(from sender: Party) -> [String] {
        guard definition.sender == .person else { return ["\(sender).\(short)"] }
        return definition.readers.map { "\(sender).\($0.rawValue).\(short.dropFirst("command.".count))" }
    }

    /// The routing key of a type with only one; for a command read by several workers, the key for `owner`.
    public func routingKey(from sender: Party, owner: Worker? = nil) -> String {
        let keys = routingKeys(from: sender)
        guard let owner, let index = definition.readers.firstIndex(of: owner) else { return keys[0] }
        return keys[index]
    }
}
