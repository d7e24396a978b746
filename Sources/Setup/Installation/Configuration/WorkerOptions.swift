package import ArgumentParser
import Basics
import CaseStore
package import Contract
import Foundation
import Logging
import Observability
import PostgreSQL
import ServiceLifecycle
import Terminal
import Workers

/// The options of a worker process, and how the worker runs with them.
package struct WorkerOptions: ParsableArguments {
    package init() {}

    @OptionGroup package var installation: InstallationOptions

    @Flag(
        help: ArgumentHelp(
            "Stop when standard input ends, as when the process that started this one does.", visibility: .hidden))
    package var untilInputEnds = false

    /// The exit status for what starting again does not repair: a wrong password, a faulty configuration (`EX_CONFIG`
    /// of sysexits.h). A service manager then does not start the worker again.
    package static let faultyConfiguration: Int32 = 78

    package func run(_ worker: Worker) async throws {
        let manager = ServiceManager()
        do {
            try await plainly { try await serve(worker, manager) }
        } catch let error as UserError {
            manager?.fails(error.description)
            Output.note("Error: \(error)")
            throw ExitCode(error.mayPass ? 1 : Self.faultyConfiguration)
        }
    }

    private func serve(_ worker: Worker, _ manager: ServiceManager?) async throws {
        let reload = WorkerReload(installation, worker)
        let stop = await CallToStop.signal(untilInputEnds: untilInputEnds) { await reload.run() }
        var warnings: [String] = []
        let (configuration, source) = try await installation.read(parties: [.office(worker)]) { warnings.append($0) }
        let logger = Logger.toStandardError(
            worker.rawValue, level: configuration.logLevel, format: configuration.logFormat)
        for warning in warnings { logger.log(.notProtected(warning)) }
        var settings = try configuration.laneSettings(for: worker)
        let logins = Logins(broker: settings.broker, database: settings.database)
        settings.logins = logins
        let settled = settings
        try await onThread { try refuseUnsuitable(settled) }

        let (registry, board) = (MetricsRegistry(), WorkerBoard())
        let metrics = WorkerMetrics(worker, factory: registry)
        registry.showProcess(worker, board, metrics)
        let sampler = worker == .deadlines ? OfficeSampler(configuration) : nil
        if let sampler { registry.add { sampler.samples } }
        await reload.begin(source, logger) { renewed in
            logins.renew(
                broker: try renewed.brokerSettings(for: .office(worker)), database: renewed.databaseSettings(of: worker)
            )
            sampler?.renew(renewed)
        }
        let monitor = configuration.monitor
        let server = MonitorServer(
            host: monitor.host, port: monitor.port(of: worker), registry: registry, board: board,
            pages: sampler.map { [.init("/", $0.page)] } ?? [], logger: logger
        ) { logger.log(.monitorListens(host: monitor.host, port: $0)) }
        let service = WorkerService(
            worker, settings: settled, logger: logger, board: board, metrics: metrics, manager: manager)
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: server),
            ] + (sampler.map { [.init(service: $0)] } ?? []), logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(5)
        group.maximumCancellationDuration = .seconds(5)
        defer { LineLog.flush() }
        try await run(ServiceGroup(configuration: group), until: stop)
    }

    /// Ends the worker at its start for faults that waiting does not repair: a wrong password, a pooler, a database
    /// that is not in UTF-8, a key other than the one the database was written with. The worker waits for a database
    /// that does not answer.
    private func refuseUnsuitable(_ settings: LaneSettings) throws {
        do {
            let database = try PostgreSQL.Connection(settings.database)
            defer { database.close() }
            try SecretCheck.demand(of: settings, in: database)
        } catch let error as PostgreSQLError {
            if error.code == .unsuitable || error.isLoginRefused { throw error }
        }
    }

    /// A call to stop that came before the start is remembered: the group starts, and stops.
    private func run(_ group: ServiceGroup, until stop: StopSignal) async throws {
        Task {
            await stop.wait()
            await group.triggerGracefulShutdown()
        }
        try await group.run()
    }
}

extension OfficeConfiguration {
    /// The settings of a worker's lanes, read from the files that the configuration names.
    func laneSettings(for worker: Worker) throws -> LaneSettings {
        for kind in worker.boxes { try SecretFile.check(kind.file(in: keysDirectory).path) }
        var settings = LaneSettings(
            broker: try brokerSettings(for: .office(worker)),
            database: databaseSettings(of: worker), clock: clock,
            vault: Vault(recipient: vaultKey), boxes: try BoxKeys.read(worker.boxes, in: keysDirectory),
            digestKey: try DigestKey(keyFile: digestKeyFile), sealedMailKey: sealedMailKey)
        settings.batchSizeMax = lane.batchSizeMax
        settings.lanes = lane.lanes
        settings.earlyMessageHoldSeconds = lane.earlyMessageHoldSeconds
        return settings
    }

    fileprivate func databaseSettings(of worker: Worker) -> PostgreSQL.ConnectionSettings {
        databaseSettings("bihuan \(worker.rawValue)", as: DatabaseRole(worker))
    }
}
