package import AMQP
package import Basics
import Casework
package import Contract
package import Foundation
package import Logging
package import PostgreSQL
import Text

/// What an installation is told from outside: bihuan.yaml, overridden by the environment, overridden by `--set`.
///
/// docs/configuration.md says the same for readers; `ConfigurationKey` holds names, defaults and meanings.
package struct OfficeConfiguration: Sendable {
    package struct Database: Sendable {
        /// Of the worker role.
        package var url: String
        /// Of the owner role, where this machine may act as it.
        var ownerURL: String?

        package init(url: String, ownerURL: String? = nil) {
            self.url = url
            self.ownerURL = ownerURL
        }
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
    /// Where the broker is and how it is reached; user and password are put in for each party. Files of its TLS are
    /// absolute paths.
    package var broker: AMQP.ConnectionSettings
    package var database: Database
    /// Passwords of broker users by `userKey`.
    package var users: [String: String]
    package var vaultKeyFile: URL
    package var digestKeyFile: URL
    package var sealedMailKey: SealingKey
    package var checkpointKeyFile: URL
    package var clock: BusinessClock
    package var lane: Lane
    package var logLevel: Logger.Level

    package init(
        officeName: String, broker: AMQP.ConnectionSettings, database: Database, users: [String: String],
        vaultKeyFile: URL, digestKeyFile: URL, sealedMailKey: SealingKey, checkpointKeyFile: URL, clock: BusinessClock,
        lane: Lane, logLevel: Logger.Level
    ) {
        self.officeName = officeName
        self.broker = broker
        self.database = database
        self.users = users
        self.vaultKeyFile = vaultKeyFile
        self.digestKeyFile = digestKeyFile
        self.sealedMailKey = sealedMailKey
        self.checkpointKeyFile = checkpointKeyFile
        self.clock = clock
        self.lane = lane
        self.logLevel = logLevel
    }

    /// `office.intake` is `office-intake` in bihuan.yaml, where a dot would make a level of its own.
    package static func userKey(_ party: Party) -> String { party.description.replacing(".", with: "-") }

    /// The broker user with all rights on the virtual host, for the operator.
    package static let operatorUser = "operator"

    package func brokerSettings(for party: Party) throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: party.description, key: OfficeConfiguration.userKey(party))
    }

    package func operatorBrokerSettings() throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: OfficeConfiguration.operatorUser, key: OfficeConfiguration.operatorUser)
    }

    package func workerDatabaseSettings(_ application: String) -> PostgreSQL.ConnectionSettings {
        var settings = PostgreSQL.ConnectionSettings(url: database.url)
        settings.applicationName = application
        settings.isGuarded = true
        return settings
    }

    package func ownerDatabaseSettings(_ application: String) throws(UserError) -> PostgreSQL.ConnectionSettings {
        guard let url = database.ownerURL else {
            throw UserError("this needs the owner role: set database.ownerUrl in bihuan.yaml")
        }
        var settings = PostgreSQL.ConnectionSettings(url: url)
        settings.applicationName = application
        settings.isGuarded = true
        return settings
    }

    /// Business time now.
    package var now: Instant { clock.instant(atWall: Instant(Date())) }

    private func brokerSettings(user: String, key: String) throws(UserError) -> AMQP.ConnectionSettings {
        guard let password = users[key] else {
            throw UserError(
                "bihuan.yaml has no password for \(user): add users.\(key)"
                    + Suggestion.phrase(for: key, among: users.keys))
        }
        var settings = broker
        (settings.user, settings.password, settings.connectionName) = (user, password, "bihuan \(user)")
        return settings
    }
}

extension TLSSettings {
    /// The same with other paths.
    func mapFiles(_ path: (String) -> String) -> TLSSettings {
        var settings = self
        settings.authorityFile = authorityFile.map(path)
        settings.certificateFile = certificateFile.map(path)
        settings.keyFile = keyFile.map(path)
        return settings
    }
}
