import AMQP
import ArgumentParser
import Basics
import Foundation
import Installation
import LocalServers
import Synchronization
import Terminal

/// Runs a whole office on this machine until Ctrl-C.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a whole office on this machine: private servers and the four workers.",
        discussion: """
            Everything is stored in DIR, which is created if missing: servers, settings (bihuan.yaml), rules \
            (policy.yaml), keys, logs. Run it again on the same directory to continue where it stopped. Ctrl-C stops \
            the workers, then the servers; so does the end of the process that reads its output. A server or queue \
            that dies is started again; exit 1 if it does not come back.
            """)

    enum Sample: String, CaseIterable, ExpressibleByArgument { case sample }

    @Option(help: ArgumentHelp("The directory of the installation.", valueName: "dir"))
    var data: String

    @Option(help: "Which office to enter: units, sources and staff, all invented.")
    var office: Sample = .sample

    @Option(help: ArgumentHelp("Processes of each worker, 1 to 16.", valueName: "n"))
    var processes = 1

    func validate() throws {
        if !(1...16).contains(processes) { throw ValidationError("--processes takes 1 to 16") }
    }

    func run() async throws {
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            let began = ContinuousClock.now
            var options = LocalOffice.Options(
                directory: URL(filePath: data, directoryHint: .isDirectory).absoluteURL.standardizedFileURL)
            options.processesPerWorker = processes
            options.isCancelled = { stop.isStopped }
            options.mayFill = OwnDirectory.askOnTerminal
            let lost = Mutex<UserError?>(nil)
            options.whenLost = { reason in
                lost.withLock { $0 = reason }
                stop.stop()
            }
            Output.note("starting PostgreSQL, RabbitMQ and the workers in \(options.directory.path) …")
            let office: LocalOffice
            do {
                office = try await LocalOffice.start(options)
            } catch  where stop.isStopped {
                Output.note("stopped")
                throw ExitCode(130)
            }
            announce(office, after: ContinuousClock.now - began)
            await stop.wait()
            Output.note("stopping the workers, then the servers …")
            try await onThread { office.stop() }
            Output.note("stopped; everything is kept in \(office.directory.path)")
            if let reason = lost.withLock({ $0 }) { throw reason }
        }
    }

    private func announce(_ office: LocalOffice, after time: Duration) {
        let seconds = time.formatted(.units(allowed: [.seconds], width: .narrow, fractionalPart: .show(length: 1)))
        let directory = office.directory.path
        Output.line(
            """
            The office runs (ready after \(seconds)).

              AMQP       127.0.0.1:\(office.servers.rabbitmqPort), virtual host \
              \(office.configuration.broker.virtualHost)
              database   127.0.0.1:\(office.servers.postgresqlPort), database \(OfficeEntry.database)
              settings   \(office.configurationFile.path) (addresses and passwords of all users)
              page       \(office.monitorURL)/ (the office at a glance; /metrics of each worker: see its log)
              logs       \(directory)/log

            Submit reports:
              \(shellWord(Executable.bihuan)) submit --data \(shellWord(directory)) --file reports.jsonl
            See where they are:
              \(shellWord(Executable.bihuan)) status --data \(shellWord(directory))

            Ctrl-C stops everything.
            """)
    }
}

/// A word quoted for a shell.
private func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
            || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "/._-+,:@%".utf8.contains(byte)
    }
    return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}
