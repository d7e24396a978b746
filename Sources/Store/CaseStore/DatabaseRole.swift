public import Contract

/// A role of the database. Each worker logs in as its own, and commands as `operator`, which reads. The migration
/// makes the roles and grants their rights.
public enum DatabaseRole: String, CaseIterable, Sendable {
    case intake, routing, deadlines, feedback
    /// Reads what status, topology and lists show, and changes nothing.
    case `operator`
    /// Owns the tables; makes and activates what is entered for the office as a whole.
    case owner

    public init(_ worker: Worker) {
        self =
            switch worker {
            case .intake: .intake
            case .routing: .routing
            case .deadlines: .deadlines
            case .feedback: .feedback
            }
    }

    /// The role to which the others belong: it has the rights that all of them share.
    public static let group = "bihuan_worker"

    /// The role's name in PostgreSQL.
    public var name: String { "bihuan_" + rawValue }
}
