import AMQP
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL

/// What an installation is told from outside: bihuan.yaml, overridden by the environment, overridden by `--set`.
///
/// docs/configuration.md says the same for readers; `ConfigurationKey` holds names, defaults and meanings.
struct OfficeConfiguration: Sendable {
    struct Database: Sendable {
        /// Of the worker role.
        var url: String
        /// Of the owner role, where this machine may act as it.
        var ownerURL: String?
    }

    struct Lane: Sendable {
        var batchSizeMax = 200
        var lanes = 2
        var earlyMessageHoldSeconds = 60.0
    }

    var officeName: String
    /// Where the broker is and how it is reached; user and password are put in for each party. Files of its TLS are absolute paths.
    var broker: AMQP.ConnectionSettings
    var database: Database
    /// Passwords of broker users by `userKey`.
    var users: [String: String]
    var vaultKeyFile: URL
    var digestKeyFile: URL
    var sealedMailKey: SealingKey
    var checkpointKeyFile: URL
    var clock: BusinessClock
    var lane: Lane
    var logLevel: Logger.Level

    /// `office.intake` is `office-intake` in bihuan.yaml, where a dot would make a level of its own.
    static func userKey(_ party: Party) -> String { party.description.replacing(".", with: "-") }

    /// The broker user with all rights on the virtual host, for the operator.
    static let operatorUser = "operator"

    func brokerSettings(for party: Party) throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: party.description, key: OfficeConfiguration.userKey(party))
    }

    func operatorBrokerSettings() throws(UserError) -> AMQP.ConnectionSettings {
        try brokerSettings(user: OfficeConfiguration.operatorUser, key: OfficeConfiguration.operatorUser)
    }

    func workerDatabaseSettings(_ application: String) -> PostgreSQL.ConnectionSettings {
        var settings = PostgreSQL.ConnectionSettings(url: database.url)
        settings.applicationName = application
        settings.isGuarded = true
        return settings
    }

    func ownerDatabaseSettings(_ application: String) throws(UserError) -> PostgreSQL.ConnectionSettings {
        guard let url = database.ownerURL else {
            throw UserError("this needs the owner role: set database.ownerUrl in bihuan.yaml")
        }
        var settings = PostgreSQL.ConnectionSettings(url: url)
        settings.applicationName = application
        settings.isGuarded = true
        return settings
    }

    /// Business time now.
    var now: Instant { clock.instant(atWall: Instant(Date())) }

    private func brokerSettings(user: String, key: String) throws(UserError) -> AMQP.ConnectionSettings {
        guard let password = users[key] else {
            throw UserError("bihuan.yaml has no password for \(user): add users.\(key)" + Suggestion.phrase(for: key, among: users.keys))
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
