import Basics
import Contract
import Logging
import Terminal
import Workers

/// What a worker does on SIGHUP: it reads its configuration again, takes the log level, and says what else changed and
/// needs a restart.
actor WorkerReload {
    private let installation: InstallationOptions
    private let worker: Worker
    private var running: (source: ConfigurationSource, logger: Logger)?

    init(_ installation: InstallationOptions, _ worker: Worker) {
        self.installation = installation
        self.worker = worker
    }

    /// - Parameter source: what the worker runs with.
    func begin(_ source: ConfigurationSource, _ logger: Logger) { running = (source, logger) }

    func run() async {
        guard let (source, logger) = running else { return }
        do {
            let (configuration, new) = try await installation.read(parties: [.office(worker)]) { _ in }
            LineLog.setLevel(configuration.logLevel)
            let others = new.names(differingFrom: source).filter { $0 != ConfigurationKey.logLevel.name }
            logger.log(.configurationReloaded(level: "\(configuration.logLevel)", needRestart: others))
        } catch {
            logger.log(.configurationNotReloaded(UserError(error).description))
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
