public import PostgreSQL

/// The secrets of the database: the vault's key, the key of digests, and one for each kind of box.
public enum SecretName: Hashable, CaseIterable, Sendable {
    case vault, digest
    case box(BoxKind)

    public static var allCases: [SecretName] { [.vault, .digest] + BoxKind.allCases.map { .box($0) } }

    var name: String {
        switch self {
        case .vault: "vault"
        case .digest: "digest"
        case .box(let kind): kind.rawValue
        }
    }
}

/// Stores the value that identifies a secret, at its first use.
public struct EnterSecretCheck: Command {
    public var name: SecretName
    public var value: [UInt8]
    public init(_ name: SecretName, value: [UInt8]) {
        self.name = name
        self.value = value
    }
    public static let sql = "INSERT INTO secret_check (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
    public var parameters: [Parameter] { [.text(name.name), .bytea(value)] }
}

public struct ReadSecretCheck: Statement {
    public var name: SecretName
    public init(_ name: SecretName) { self.name = name }
    public static let sql = "SELECT value FROM secret_check WHERE name = $1"
    public var parameters: [Parameter] { [.text(name.name)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> [UInt8] { try row.bytea() }
}
