import Basics
import CaseStore
import Contract
import Logging
import Terminal
import Workers

/// What a worker does on SIGHUP: it reads its configuration again, takes the log level and its own passwords, and says
/// what else changed and needs a restart.
actor WorkerReload {
    private let installation: InstallationOptions
    private let worker: Worker
    private var running: Running?
    /// The keys of the passwords with which the worker logs in.
    private let passwords: [String]

    private struct Running {
        let source: ConfigurationSource
        let logger: Logger
        let renew: @Sendable (OfficeConfiguration) throws -> Void
    }

    init(_ installation: InstallationOptions, _ worker: Worker) {
        self.installation = installation
        self.worker = worker
        passwords = [
            "users.\(OfficeConfiguration.userKey(.office(worker)))", "roles.\(DatabaseRole(worker).rawValue)",
        ]
    }

    /// - Parameters:
    ///   - source: what the worker runs with.
    ///   - renew: takes the logins of another configuration for the next connections.
    func begin(
        _ source: ConfigurationSource, _ logger: Logger,
        renew: @escaping @Sendable (OfficeConfiguration) throws -> Void
    ) {
        running = Running(source: source, logger: logger, renew: renew)
    }

    func run() async {
        guard let running else { return }
        do {
            let (configuration, new) = try await installation.read(parties: [.office(worker)]) { _ in }
            LineLog.setLevel(configuration.logLevel)
            var others = new.names(differingFrom: running.source).filter { $0 != ConfigurationKey.logLevel.name }
            // One half of the lanes at another server would be worse than all at the old one.
            let places = [ConfigurationKey.amqpURL.name, ConfigurationKey.databaseURL.name]
            if !others.contains(where: places.contains) {
                try running.renew(configuration)
                others.removeAll(where: passwords.contains)
            }
            running.logger.log(.configurationReloaded(level: "\(configuration.logLevel)", needRestart: others))
        } catch {
            running.logger.log(.configurationNotReloaded(UserError(error).description))
        }
    }
}

extension ConfigurationSource {
    /// The keys whose values differ; no values, which may be secret.
    func names(differingFrom other: ConfigurationSource) -> [String] {
        let names = ConfigurationKey.all.map(\.name) + Set(groupKeys + other.groupKeys).sorted()
        return names.filter { value($0) != other.value($0) }
    }
}
