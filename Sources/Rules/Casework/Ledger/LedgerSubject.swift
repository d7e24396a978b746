/// The owner of a chain.
public struct LedgerSubject: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Codable, Sendable {
        case report, unit, office
        /// Entries with this id exist, but no row of the database owns them.
        case nobody
    }

    public let kind: Kind
    public let id: String

    public init(kind: Kind, id: String) {
        self.kind = kind
        self.id = id
    }

    /// The id of the office; every database has exactly one office.
    public static let officeID = "office"

    public var description: String { "\(kind.rawValue) \(id)" }
}
