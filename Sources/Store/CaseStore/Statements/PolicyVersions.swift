public import Basics
import Casework
public import PostgreSQL

/// Stores a version of a policy unless it exists; run by the owner role.
public struct EnterPolicyVersion: Command {
    public var name: String
    public var version: Int
    public var yaml: String
    public var loadedAt: Instant
    public init(name: String, version: Int, yaml: String, loadedAt: Instant) {
        self.name = name
        self.version = version
        self.yaml = yaml
        self.loadedAt = loadedAt
    }
    public static let sql = """
        INSERT INTO policy_version (name, version, digest, yaml, loaded_at)
        VALUES ($1, $2, sha256(convert_to($3, 'UTF8')), $3, $4) ON CONFLICT DO NOTHING
        """
    public var parameters: [Parameter] {
        [.text(name), .int4(Int32(clamping: version)), .text(yaml), .instant(loadedAt)]
    }
}

/// Whether the stored version with this name and number has this text.
public struct ComparePolicyVersion: Statement {
    public var name: String
    public var version: Int
    public var yaml: String
    public init(name: String, version: Int, yaml: String) {
        self.name = name
        self.version = version
        self.yaml = yaml
    }
    public static let sql = """
        SELECT digest = sha256(convert_to($3, 'UTF8')) FROM policy_version WHERE name = $1 AND version = $2
        """
    public var parameters: [Parameter] { [.text(name), .int4(Int32(clamping: version)), .text(yaml)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Bool { try row.bool() }
}

/// Stored versions by name, such as `cn-discipline@1`.
public struct ReadPolicyTexts: Statement {
    public var names: [String]
    public init(names: [String]) { self.names = names }
    public static let sql =
        "SELECT name || '@' || version, yaml FROM policy_version WHERE name || '@' || version = ANY ($1)"
    public var parameters: [Parameter] { [.texts(names)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (name: String, yaml: String) {
        (try row.text(), try row.text())
    }
}

/// Activates a version from now on; run by the owner role.
public struct ActivatePolicyVersion: Command {
    public var name: String
    public var version: Int
    public var at: Instant
    public var by: String
    public init(name: String, version: Int, at: Instant, by: String) {
        self.name = name
        self.version = version
        self.at = at
        self.by = by
    }
    public static let sql =
        "INSERT INTO policy_activation (name, version, activated_at, activated_by) VALUES ($1, $2, $3, $4)"
    public var parameters: [Parameter] { [.text(name), .int4(Int32(clamping: version)), .instant(at), .text(by)] }
}

/// The active policy as it was stored.
public struct ActivePolicyRow: Sendable {
    /// The number of the activation: another number, another policy.
    public let number: Int64
    public let name: String
    public let version: Int
    public let yaml: String
    public let activatedAt: Instant
    public let activatedBy: String

    /// `cn-discipline@2`
    public var versionName: String { "\(name)@\(version)" }
}

/// The active policy. No row if none is active, or if `known` is still active.
public struct ReadActivePolicy: Statement {
    public var known: Int64?
    public init(unless known: Int64? = nil) { self.known = known }
    public static let sql = """
        SELECT a.number, p.name, p.version, p.yaml, a.activated_at, a.activated_by
        FROM (SELECT * FROM policy_activation ORDER BY number DESC LIMIT 1) AS a
        JOIN policy_version p ON p.name = a.name AND p.version = a.version
        WHERE $1::bigint IS NULL OR a.number <> $1
        """
    public var parameters: [Parameter] { [.int8(known)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ActivePolicyRow {
        ActivePolicyRow(
            number: try row.int8(), name: try row.text(), version: try row.int(), yaml: try row.text(),
            activatedAt: try row.instant(), activatedBy: try row.text())
    }
}
