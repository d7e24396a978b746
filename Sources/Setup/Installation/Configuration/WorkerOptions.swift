package import ArgumentParser
import Basics
import CaseStore
package import Contract
import Foundation
import Logging
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

    package func run(_ worker: Worker) async throws {
        try await plainly {
            let stop = await CallToStop.signal(untilInputEnds: untilInputEnds)
            var warnings: [String] = []
            let configuration = try await installation.configuration(parties: [.office(worker)]) { warnings.append($0) }
            let logger = Logger.toStandardError(worker.rawValue, level: configuration.logLevel)
            for warning in warnings { logger.log(.notProtected(warning)) }
            let settings = try configuration.laneSettings(for: worker)
            let service = WorkerService(worker, settings: settings, logger: logger)
            try await onThread { try refuseUnsuitable(settings) }
            var group = ServiceGroupConfiguration(services: [service], logger: logger)
            group.maximumGracefulShutdownDuration = .seconds(5)
            group.maximumCancellationDuration = .seconds(5)
            defer { LineLog.flush() }
            try await run(ServiceGroup(configuration: group), until: stop)
        }
    }

    /// Ends the worker at its start for faults that waiting does not repair: a pooler, a database that is not in
    /// UTF-8, a key other than the one the database was written with. The worker waits for a database that does
    /// not answer.
    private func refuseUnsuitable(_ settings: LaneSettings) throws {
        do {
            let database = try PostgreSQL.Connection(settings.database)
            defer { database.close() }
            try SecretCheck.demand(of: settings, in: database)
        } catch let error as PostgreSQLError {
            if error.code == .unsuitable { throw error }
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
            database: workerDatabaseSettings("bihuan \(worker.rawValue)"), clock: clock,
            vault: Vault(recipient: vaultKey), boxes: try BoxKeys.read(worker.boxes, in: keysDirectory),
            digestKey: try DigestKey(keyFile: digestKeyFile), sealedMailKey: sealedMailKey)
        settings.batchSizeMax = lane.batchSizeMax
        settings.lanes = lane.lanes
        settings.earlyMessageHoldSeconds = lane.earlyMessageHoldSeconds
        return settings
    }
}
