import ArgumentParser
import Basics
import CaseStore
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal
import Text
import Workers

/// Ends the worker processes of this machine in order, for its maintenance.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let the workers of this machine finish, hand over their leases, and stop.",
        discussion: """
            Each process gets SIGTERM, as from the service manager: it takes nothing new, finishes what it has, waits \
            for the broker's confirms and gives its queues to other processes. The command waits until all have ended \
            and the database holds no lease of theirs. A service that ends so is not started again; start it with \
            `systemctl start`. The workers of `bihuan up` are started again by it: end that instead. Exit 0 if all \
            ended, 1 if one did not in time; none is killed.
            """)

    @Argument(help: ArgumentHelp("Only these workers: intake, routing, deadlines, feedback.", valueName: "worker"))
    var workers: [String] = []

    @Option(help: ArgumentHelp("How long to wait for the processes, 1 to 3600.", valueName: "seconds"))
    var timeout = 60.0

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        for worker in workers where Worker(rawValue: worker) == nil {
            throw ValidationError(
                "there is no worker '\(worker)'" + Suggestion.known(Worker.allCases.map(\.rawValue)))
        }
        if !(1...3600).contains(timeout) { throw ValidationError("--timeout takes 1 to 3600 seconds") }
    }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let wanted = workers.isEmpty ? Worker.allCases : workers.compactMap { Worker(rawValue: $0) }
            let timeout = timeout
            let left = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan drain"))
                defer { database.close() }
                return try Draining(wanted, in: database).run(timeoutSeconds: timeout)
            }
            if left > 0 { throw ExitCode(1) }
        }
    }
}

/// The worker processes of one office on this machine.
private struct Draining {
    private struct Running {
        let worker: Worker
        let process: pid_t
        let lanes: Set<String>

        /// Nothing is left of a process but its entry once it has ended and nobody has asked for its status.
        var hasEnded: Bool { Draining.command(of: process).isEmpty }
    }

    private let wanted: [Worker]
    private let database: PostgreSQL.Connection

    init(_ wanted: [Worker], in database: PostgreSQL.Connection) {
        (self.wanted, self.database) = (wanted, database)
    }

    /// - Returns: the number of processes that have not ended.
    func run(timeoutSeconds: Double) throws -> Int {
        let running = try find()
        if running.isEmpty { Output.line("no worker of this office runs on this machine") }
        for process in running where kill(process.process, 0) != 0 && errno == EPERM {
            throw UserError(
                "process \(process.process) is another user's: run this as root, or as the user of the workers")
        }
        for process in running { kill(process.process, SIGTERM) }
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        var left = running
        while !left.isEmpty, ContinuousClock.now < deadline {
            usleep(100_000)
            let live = try leases(of: wanted)
            left.removeAll { process in
                guard process.hasEnded, live.isDisjoint(with: process.lanes) else { return false }
                Output.line("\(process.worker.rawValue) \(process.process) has ended; its leases are free")
                return true
            }
        }
        for process in left {
            let name = "\(process.worker.rawValue) \(process.process)"
            Output.note(
                process.hasEnded
                    ? "\(name) has ended and left its leases: they end by themselves within 30 s"
                    : "\(name) has not ended within \(Int(timeoutSeconds)) s; see its log")
        }
        let live = try leases(of: wanted)
        for worker in Set(running.map(\.worker)).sorted(by: { $0.rawValue < $1.rawValue })
        where !live.contains(where: { $0.hasPrefix("\(worker.rawValue)-") }) {
            Output.note("no other \(worker.rawValue) worker runs: what arrives for it waits")
        }
        return left.count
    }

    /// The processes of this machine whose lanes hold a lease in this office's database. A lane's name tells its
    /// machine and its process.
    private func find() throws -> [Running] {
        let lanes = try leases(of: wanted)
        return wanted.flatMap { worker in
            Set(lanes.compactMap { LaneName.process(of: $0, worker) }).sorted().compactMap { process in
                let command = Self.command(of: process)
                guard command.first?.split(separator: "/").last == "bihuan",
                    command.dropFirst().first == worker.rawValue
                else { return nil }
                let own = lanes.filter { LaneName.process(of: $0, worker) == process }
                return Running(worker: worker, process: process, lanes: own)
            }
        }
    }

    private func leases(of workers: [Worker]) throws -> Set<String> {
        let rows = try workers.flatMap { try database.run(ReadLeases(worker: $0.rawValue)).rows }
        return Set(rows.filter { !$0.isFree }.map(\.lane))
    }

    private static func command(of process: pid_t) -> [String] {
        let bytes = (try? Data(contentsOf: URL(filePath: "/proc/\(process)/cmdline"))) ?? Data()
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
