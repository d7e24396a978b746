/// Whose chain it is.
public struct LedgerSubject: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Codable, Sendable {
        case report, unit, office
        /// Entries stand under it, but nothing of the books owns them.
        case nobody
    }

    public let kind: Kind
    public let id: String

    public init(kind: Kind, id: String) {
        self.kind = kind
        self.id = id
    }

    /// There is one office, in every database.
    public static let officeID = "office"

    public var description: String { "\(kind.rawValue) \(id)" }
}
