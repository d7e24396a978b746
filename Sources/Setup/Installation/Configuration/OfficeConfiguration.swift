package import AMQP
package import Basics
import BrokerTopology
package import CaseStore
import Casework
package import Contract
package import Foundation
package import Logging
package import PostgreSQL
package import Terminal
import Text

/// The configuration of an installation: bihuan.yaml, overridden by the environment, overridden by `--set`.
///
/// docs/configuration.md describes the same; `ConfigurationKey` holds names, defaults and meanings.
package struct OfficeConfiguration: Sendable {
    package struct Database: Sendable {
        /// The URL; if it names a user, everybody but the owner logs in as that one.
        package var url: String
        /// The URL of the owner role, if it is another.
        var ownerURL: String?
        /// The passwords of roles.
        package var passwords: [DatabaseRole: String] = [:]

        package init(url: String, ownerURL: String? = nil, passwords: [DatabaseRole: String] = [:]) {
            self.url = url
            self.ownerURL = ownerURL
            self.passwords = passwords
        }

        /// The URL with which a role logs in; without a password, libpq looks for one, or shows a certificate.
        package func url(of role: DatabaseRole) -> String {
            let url = url.replacing("{role}", with: role.name)
            return DatabaseURL(url).hasUser ? url : DatabaseURL(url).with(user: role.name, password: passwords[role])
        }

        /// Whether each role shows a certificate of its own, and needs no password.
        package var hasCertificates: Bool { url.contains("{role}") && !DatabaseURL(url).hasUser }
    }

    package struct Lane: Sendable {
        package var batchSizeMax = 200
        package var lanes = 2
        package var earlyMessageHoldSeconds = 60.0

        package init(batchSizeMax: Int = 200, lanes: Int = 2, earlyMessageHoldSeconds: Double = 60.0) {
            self.batchSizeMax = batchSizeMax
            self.lanes = lanes
            self.earlyMessageHoldSeconds = earlyMessageHoldSeconds
        }
    }

    package var officeName: String
    /// The broker's address and connection settings; each party's user and password are filled in. TLS files are
    /// absolute paths.
    package var broker: AMQP.ConnectionSettings
    /// The most unread bytes in the queue of what one unit or source sends.
    package var inboundBytesMax: Int
    package var database: Database
    /// The passwords of broker users by `userKey`.
    package var users: [String: String]
    /// The public half of the vault's key.
    package var vaultKey: SealingKey
    /// The folder with the keys of boxes.
    package var keysDirectory: URL
    package var digestKeyFile: URL
    package var sealedMailKey: SealingKey
    package var checkpointKeyFile: URL
    package var clock: BusinessClock
    package var lane: Lane
    package var logLevel: Logger.Level
    package var logFormat = LineLog.Format.text
    package var monitor = Monitor()
    /// The folder with the credentials of this service, if a service manager gave it any.
    package var credentials: URL?

    /// Where a worker answers monitors, and how the office is sampled.
    package struct Monitor: Sendable, Equatable {
        package var host = "127.0.0.1"
        /// 0 for any free port; `nil` for the worker's own.
        package var port: Int?
        package var managementURL: String?
        package var sampleSeconds = 10.0

        package init() {}

        package func port(of worker: Worker) -> Int {
            let own =
                switch worker {
                case .intake: 9511
                case .routing: 9521
                case .deadlines: 9531
                case .feedback: 9541
                }
            return port ?? own
        }
    }

    package init(
        officeName: String, broker: AMQP.ConnectionSettings, inboundBytesMax: Int = Topology.inboundBytesMax,
        database: Database, users: [String: String], vaultKey: SealingKey, keysDirectory: URL, digestKeyFile: URL,
        sealedMailKey: SealingKey, checkpointKeyFile: URL, clock: BusinessClock, lane: Lane, logLevel: Logger.Level
    ) {
        self.officeName = officeName
        self.broker = broker
        self.inboundBytesMax = inboundBytesMax
        self.database = database
        self.users = users
        self.vaultKey = vaultKey
        self.keysDirectory = keysDirectory
        self.digestKeyFile = digestKeyFile
        self.sealedMailKey = sealedMailKey
        self.checkpointKeyFile = checkpointKeyFile
        self.clock = clock
        self.lane = lane
        self.logLevel = logLevel
    }

    /// The key of a party in bihuan.yaml: `office-intake` for `office.intake`, since a dot would begin a new level.
    package static func userKey(_ party: Party) -> String { party.description.replacing(".", with: "-") }

    /// The broker user of the operator, with all rights on the virtual host.
    package static let operatorUser = "operator"

    package func brokerSettings(for party: Party) throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: party.description, key: OfficeConfiguration.userKey(party))
    }

    package func operatorBrokerSettings() throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: OfficeConfiguration.operatorUser, key: OfficeConfiguration.operatorUser)
    }

    /// - Parameter role: as whom to log in, if `database.url` names no user.
    package func databaseSettings(
        _ application: String, as role: DatabaseRole = .operator
    ) -> PostgreSQL.ConnectionSettings {
        databaseSettings(application, url: database.url(of: role))
    }

    private func databaseSettings(_ application: String, url: String) -> PostgreSQL.ConnectionSettings {
        var settings = PostgreSQL.ConnectionSettings(url: DatabaseURL(url).mapFiles(given).text)
        settings.applicationName = application
        settings.isGuarded = true
        return settings
    }

    package func ownerDatabaseSettings(_ application: String) throws(UserError) -> PostgreSQL.ConnectionSettings {
        let (name, password) = (DatabaseRole.owner.name, database.passwords[.owner])
        let hasLogin = password != nil || database.hasCertificates
        let own = hasLogin ? DatabaseURL(database.url).with(user: name, password: password) : nil
        guard let url = database.ownerURL ?? own else {
            throw UserError("this needs the owner role: set roles.owner or database.ownerUrl")
        }
        return databaseSettings(application, url: url.replacing("{role}", with: name))
    }

    /// The current business time.
    package var now: Instant { clock.instant(atWall: Instant(Date())) }

    private func brokerSettings(user: String, key: String) throws(UserError) -> AMQP.ConnectionSettings {
        var broker = broker
        broker.shufflesHosts = true
        if case .external = broker.authentication {
            var settings = broker.forUser(user, password: "")
            settings.connectionName = "bihuan \(user)"
            settings.tls = settings.tls?.mapFiles(given)
            if let problem = settings.tls?.keyFile.flatMap({ SecretFile.problem($0) }) { throw UserError(problem) }
            return settings
        }
        guard let password = users[key] else {
            throw UserError(
                "there is no password for \(user): add users.\(key) to bihuan.yaml or secrets.directory"
                    + Suggestion.phrase(for: key, among: users.keys))
        }
        var settings = broker.forUser(user, password: password)
        settings.connectionName = "bihuan \(user)"
        settings.tls = settings.tls?.mapFiles(given)
        return settings
    }

    /// A file of TLS: the credential of that name, if the service manager gave one, else the file itself.
    private func given(_ path: String) -> String {
        guard let file = credentials?.appending(path: URL(filePath: path).lastPathComponent).path,
            FileManager.default.fileExists(atPath: file)
        else { return path }
        return file
    }

    /// Whether the users of the broker show certificates of their own, and need no passwords.
    package var brokerTakesCertificates: Bool {
        if case .external = broker.authentication { true } else { false }
    }
}
