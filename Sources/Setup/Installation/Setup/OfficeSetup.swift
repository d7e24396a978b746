import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
package import Foundation
import PostgreSQL
import Terminal
import Workers

/// Makes a working office on servers that are there: keys and passwords, database roles, the database with its schema,
/// units, sources and staff, the policy, and the broker's queues and users.
///
/// Every step looks first at what is there, so it may be run again after any interruption. Secrets are written before
/// a server gets them. All faults that can be known beforehand are reported together, before anything is changed.
package struct OfficeSetup: Sendable {
    package struct Options: Sendable {
        package var configurationFile: URL
        package var flags: [String: String] = [:]
        package var officeFile: String
        /// The text of the policy, and its name in faults.
        package var policy: (yaml: String, name: String)
        /// A URL of a superuser of the database server; without it, roles and database must be there.
        package var administratorURL: String?
        package var broker: BrokerOptions
        package var isDryRun = false
        /// Called with each line of what was done or would be done.
        package var report: @Sendable (String) -> Void = { Output.line($0) }

        package init(
            configurationFile: URL, officeFile: String, policy: (yaml: String, name: String), broker: BrokerOptions
        ) {
            self.configurationFile = configurationFile
            self.officeFile = officeFile
            self.policy = policy
            self.broker = broker
        }
    }

    private let options: Options

    package init(_ options: Options) { self.options = options }

    package func run() async throws {
        let prepared = try await prepare()
        let setup = self
        try await onThread { try setup.perform(prepared) }
    }

    // MARK: Looking

    private struct Prepared: Sendable {
        var configuration: OfficeConfiguration
        let secrets: SecretsFolder
        let parties: OfficeParties
        /// Lines for bihuan.yaml that it lacks.
        let additions: [String]
        let newKeys: [NewKey]
    }

    /// A key pair whose public half the configuration lacks.
    private struct NewKey: Sendable {
        let name: String
        let file: URL
        let privateKey: Curve25519.KeyAgreement.PrivateKey
        let isNew: Bool
        var publicKey: String { privateKey.publicKey.rawRepresentation.base64EncodedString() }
    }

    /// Reads everything, and collects the faults.
    private func prepare() async throws -> Prepared {
        var faults: [String] = []
        func noting<T>(_ work: () async throws -> T) async -> T? {
            do { return try await work() } catch {
                faults.append(UserError(error).description)
                return nil
            }
        }
        let folder = options.configurationFile.deletingLastPathComponent()
        let first = try await ConfigurationSource.open(
            file: options.configurationFile, flags: options.flags, environment: setupEnvironment)
        let keysFolder = URL(
            filePath: first.value(ConfigurationKey.keysDirectory.name) ?? ConfigurationKey.keysDirectory.default ?? "",
            relativeTo: folder
        ).absoluteURL
        var newKeys: [NewKey] = []
        for (key, file) in [(ConfigurationKey.vaultPublicKey, "vault.key"), (.sealedMailPublicKey, "sealed-mail.key")]
        where first.value(key.name) == nil {
            let path = keysFolder.appending(path: file)
            if let made = await noting({ try OfficeSetup.keyPair(key.name, path) }) { newKeys.append(made) }
        }
        var flags = options.flags
        for key in newKeys { flags[key.name] = key.publicKey }
        let (all, environment) = (flags, setupEnvironment)
        let source = try await ConfigurationSource.open(
            file: options.configurationFile, flags: all, environment: environment)
        let configuration = await noting { try OfficeConfiguration.read(source) }
        let policy = await noting { try PolicyFile.read(options.policy.yaml, named: options.policy.name) }
        var parties: OfficeParties?
        if let policy { parties = await noting { try OfficeFile.read(options.officeFile, for: policy) } }
        let secrets = SecretsFolder(
            URL(
                filePath: source.value(ConfigurationKey.secretsDirectory.name)
                    ?? ConfigurationKey.secretsDirectory.default ?? "", relativeTo: folder
            ).absoluteURL)
        for place in [folder, secrets.folder, keysFolder] {
            if let fault = OfficeSetup.unwritable(place) { faults.append(fault) }
        }
        if let configuration {
            let setup = self
            if let administratorURL = options.administratorURL {
                await noting { try await onThread { try OfficeSetup.askServer(administratorURL, configuration) } }
            } else if (try? configuration.ownerDatabaseSettings("bihuan setup")) == nil {
                faults.append(
                    """
                    nobody may make roles and a database: give --admin-database-file, or make them by hand and put \
                    the passwords into \(secrets.folder.path)
                    """)
            }
            await noting {
                _ = try await onThread { try setup.brokerAccess(configuration).definitions() }
            }
        }
        guard faults.isEmpty, let configuration, let parties else {
            throw UserError(
                "nothing was changed, since this must be mended first:\n"
                    + faults.map { "- " + $0.replacing("\n", with: "\n  ") }.joined(separator: "\n"))
        }
        return Prepared(
            configuration: configuration, secrets: secrets, parties: parties,
            additions: newKeys.map {
                let parts = $0.name.split(separator: ".")
                return "\(parts[0]): {\(parts[1]): \"\($0.publicKey)\"}"
            }, newKeys: newKeys)
    }

    /// A key of another user must not be taken over: only the file and the secrets count.
    private var setupEnvironment: [String: String] { [:] }

    private static func keyPair(_ name: String, _ file: URL) throws -> NewKey {
        guard FileManager.default.fileExists(atPath: file.path) else {
            return NewKey(name: name, file: file, privateKey: .init(), isNew: true)
        }
        let bytes = try KeyFiles.read(file)
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes) else {
            throw UserError("\(file.path) holds no X25519 key: restore it from a backup")
        }
        return NewKey(name: name, file: file, privateKey: key, isNew: false)
    }

    /// Why files cannot be made in a folder; the nearest folder above counts if it does not exist.
    private static func unwritable(_ folder: URL) -> String? {
        let parents = sequence(first: folder.standardizedFileURL) {
            $0.path == "/" ? nil : $0.deletingLastPathComponent()
        }
        guard let nearest = parents.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
            return nil
        }
        if FileStatus(nearest.path)?.isDirectory != true { return "\(nearest.path) is no folder" }
        return FileManager.default.isWritableFile(atPath: nearest.path)
            ? nil : "this user may not write into \(nearest.path)"
    }

    private static func askServer(_ url: String, _ configuration: OfficeConfiguration) throws {
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: url))
        defer { connection.close() }
        let rights = try connection.run(ReadAdministratorRights()).rows.first
        guard let rights, rights.isSuperuser || rights.makesRolesAndDatabases else {
            throw UserError("the user of --admin-database may not make roles and databases: give a superuser")
        }
        if rights.version < 150_000 {
            throw UserError("the database server is older than PostgreSQL 15 (\(rights.version))")
        }
        guard DatabaseURL(configuration.database.url).databaseName != nil else {
            throw UserError("database.url must end with the name of a database, such as /bihuan")
        }
    }

    private func brokerAccess(_ configuration: OfficeConfiguration) throws -> any BrokerAccess {
        try options.broker.access(configuration, directory: options.configurationFile.deletingLastPathComponent())
    }

    // MARK: Doing

    private func perform(_ prepared: Prepared) throws {
        var prepared = prepared
        let lock = options.isDryRun ? nil : try prepared.secrets.lock()
        defer { withExtendedLifetime(lock) {} }
        try makeKeys(prepared)
        try makePasswords(&prepared)
        let configuration = prepared.configuration
        if let url = options.administratorURL { try makeDatabase(url, configuration) }
        try enter(prepared)
        try applyTopology(prepared)
        if !options.isDryRun { tellWhatIsLeft(prepared) }
    }

    private func say(_ isNew: Bool, _ what: String) {
        options.report(isNew ? (options.isDryRun ? "would make " : "+ ") + what : "= " + what)
    }

    private func makeKeys(_ prepared: Prepared) throws {
        let files = FileManager.default
        let keys = prepared.configuration
        for key in prepared.newKeys {
            say(key.isNew, "key \(key.file.path)")
            if key.isNew, !options.isDryRun {
                try makePrivateDirectory(key.file.deletingLastPathComponent())
                try writePrivately(key.privateKey.rawRepresentation.map(\.self).hexadecimal + "\n", to: key.file)
            }
        }
        let boxes = BoxKind.allCases.map { $0.file(in: keys.keysDirectory) }
        for file in boxes + [keys.digestKeyFile, keys.checkpointKeyFile] {
            let isThere = files.fileExists(atPath: file.path)
            say(!isThere, "key \(file.path)")
            if isThere { _ = try KeyFiles.read(file) } else if !options.isDryRun { try KeyFiles.makeKey(file) }
        }
        if !prepared.additions.isEmpty {
            say(true, "public keys in \(options.configurationFile.path)")
            if !options.isDryRun { try addToConfiguration(prepared.additions) }
        }
    }

    /// Adds lines at the end of bihuan.yaml; owner and mode stay.
    private func addToConfiguration(_ lines: [String]) throws {
        let file = options.configurationFile
        let text = try String(contentsOf: file, encoding: .utf8)
        let end = text.hasSuffix("\n") || text.isEmpty ? "" : "\n"
        let mode = FileStatus(file.path)?.mode ?? 0o600
        let added =
            end + "# The public halves of keys that `bihuan setup` made.\n" + lines.joined(separator: "\n") + "\n"
        try writePrivately(text + added, to: file, mode: mode)
    }

    private func makePasswords(_ prepared: inout Prepared) throws {
        let configuration = prepared.configuration
        var wanted: [(name: String, isThere: Bool)] = []
        var certified: [String] = []
        if !DatabaseURL(configuration.database.url).hasUser {
            let roles = DatabaseRole.allCases.map {
                ("roles.\($0.rawValue)", configuration.database.passwords[$0] != nil)
            }
            if configuration.database.hasCertificates { certified += roles.map(\.0) } else { wanted += roles }
        }
        let users = (Worker.allCases.map { Party.office($0) } + prepared.parties.users).map(OfficeConfiguration.userKey)
        let named = (users + [OfficeConfiguration.operatorUser]).map { ("users.\($0)", configuration.users[$0] != nil) }
        if configuration.brokerTakesCertificates { certified += named.map(\.0) } else { wanted += named }
        // The units of the service manager name these files, and would not start without them.
        if !certified.isEmpty {
            say(
                false,
                "\(certified.count) empty files in \(prepared.secrets.folder.path): certificates take their place")
        }
        for name in certified where !options.isDryRun { try prepared.secrets.leaveEmpty(name) }
        if wanted.isEmpty { return }
        let new = wanted.filter { !$0.isThere }.map(\.name)
        say(
            !new.isEmpty,
            "\(wanted.count) passwords in \(prepared.secrets.folder.path)"
                + (new.isEmpty ? "" : ", \(new.count) of them new"))
        for name in new {
            let password = randomPassword()
            if !options.isDryRun { try prepared.secrets.write(password, as: name) }
            let last = String(name.split(separator: ".")[1])
            if name.hasPrefix("roles."), let role = DatabaseRole(rawValue: last) {
                prepared.configuration.database.passwords[role] = password
            } else {
                prepared.configuration.users[last] = password
            }
        }
    }

    private func makeDatabase(_ url: String, _ configuration: OfficeConfiguration) throws {
        let server = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: url))
        defer { server.close() }
        let there = Set(try server.run(ReadRoleNames()).rows)
        let workerGroup = DatabaseRole.group
        say(!there.contains(workerGroup), "role \(workerGroup)")
        for role in DatabaseRole.allCases { say(!there.contains(role.name), "role \(role.name)") }
        let name = DatabaseURL(configuration.database.url).databaseName ?? OfficeEntry.database
        let isThere = try server.run(ReadDatabaseNames()).rows.contains(name)
        say(!isThere, "database \(name)")
        if options.isDryRun { return }
        try DatabaseRoles.make(
            on: server, passwords: configuration.database.passwords,
            withCertificates: configuration.database.hasCertificates)
        if !isThere {
            try DatabaseRoles.makeDatabase(name, on: server)
        }
    }

    private func enter(_ prepared: Prepared) throws {
        let configuration = prepared.configuration
        let isReachable = Result { try PostgreSQL.Connection(try configuration.ownerDatabaseSettings("bihuan setup")) }
        if options.isDryRun, case .failure = isReachable {
            // The database is still to be made.
            say(true, "schema")
            say(true, "\(prepared.parties.users.count) units, sources and persons")
            return say(true, "policy \(options.policy.name)")
        }
        let owner = try isReachable.get()
        defer { owner.close() }
        guard try owner.tryAdvisoryLock(OfficeSetup.lockKey) else {
            throw UserError("another `bihuan setup` works on this database: wait for its end", mayPass: true)
        }
        let pending = try Schema.pending(owner)
        for migration in pending { say(true, "schema \(migration)") }
        if pending.isEmpty { say(false, "schema") }
        if options.isDryRun, !pending.isEmpty { return }
        if !pending.isEmpty { _ = try Schema.migrate(owner) }
        try enterParties(prepared, owner)
        let active = try owner.run(ReadActivePolicy()).rows.first
        say(active == nil, "policy " + (active?.versionName ?? options.policy.name))
        guard !options.isDryRun else { return }
        try ActivePolicy.activate(
            options.policy.yaml, named: options.policy.name, by: "bihuan setup", at: configuration.now, onlyFirst: true,
            on: owner)
    }

    static let lockKey: Int64 = 0x6269_6875_616e_0001

    /// Enters who is new. Who is there already stays as it is: an office that works is not changed by the file of its
    /// first day.
    private func enterParties(_ prepared: Prepared, _ owner: PostgreSQL.Connection) throws {
        let (now, there) = (prepared.configuration.now, try OfficeParties(in: owner))
        var new = prepared.parties
        new.units.removeAll { unit in there.units.contains { $0.id == unit.id } }
        new.sources.removeAll { source in there.sources.contains { $0.id == source.id } }
        new.persons.removeAll { person in there.persons.contains { $0.id == person.id } }
        say(
            !new.users.isEmpty,
            "\(prepared.parties.users.count) units, sources and persons"
                + (new.users.isEmpty ? "" : ", \(new.users.count) of them new"))
        for party in prepared.parties.differing(from: there) {
            options.report("note: \(party) is in the database already, and differs from the file: it was left as it is")
        }
        guard !options.isDryRun else { return }
        let commands: [any Command] = [EnterOffice(name: prepared.configuration.officeName, at: now)]
        try owner.pipeline(commands: commands + new.commands(at: now))
    }

    private func applyTopology(_ prepared: Prepared) throws {
        let configuration = prepared.configuration
        let access = try brokerAccess(configuration)
        var parties = prepared.parties
        // Those of the database count, if it is there: others may have been entered since.
        if let database = try? PostgreSQL.Connection(configuration.databaseSettings("bihuan setup")) {
            defer { database.close() }
            if let there = try? OfficeParties(in: database), !there.units.isEmpty { parties = there }
        }
        let topology = OfficeTopology(configuration, parties)
        if options.isDryRun {
            let difference = TopologyDifference(
                wanted: topology.file(), found: try access.definitions(), virtualHost: configuration.broker.virtualHost,
                messageBytesMax: nil)
            return say(
                !difference.isEmpty, "the broker's queues, users and rights: \(difference.lines.count) differences")
        }
        var applied = TopologyApplication.Options()
        applied.takesCertificates = configuration.brokerTakesCertificates
        applied.wantedPasswords = topology.passwords(in: configuration)
        var application = TopologyApplication(topology, through: access, applied)
        let outcome = try application.run()
        say(!outcome.done.isEmpty, "the broker's queues, users and rights: \(outcome.done.count) changes")
        try makeOperator(configuration, access)
        for reason in outcome.reasons { options.report(reason) }
        for line in outcome.left where !line.needsPrune { options.report("left: \(line)") }
        if let failure = outcome.failure { throw failure }
        if outcome.left.contains(where: { !$0.needsPrune }) {
            throw UserError("the broker is not as it should be: see above, then run this again")
        }
    }

    /// The broker user of commands such as `status`, with all rights on the virtual host.
    private func makeOperator(_ configuration: OfficeConfiguration, _ access: any BrokerAccess) throws {
        let name = OfficeConfiguration.operatorUser
        let password = configuration.users[name]
        guard password != nil || configuration.brokerTakesCertificates else { return }
        let found = try access.definitions()
        let isThere = found.users.contains { user in
            user.name == name
                && password.map {
                    PasswordHash.fits($0, hash: user.password_hash, algorithm: user.hashing_algorithm)
                } != false
                && found.permissions.contains { $0.user == name && $0.vhost == configuration.broker.virtualHost }
        }
        say(!isThere, "broker user \(name)")
        guard !isThere else { return }
        let definitions = Definitions(
            virtualHost: configuration.broker.virtualHost, units: [], sources: [], persons: [], users: [],
            administrator: (name, password)
        ).file()
        var file = DefinitionsFile()
        (file.users, file.permissions) = (definitions.users, definitions.permissions)
        try access.add(file)
    }

    private func tellWhatIsLeft(_ prepared: Prepared) {
        for key in prepared.newKeys where key.name == ConfigurationKey.vaultPublicKey.name {
            options.report(
                "Move \(key.file.path) to a safe: it opens the originals of all reports, and no worker needs it.")
        }
        for key in prepared.newKeys where key.name == ConfigurationKey.sealedMailPublicKey.name {
            options.report(
                "Give \(key.file.path) to the superior: it opens the reports that only the superior may read.")
        }
        options.report("The office is ready: start the workers (systemctl enable --now bihuan.target).")
    }
}
