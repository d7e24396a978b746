import AMQP
import AuditStore
import Basics
import BrokerTopology
import CaseStore
package import Contract
package import Foundation
import PostgreSQL
import Synchronization
import Terminal
import Workers

/// The installation that is examined, and the ways into it. What several checks need is asked once.
package final class Patient: Sendable {
    let file: URL
    /// What the configuration says; the error if there is no such file or it cannot be read.
    let source: Result<ConfigurationSource, UserError>
    /// The workers for which this machine must be fit.
    let workers: [Worker]
    private let examined: OfficeConfiguration.Examined?
    private let options: BrokerOptions
    private let directory: URL

    private let session = SharedSession()
    private let control = Once<any BrokerAccess>()
    private let askedHealth = Once<BrokerHealth>()
    private let askedDefinitions = Once<DefinitionsFile>()
    private let askedParties = Once<OfficeParties>()
    private let askedPolicy = Once<ActivePolicy>()
    private let askedDepths = Once<Depths>()

    /// - Parameter directory: the folder of the installation's files.
    package static func read(
        _ options: InstallationOptions, workers: [Worker], broker: BrokerOptions, directory: URL
    ) async throws -> Patient {
        let source: Result<ConfigurationSource, UserError>
        do {
            source = .success(try await options.source())
        } catch {
            source = .failure(UserError(error))
        }
        return Patient(try options.file(), source, workers, broker, directory)
    }

    private init(
        _ file: URL, _ source: Result<ConfigurationSource, UserError>, _ workers: [Worker], _ options: BrokerOptions,
        _ directory: URL
    ) {
        self.file = file
        self.source = source
        self.workers = workers
        self.options = options
        self.directory = directory
        examined = (try? source.get()).map { OfficeConfiguration.examine($0) }
    }

    // MARK: Files

    /// The faults of keys and values, and those of files with secrets.
    var faults: (values: [String], files: [String]) { (examined?.problems ?? [], examined?.problemsOfFiles ?? []) }

    /// - Throws: if the configuration cannot be read, so that nobody can be asked.
    func configuration() throws(UserError) -> OfficeConfiguration {
        guard let configuration = examined?.configuration else {
            throw UserError("the configuration is not right: see configuration.values")
        }
        return configuration
    }

    // MARK: The database

    /// Whether everybody but the owner logs in as the one user that `database.url` names.
    func hasOneUser() throws(UserError) -> Bool { DatabaseURL(try configuration().database.url).hasUser }

    /// The roles that log in: the office's own, or the one that `database.url` names.
    func loginRoles() throws -> [String] {
        try hasOneUser() ? try ask(ReadOwnName()) : DatabaseRole.allCases.map(\.name)
    }

    /// The roles that log in, and the one to which they belong.
    func roles() throws -> [String] { try loginRoles() + [DatabaseRole.group] }

    func ask<S: Statement>(_ statement: S) throws -> [S.Row] where S.Row: Sendable {
        try database { try $0.run(statement).rows }
    }

    /// The only row of a statement.
    func askOne<S: Statement>(_ statement: S) throws -> S.Row where S.Row: Sendable {
        guard let row = try ask(statement).first else { throw UserError("the database answered with no row") }
        return row
    }

    /// Works on the connection that all checks share, as the role of commands.
    func database<T>(_ work: (PostgreSQL.Connection) throws -> T) throws -> T {
        try session.use(try configuration().databaseSettings("bihuan doctor"), work)
    }

    /// What the guard of a session says against this one; `nil` if it accepts it.
    func refusalOfSession() throws -> String? {
        try session.use(try configuration().databaseSettings("bihuan doctor")) { _ in }
        return session.refusal
    }

    func parties() throws -> OfficeParties {
        try askedParties.value { try self.database { try OfficeParties(in: $0) } }
    }

    func policy() throws -> ActivePolicy {
        try askedPolicy.value { try self.database { try ActivePolicy.active($0) } }
    }

    // MARK: The broker

    /// The broker's control.
    /// - Throws: `NotTold` if no way leads to it.
    func access() throws -> any BrokerAccess {
        let configuration = try configuration()
        return try control.value {
            do {
                return try self.options.access(configuration, directory: self.directory)
            } catch {
                // A way that was named and does not answer is no other way in.
                guard self.options.isDefault else { throw error }
                // The interface that the workers ask for rates serves as well.
                if let access = ManagementAccess(ofMonitorIn: configuration),
                    (try? access.ports()) != nil
                {
                    return access
                }
                let reason = UserError(error).description.split(whereSeparator: \.isNewline).first.map(String.init)
                throw NotTold(
                    text: "the broker's control cannot be reached" + (reason.map { " (\($0))" } ?? ""),
                    advice: "give --management URL, or --node NAME on the broker's machine, as for `bihuan topology`")
            }
        }
    }

    func health() throws -> BrokerHealth { try askedHealth.value { try self.access().health() } }

    func definitions() throws -> DefinitionsFile { try askedDefinitions.value { try self.access().definitions() } }

    /// What the broker must contain, by the parties of the database.
    func topology() throws -> OfficeTopology {
        OfficeTopology(try configuration(), try parties())
    }

    /// The settings of each user of the broker whose password is here: the operator, who may read queues, then the
    /// workers.
    func brokerUsers() throws -> [AMQP.ConnectionSettings] {
        let configuration = try configuration()
        let all =
            [try? configuration.operatorBrokerSettings()]
            + Worker.allCases.map { try? configuration.brokerSettings(for: .office($0)) }
        return all.compactMap(\.self).map { settings in
            var settings = settings
            settings.connectionName = "bihuan doctor"
            settings.rpcTimeoutSeconds = 5
            return settings
        }
    }

    /// The queues that the office reads, as the broker tells a user of AMQP.
    struct Depths: Sendable {
        var states: [(queue: String, state: QueueSurvey.State)]
        /// Queues that look empty and may be down.
        var unchecked: [String]
    }

    func depths() throws -> Depths {
        let (parties, users) = (try parties(), try brokerUsers())
        guard let user = users.first else { throw NotTold.passwords }
        return try askedDepths.value {
            let survey = try QueueSurvey(user)
            defer { survey.close() }
            let queues = Topology.Queue.office + parties.users.compactMap(Topology.Queue.inbound(from:))
            let states = try queues.map { ($0, try survey.state(of: $0)) }
            return Depths(states: states, unchecked: survey.unchecked)
        }
    }
}

