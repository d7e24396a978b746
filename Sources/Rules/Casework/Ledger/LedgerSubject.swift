public import Basics

/// Whose chain it is, and what is locked for it.
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

    public static let office = LedgerSubject(kind: .office, id: officeID)
    public static func report(_ id: ReportID) -> LedgerSubject { LedgerSubject(kind: .report, id: id.description) }
    public static func unit(_ id: UnitID) -> LedgerSubject { LedgerSubject(kind: .unit, id: id.rawValue) }

    public var description: String { "\(kind.rawValue) \(id)" }
}
