public import Basics
import CaseStore
public import Casework
public import PostgreSQL
import Synchronization

/// The active policy: of all the policies stored in the database, the one activated last. A file is only the
/// source of a policy: the workers read the database.
public struct ActivePolicy: Sendable {
    /// The number of the activation: see `ActivePolicyRow`.
    let number: Int64
    public let rulebook: Rulebook
    public var policy: Policy { rulebook.policy }

    /// The database has no active policy, or one that this program cannot use.
    public struct Fault: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// The active policy.
    /// - Throws: a `Fault` if no policy is active, or if this version of the program cannot read its text.
    public static func active(_ database: PostgreSQL.Connection) throws -> ActivePolicy {
        guard let active = try read(database, unless: nil) else {
            throw Fault(description: "no policy is active: enter one with `bihuan policy activate FILE`")
        }
        return active
    }

    /// - Returns: `nil` if the activation `known` is still the last one.
    static func read(_ database: PostgreSQL.Connection, unless known: Int64?) throws -> ActivePolicy? {
        guard let row = try database.run(ReadActivePolicy(unless: known)).rows.first else { return nil }
        let name = row.versionName
        do {
            return ActivePolicy(number: row.number, rulebook: try rulebook(of: row.yaml, named: name))
        } catch {
            throw Fault(
                description: "the active policy \(name) cannot be read by this version of the program: \(error)")
        }
    }

    /// Validates a policy text and stores it under its version, in one transaction of the owner role.
    @discardableResult
    public static func enter(
        _ yaml: String, named file: String, at now: Instant, on owner: PostgreSQL.Connection
    ) throws -> Policy {
        let policy = try rulebook(of: yaml, named: file).policy
        try owner.transaction { try enter(policy, yaml, at: now, on: $0) }
        return policy
    }

    private static func enter(
        _ policy: Policy, _ yaml: String, at now: Instant, on connection: PostgreSQL.Connection
    ) throws {
        try connection.run(EnterPolicyVersion(name: policy.name, version: policy.version, yaml: yaml, loadedAt: now))
        let isSame = try connection.run(
            ComparePolicyVersion(name: policy.name, version: policy.version, yaml: yaml)
        ).rows.first
        guard isSame == true else {
            throw Fault(
                description:
                    """
                    version \(policy.version) of \(policy.name) was entered before with another text, and \
                    decisions name it: \
                    give this one a new version
                    """)
        }
    }

    /// Validates a policy text, stores it under its version and activates it, in one transaction of the owner role.
    /// - Parameters:
    ///   - file: the name of the text in problems.
    ///   - actor: who activates it.
    ///   - onlyFirst: do nothing if a policy is already active.
    @discardableResult
    public static func activate(
        _ yaml: String, named file: String, by actor: String, at now: Instant, onlyFirst: Bool = false,
        on owner: PostgreSQL.Connection
    ) throws -> Policy {
        let policy = try rulebook(of: yaml, named: file).policy
        try owner.transaction { connection in
            let active = try connection.run(ReadActivePolicy()).rows.first
            if onlyFirst, active != nil { return }
            if let active, (try? rulebook(of: active.yaml, named: active.name))?.approval(of: .policyActivate) != nil {
                throw Fault(
                    description:
                        """
                        the active policy asks that a second person approves: enter this one with \
                        `bihuan policy enter`, and let a leader adopt it
                        """)
            }
            try enter(policy, yaml, at: now, on: connection)
            try connection.run(ActivatePolicyVersion(name: policy.name, version: policy.version, at: now, by: actor))
        }
        return policy
    }

    /// Stored versions, by name (`cn-discipline@1`), with their rulebooks. One that is not stored, or that this version
    /// of the program cannot read, is missing.
    static func versions(_ names: Set<String>, in database: PostgreSQL.Connection) throws -> [String: Rulebook] {
        guard !names.isEmpty else { return [:] }
        let rows = try database.run(ReadPolicyTexts(names: names.sorted())).rows
        return Dictionary(
            rows.compactMap { row in (try? rulebook(of: row.yaml, named: row.name)).map { (row.name, $0) } }
        ) { first, _ in first }
    }

    /// The last texts and their rulebooks: the lanes of a process use the same texts, so each is parsed once.
    private static let last = Mutex<[(yaml: String, rulebook: Rulebook)]>([])
    private static let lastMax = 4

    private static func rulebook(of yaml: String, named name: String) throws -> Rulebook {
        if let known = last.withLock({ last in last.first { $0.yaml == yaml }?.rulebook }) { return known }
        let rulebook = try Rulebook(try PolicyFile.read(yaml, named: name))
        last.withLock { last in last = [(yaml, rulebook)] + last.prefix(lastMax - 1) }
        return rulebook
    }
}
