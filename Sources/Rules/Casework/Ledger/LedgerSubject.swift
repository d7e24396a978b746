public import Basics

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

    public static let office = LedgerSubject(kind: .office, id: officeID)
    public static func report(_ id: ReportID) -> LedgerSubject { LedgerSubject(kind: .report, id: id.description) }
    public static func unit(_ id: UnitID) -> LedgerSubject { LedgerSubject(kind: .unit, id: id.rawValue) }

    public var reportID: ReportID? { kind == .report ? ReportID(id) : nil }
    public var unitID: UnitID? { kind == .unit ? UnitID(id) : nil }

    public var description: String { "\(kind.rawValue) \(id)" }
}
