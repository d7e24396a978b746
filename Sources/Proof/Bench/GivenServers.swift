package import AMQP
import Basics
package import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
package import Foundation
package import Installation
import Logging
import PostgreSQL
import Synchronization
import Terminal
import Workers

/// The bench's own office on existing servers: a virtual host with its users, a database with its roles. It
/// removes what it created, and changes nothing else.
package final class GivenServers: Sendable {
    package struct Addresses: Sendable {
        /// A broker user with the tag `administrator`.
        package let amqp: AMQP.ConnectionSettings
        package let management: URL
        /// The libpq URL of a superuser.
        package let database: String

        /// - Parameter management: the management interface; nil for port 15672 of the broker's host.
        package init(amqp: String, management: String?, database: String) throws {
            guard amqp.lowercased().hasPrefix("amqp://") else {
                throw UserError(
                    "--amqp takes a URL such as amqp://user:password@127.0.0.1:5672: a bench speaks AMQP without TLS")
            }
            self.amqp = try AMQP.ConnectionSettings(url: amqp)
            let host = self.amqp.host.contains(":") ? "[\(self.amqp.host)]" : self.amqp.host
            guard let url = URL(string: management ?? "http://\(host):15672"), url.scheme?.hasPrefix("http") == true
            else {
                throw UserError("--management takes a URL such as http://127.0.0.1:15672")
            }
            self.management = url
            self.database = database
            guard URLComponents(string: database)?.scheme?.hasPrefix("postgres") == true else {
                throw UserError("--database takes a URL such as postgresql://postgres:password@127.0.0.1:5432/postgres")
            }
        }
    }

    /// The name of the virtual host and the database, and the prefix of the roles.
    package let name: String
    package let configuration: OfficeConfiguration
    private let addresses: Addresses
    private let userNames: Set<String>
    /// Whether the broker's users of these names are ours.
    private let isEntered = Atomic<Bool>(false)
    private let sample = SampleOffice.standard

    /// Creates the office, and writes its settings into `directory`, which is created if missing. On an error
    /// everything created is removed again.
    package init(_ addresses: Addresses, in directory: URL) throws {
        self.addresses = addresses
        name = "bihuan_bench_\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let (ownerPassword, workerPassword) = (randomPassword(), randomPassword())
        let keys = KeyFiles(directory: directory)
        let parties =
            Worker.allCases.map { Party.office($0) } + sample.units.map { .unit($0.id) }
            + sample.sources.map { .source($0.id) }
            + sample.persons.map { .person($0.id) }
        var users = Dictionary(
            uniqueKeysWithValues: parties.map { (OfficeConfiguration.userKey($0), randomPassword()) })
        users[OfficeConfiguration.operatorUser] = randomPassword()
        userNames = Set(parties.map(\.description) + [OfficeConfiguration.operatorUser])
        configuration = OfficeConfiguration(
            officeName: "闭环示例办公室",
            broker: .init(
                host: addresses.amqp.host, port: addresses.amqp.port, virtualHost: name, user: "", password: ""),
            database: .init(
                url: try GivenServers.url(
                    addresses.database, database: name, user: "\(name)_worker", password: workerPassword),
                ownerURL: try GivenServers.url(
                    addresses.database, database: name, user: "\(name)_owner", password: ownerPassword)), users: users,
            vaultKey: try keys.vaultKey(), keysDirectory: keys.boxes, digestKeyFile: keys.digest,
            sealedMailKey: SealingKey(Curve25519.KeyAgreement.PrivateKey().publicKey),
            checkpointKeyFile: keys.checkpoint, clock: .real, lane: .init(), logLevel: .info)
        try FileManager.default.createDirectory(at: directory.appending(path: "log"), withIntermediateDirectories: true)
        try keys.makeOfficeKeys()
        let yaml = ShippedPolicy.chineseDiscipline
        try writePrivately(configuration.yaml(folder: directory), to: directory.appending(path: "bihuan.yaml"))
        try refuseIfUsed()
        do {
            try makeDatabase(ownerPassword: ownerPassword, workerPassword: workerPassword)
            try enter(yaml)
            let brokerUsers = parties.map {
                BrokerUser(party: $0, password: users[OfficeConfiguration.userKey($0)] ?? "")
            }
            isEntered.store(true, ordering: .releasing)
            try add(definitions(virtualHost: name, users: brokerUsers))
        } catch {
            remove()
            throw error
        }
    }

    /// The role that owns the database.
    package var owner: String { name + "_owner" }

    package var superuserURL: String {
        get throws { try GivenServers.url(addresses.database, database: name, user: nil, password: nil) }
    }

    /// The URL of the database that the caller named.
    var administrationURL: String { addresses.database }

    package func definitions(virtualHost: String, users: [BrokerUser]) -> Definitions {
        let user = OfficeConfiguration.operatorUser
        return Definitions(
            virtualHost: virtualHost, units: sample.units.map(\.id), sources: sample.sources.map(\.id),
            persons: sample.persons.map(\.id), users: users, administrator: (user, configuration.users[user] ?? ""))
    }

    package func add(_ definitions: Definitions) throws { try management.add(definitions.file()) }

    /// Removes what was created; reports what could not be removed.
    package func remove() {
        func attempt(_ what: String, _ work: () throws -> Void) {
            do { try work() } catch { Output.note("\(what) was not removed: \(UserError(error))") }
        }
        attempt("the virtual host \(name)") {
            let found = try management.definitions()
            let ours = [name, name + "_floor"]
            for host in found.vhosts.map(\.name) where ours.contains(host) {
                _ = try management.send("DELETE", ["vhosts", host])
            }
            // Only the users of this run are removed: each got its password here.
            guard isEntered.load(ordering: .acquiring) else { return }
            for user in found.users.map(\.name) where userNames.contains(user) {
                _ = try management.send("DELETE", ["users", user])
            }
        }
        attempt("the database \(name)") {
            let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: addresses.database))
            defer { connection.close() }
            for database in [name] + ["floor", "empty", "filled"].map({ "\(name)_\($0)" }) {
                try connection.execute("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
            }
            for role in ["\(name)_worker", "\(name)_owner"] { try connection.execute("DROP ROLE IF EXISTS \(role)") }
        }
    }

    // MARK: Steps

    private var management: ManagementAccess {
        ManagementAccess(
            addresses.management, user: addresses.amqp.user, password: addresses.amqp.password, broker: addresses.amqp)
    }

    /// Users belong to the whole broker: the users of an existing office must not get other passwords.
    private func refuseIfUsed() throws {
        let found = Set(try management.definitions().users.map(\.name))
        if let user = userNames.sorted().first(where: found.contains) {
            throw UserError(
                """
                this broker already has a user \(user): an office lives there, or a bench that was killed left \
                its own, and this one needs \
                these names. Take another broker, or delete the users that nobody needs
                """)
        }
    }

    private func makeDatabase(ownerPassword: String, workerPassword: String) throws {
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: addresses.database))
        defer { connection.close() }
        try DatabaseRoles.make(on: connection, passwords: [:])
        let workers = Worker.allCases.map { DatabaseRole($0).name }.joined(separator: ", ")
        try connection.execute(
            """
            CREATE ROLE \(name)_owner LOGIN PASSWORD '\(ownerPassword)';
            CREATE ROLE \(name)_worker LOGIN PASSWORD '\(workerPassword)' IN ROLE \(workers)
            """)
        try connection.execute("CREATE DATABASE \(name) OWNER \(name)_owner")
    }

    private func enter(_ policy: String) throws {
        let connection = try PostgreSQL.Connection(try configuration.ownerDatabaseSettings("bihuan-lab bench"))
        defer { connection.close() }
        try Schema.migrate(connection)
        let now = configuration.now
        var commands: [any Command] = [EnterOffice(name: configuration.officeName, at: now)]
        commands += sample.units.map {
            EnterUnit(
                unit: UnitRow(
                    id: $0.id, name: $0.name, kind: $0.kind, region: $0.region, levels: Set($0.levels),
                    parent: $0.parent, active: true, sealingKey: nil), at: now)
        }
        commands += sample.sources.map {
            EnterSource(source: SourceRow(id: $0.id, name: $0.name, kind: $0.kind, unit: $0.unit))
        }
        commands += sample.persons.map {
            EnterPerson(
                person: PersonRow(
                    id: $0.id, name: $0.name, unit: $0.unit, roles: Set($0.roles), active: true,
                    recusedFrom: Set($0.recusedFrom)))
        }
        try connection.pipeline(commands: commands)
        try ActivePolicy.activate(policy, named: "the shipped policy", by: "bihuan-lab bench", at: now, on: connection)
    }

    /// The URL with another database and, if given, another user.
    private static func url(_ url: String, database: String, user: String?, password: String?) throws -> String {
        guard var parts = URLComponents(string: url) else { throw UserError("the URL of the database cannot be read") }
        parts.path = "/" + database
        if let user { (parts.user, parts.password) = (user, password) }
        return parts.string ?? url
    }
}