extension NotTold {
    static let passwords = NotTold(
        text: "no password and no certificate of a broker user is here",
        advice: "run it where the secrets are, as their owner")
}

extension ManagementAccess {
    /// The interface that `monitor.managementUrl` names, asked as the operator.
    fileprivate init?(ofMonitorIn configuration: OfficeConfiguration) {
        guard let text = configuration.monitor.managementURL, let url = URL(string: text),
            let password = configuration.users[OfficeConfiguration.operatorUser]
        else { return nil }
        self.init(url, user: OfficeConfiguration.operatorUser, password: password, broker: configuration.broker)
    }
}

/// A value that is asked for once, also if asking fails.
private final class Once<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    /// Whoever comes while it is being asked waits for that answer.
    func value(_ ask: () throws -> Value) throws -> Value {
        try result.withLock { result in
            let asked = result ?? Result { try ask() }
            result = asked
            return asked
        }.get()
    }
}

/// A connection to the database for one check at a time.
private final class SharedSession: @unchecked Sendable {
    private let lock = NSLock()
    private var connection: PostgreSQL.Connection?
    private var failure: (any Error)?
    private var refused: String?

    /// Why the guard of a session refused this one, which is then used without the guard.
    var refusal: String? { lock.withLock { refused } }

    func use<T>(
        _ settings: PostgreSQL.ConnectionSettings, _ work: (PostgreSQL.Connection) throws -> T
    ) throws -> T {
        lock.lock()
        defer { lock.unlock() }
        // A server that does not answer is asked once, not by each check.
        if let failure { throw failure }
        do {
            return try work(try open(settings))
        } catch let error as PostgreSQLError where error.isConnectionLost || error.code == .connectFailed {
            failure = error
            throw error
        }
    }

    private func open(_ settings: PostgreSQL.ConnectionSettings) throws -> PostgreSQL.Connection {
        if let connection { return connection }
        let opened: PostgreSQL.Connection
        do throws(PostgreSQLError) {
            opened = try PostgreSQL.Connection(settings)
        } catch {
            guard error.code == .unsuitable else { throw error }
            refused = error.explanation ?? "the session is refused"
            var unguarded = settings
            unguarded.isGuarded = false
            opened = try PostgreSQL.Connection(unguarded)
        }
        connection = opened
        return opened
    }
}
