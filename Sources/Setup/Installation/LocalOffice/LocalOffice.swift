import AMQP
package import Basics
import BrokerTopology
import CaseStore
import Casework
package import Contract
import Crypto
package import Foundation
package import LocalServers
import Logging
import Terminal
import Workers

/// A whole office on this machine, in one directory: private servers, the sample's parties, the four workers.
///
///     DIR/bihuan.yaml          0600: addresses, passwords of all users
///     DIR/policy.yaml          the policy for the first start; the shipped one unless it exists
///     DIR/vault.key            0600   DIR/digest.key 0600   DIR/checkpoint.key 0600
///     DIR/keys/<box>.key       0600   DIR/keys/unit-<id>.key 0600
///     DIR/log/<worker>.log     and the servers' logs
///
/// A second start in the same directory keeps users, passwords, keys and the database.
package final class LocalOffice: Sendable {
    package struct Options: Sendable {
        package var directory: URL
        package var sample = SampleOffice.standard
        /// The business clock; nil keeps that of bihuan.yaml.
        package var clock: BusinessClock?
        package var processesPerWorker = 1
        /// The program of the workers; by default `bihuan`.
        package var executable = Executable.bihuan
        /// The arguments that name the installation to a worker; by default its directory.
        package var workerInstallation: (@Sendable (OfficeConfiguration) throws -> [String])?
        /// Another address of this machine on which the servers listen.
        package var listenAddress: String?
        /// Called while the servers start; true cancels the start.
        package var isCancelled: @Sendable () -> Bool = { false }
        /// Called with each event of a worker, one line each, from any thread.
        package var report: @Sendable (String) -> Void = { Output.note($0) }

        /// Called when a server ended and cannot be restarted; with nil the servers are not watched.
        package var whenLost: (@Sendable (UserError) -> Void)?
        /// Called before filling a directory that looks like a mistake; false refuses.
        package var mayFill: @Sendable (String) -> Bool = { _ in false }

        package init(directory: URL) { self.directory = directory }
    }

    package let directory: URL
    package let configurationFile: URL
    package let configuration: OfficeConfiguration
    package let servers: LocalServers
    package let workers: WorkerProcesses
    /// Where the processes of each worker answer monitors.
    package let monitorPorts: [Worker: [Int]]
    private let watch: ServerWatch?

    /// Starts servers and workers; returns when every worker consumes. On an error everything is stopped again.
    package static func start(_ options: Options) async throws -> LocalOffice {
        try OwnDirectory.claim(options.directory, mayFill: options.mayFill)
        let file = options.directory.appending(path: "bihuan.yaml")
        var kept: OfficeConfiguration?
        if FileManager.default.fileExists(atPath: file.path) {
            // Values of the current environment must not be written into the file.
            kept = try OfficeConfiguration.read(
                try await ConfigurationSource.open(file: file, flags: [:], environment: [:]))
        }
        let previous = kept
        return try await onThread { try LocalOffice(options, file, previous) }
    }

    private init(_ options: Options, _ file: URL, _ kept: OfficeConfiguration?) throws {
        let policyFile = options.directory.appending(path: "policy.yaml")
        let policy = try LocalOffice.policy(at: policyFile)
        let users = LocalOffice.users(of: options.sample, kept: kept?.users ?? [:])
        let inboundBytesMax = kept?.inboundBytesMax ?? Topology.inboundBytesMax
        var serverOptions = LocalServers.Options()
        serverOptions.isCancelled = options.isCancelled
        serverOptions.listenAddress = options.listenAddress
        servers = try LocalServers.start(
            in: options.directory,
            definitions: try users.definitions(options.sample, inboundBytesMax: inboundBytesMax).json(),
            options: serverOptions)
        do {
            directory = options.directory
            configurationFile = file
            var passwords = kept?.database.passwords ?? [:]
            for role in DatabaseRole.allCases where passwords[role] == nil { passwords[role] = randomPassword() }
            configuration = try LocalOffice.configuration(
                kept, options, servers, users: users.passwords, passwords: passwords)
            let keys = KeyFiles(directory: directory)
            try keys.makeOfficeKeys()
            if policy.isNew { try writePrivately(policy.yaml, to: policyFile) }
            try writePrivately(configuration.yaml(folder: directory), to: file)
            let entry = OfficeEntry(servers: servers, configuration: configuration)
            try entry.makeDatabase()
            _ = try entry.enter(options.sample, keys: keys, policy: policy.yaml)
            try LocalOffice.moveBroker(of: configuration, options)
            let logs = directory.appending(path: "log")
            let installation = try options.workerInstallation?(configuration) ?? ["--data", directory.path]
            monitorPorts = try LocalOffice.monitorPorts(options.processesPerWorker)
            workers = try WorkerProcesses(
                .init(
                    executable: options.executable, arguments: installation + ["--until-input-ends"],
                    monitorPorts: monitorPorts, countPerWorker: options.processesPerWorker,
                    log: { logs.appending(path: "\($0.rawValue).log") },
                    report: options.report))
            let (servers, configuration) = (servers, configuration)
            watch = options.whenLost.map {
                ServerWatch(.init(servers: servers, configuration: configuration, report: options.report, giveUp: $0))
            }
        } catch {
            servers.stop()
            throw error
        }
        workers.start()
        do {
            try waitForConsumers(options.isCancelled)
            watch?.start()
        } catch {
            stop()
            throw error
        }
    }

    /// Stops the workers, which finish their current messages, then the servers. Blocks; a second call does nothing.
    package func stop() {
        watch?.stop()
        workers.stop()
        servers.stop()
    }

    // MARK: Passwords, addresses, logs

    package func password(of party: Party) -> String? { configuration.users[OfficeConfiguration.userKey(party)] }

    /// The AMQP URL of the operator, with all rights on the virtual host.
    package var operatorAMQPURL: String {
        servers.amqpURL(
            user: OfficeConfiguration.operatorUser,
            password: configuration.users[OfficeConfiguration.operatorUser] ?? "",
            virtualHost: configuration.broker.virtualHost)
    }

    package func log(of worker: Worker) -> URL { directory.appending(path: "log/\(worker.rawValue).log") }

    /// The address of the page that shows the office.
    package var monitorURL: String { "http://127.0.0.1:\(monitorPorts[.deadlines]?.first ?? 0)" }

    // MARK: Steps

    /// Free ports, so that offices of several directories run side by side.
    private static func monitorPorts(_ count: Int) throws -> [Worker: [Int]] {
        let ports = try Loopback.freePorts(count * Worker.allCases.count)
        return Dictionary(
            uniqueKeysWithValues: zip(Worker.allCases, 0...).map { worker, place in
                (worker, Array(ports[(place * count)..<((place + 1) * count)]))
            })
    }

    private static func policy(at file: URL) throws -> (yaml: String, isNew: Bool) {
        let isNew = !FileManager.default.fileExists(atPath: file.path)
        let yaml =
            isNew
            ? ShippedPolicy.chineseDiscipline
            : try PolicyText.read(file.path)
        // Faults of the policy are reported before anything starts.
        _ = try PolicyFile.read(yaml, named: file.lastPathComponent)
        return (yaml, isNew)
    }

    private static func users(of sample: SampleOffice, kept: [String: String]) -> Users {
        let parties =
            Worker.allCases.map { Party.office($0) } + sample.units.map { .unit($0.id) }
            + sample.sources.map { .source($0.id) }
            + sample.persons.map { .person($0.id) }
        var passwords = kept
        for key in parties.map(OfficeConfiguration.userKey) + [OfficeConfiguration.operatorUser]
        where passwords[key] == nil {
            passwords[key] = randomPassword()
        }
        return Users(parties: parties, passwords: passwords)
    }

    private struct Users {
        let parties: [Party]
        let passwords: [String: String]

        func definitions(_ sample: SampleOffice, inboundBytesMax: Int) -> Definitions {
            Definitions(
                virtualHost: "bihuan", units: sample.units.map(\.id), sources: sample.sources.map(\.id),
                persons: sample.persons.map(\.id),
                users: parties.map {
                    BrokerUser(party: $0, password: passwords[OfficeConfiguration.userKey($0)] ?? "")
                }, administrator: (OfficeConfiguration.operatorUser, passwords[OfficeConfiguration.operatorUser] ?? ""),
                inboundBytesMax: inboundBytesMax)
        }
    }

    private static func configuration(
        _ kept: OfficeConfiguration?, _ options: Options, _ servers: LocalServers, users: [String: String],
        passwords: [DatabaseRole: String]
    ) throws -> OfficeConfiguration {
        let keys = KeyFiles(directory: options.directory)
        // Only the public half of a new key is kept.
        let sealedMailKey = kept?.sealedMailKey ?? SealingKey(Curve25519.KeyAgreement.PrivateKey().publicKey)
        var configuration = OfficeConfiguration(
            officeName: kept?.officeName ?? "闭环示例办公室",
            broker: .init(host: "127.0.0.1", port: servers.rabbitmqPort, virtualHost: "bihuan", user: "", password: ""),
            inboundBytesMax: kept?.inboundBytesMax ?? Topology.inboundBytesMax,
            database: .init(
                url: "postgresql://127.0.0.1:\(servers.postgresqlPort)/\(OfficeEntry.database)", passwords: passwords),
            users: users,
            // The private half of a known key may lie elsewhere.
            vaultKey: try kept?.vaultKey ?? keys.vaultKey(), keysDirectory: keys.boxes, digestKeyFile: keys.digest,
            sealedMailKey: sealedMailKey, checkpointKeyFile: keys.checkpoint,
            clock: options.clock ?? kept?.clock ?? .real, lane: kept?.lane ?? .init(), logLevel: kept?.logLevel ?? .info
        )
        configuration.logFormat = kept?.logFormat ?? .text
        configuration.monitor = kept?.monitor ?? .init()
        return configuration
    }

    /// Waits until each worker's queue has a consumer. A worker consumes only after its database has answered.
    private func waitForConsumers(_ isCancelled: () -> Bool) throws {
        let connection = try AMQP.Connection(try configuration.operatorBrokerSettings())
        defer { connection.close() }
        let channel = try connection.openChannel()
        var missing = Worker.allCases
        let deadline = ContinuousClock.now + .seconds(20)
        while !missing.isEmpty {
            if isCancelled() { throw UserError("the start was cancelled") }
            if ContinuousClock.now > deadline {
                let logs = missing.map { log(of: $0).path }.joined(separator: ", ")
                throw UserError("workers did not start within 20 s: read \(logs)")
            }
            missing = try missing.filter { worker in
                try connection.declareQueue(
                    QueueName(rawValue: worker.queues.last ?? ""), passive: true, on: channel
                ).consumerCount == 0
            }
            usleep(20_000)
        }
    }
}
