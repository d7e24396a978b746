public import Basics
import Casework

/// A sender or receiver of messages. It has one name everywhere: broker user = CloudEvents `source` = `unit.u7`,
/// `source.web`, `person.li`, `office.intake`.
public enum Party: Hashable, Sendable, Codable, CustomStringConvertible {
    case unit(UnitID)
    case source(SourceID)
    case person(PersonID)
    case office(Worker)

    public init?(_ text: some StringProtocol) {
        guard let dot = text.firstIndex(of: ".") else { return nil }
        let rest = text[text.index(after: dot)...]
        switch text[..<dot] {
        case "unit":
            guard let id = UnitID(rest) else { return nil }
            self = .unit(id)
        case "source":
            guard let id = SourceID(rest) else { return nil }
            self = .source(id)
        case "person":
            guard let id = PersonID(rest) else { return nil }
            self = .person(id)
        case "office":
            guard let worker = Worker(rawValue: String(rest)) else { return nil }
            self = .office(worker)
        default:
            return nil
        }
    }

    static let shape = "not a name such as unit.u7, source.web, person.li or office.intake"

    public var description: String {
        switch self {
        case .unit(let id): "unit.\(id.rawValue)"
        case .source(let id): "source.\(id.rawValue)"
        case .person(let id): "person.\(id.rawValue)"
        case .office(let worker): "office.\(worker.rawValue)"
        }
    }

    public var isOffice: Bool {
        if case .office = self { true } else { false }
    }

    /// The owner in a routing key: its first two words.
    public init?(ownerOf routingKey: some StringProtocol) {
        let words = routingKey.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2 else { return nil }
        self.init("\(words[0]).\(words[1])")
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let party = Party(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Party.shape)
        }
        self = party
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The four workers of the office.
public enum Worker: String, CaseIterable, Hashable, Sendable, Codable {
    case intake, routing, deadlines, feedback
}
