/// The name of a type of message: a literal string with a version, which never changes its meaning. Each stands in a
/// file of its own, with all that the contract says of it.
public struct MessageType: RawRepresentable, Hashable, Sendable, Codable, CaseIterable {
    public let rawValue: String

    /// `nil`: no message of this contract.
    public init?(rawValue: String) {
        guard let known = MessageDefinition.byName[rawValue] else { return nil }
        self = known.type
    }

    init(_ name: String) { rawValue = name }

    public static var allCases: [MessageType] { MessageDefinition.all.map(\.type) }

    /// What the contract says of it.
    public var definition: MessageDefinition {
        guard let definition = MessageDefinition.byName[rawValue] else {
            preconditionFailure("\(rawValue) is missing in MessageDefinition.all")
        }
        return definition
    }

    /// The type without `bihuan.` and version, as routing keys use it: `handoff.signed`.
    public var short: String {
        String(rawValue.dropFirst("bihuan.".count).dropLast(".v1".count))
    }

    /// What was written as the type of a message, where it looks like one, known or not. What does not is repeated
    /// nowhere: it may be of any length, and a column that slipped may have put a name there.
    public static func repeatable(_ text: String?) -> String? {
        guard let text, (1...100).contains(text.utf8.count),
            text.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2E
                    || $0 == 0x5F || $0 == 0x2D
            })
        else { return nil }
        return text
    }

    /// The routing keys under which `sender` may publish this type to the office: `unit.u7.handoff.signed`; of a
    /// command `person.li.feedback.recall`, one for each worker that hears it.
    public func routingKeys(from sender: Party) -> [String] {
        guard definition.sender == .person else { return ["\(sender).\(short)"] }
        return definition.readers.map { "\(sender).\($0.rawValue).\(short.dropFirst("command.".count))" }
    }

    /// The routing key where there is one only; of a command that several workers hear, the key for `owner`.
    public func routingKey(from sender: Party, owner: Worker? = nil) -> String {
        let keys = routingKeys(from: sender)
        guard let owner, let index = definition.readers.firstIndex(of: owner) else { return keys[0] }
        return keys[index]
    }
}
