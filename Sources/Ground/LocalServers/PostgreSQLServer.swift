import Foundation

/// A private PostgreSQL cluster: made once, then started and stopped. It listens on loopback and on `listenAddress`,
/// without a socket file.
final class PostgreSQLServer {
    private let directory: ServerDirectory
    private let programs: Programs
    private let port: Int
    private let listenAddress: String?
    private let dataChecksums: Bool
    private let extraSettings: [String: String]
    private var process: ChildProcess?
    let superuserPassword: String

    init(
        directory: ServerDirectory, programs: Programs, port: Int, listenAddress: String?,
        dataChecksums: Bool, extraSettings: [String: String]
    ) throws(LocalServersError) {
        self.directory = directory
        self.programs = programs
        self.port = port
        self.listenAddress = listenAddress
        self.dataChecksums = dataChecksums
        self.extraSettings = extraSettings
        superuserPassword = try directory.keptText(
            PostgreSQLServer.passwordFile(in: directory), mode: 0o600, owner: directory.postgresqlAccount,
            new: { randomHexadecimal() })
    }

    /// The major version of the directory's cluster; nil before it is made.
    static func version(in directory: ServerDirectory) -> String? {
        FileManager.default.contents(atPath: directory.postgresqlData + "/PG_VERSION")
            .map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }
    }

    var logFile: String { directory.logs + "/postgresql.log" }
    var processID: pid_t? { process.flatMap { $0.isRunning ? $0.processID : nil } }
    /// How it ended by itself; nil while it runs, and after a requested stop.
    var ending: String? { process?.ending }

    /// Runs `initdb` unless the cluster exists.
    func initialise(until deadline: Deadline) throws(LocalServersError) {
        if PostgreSQLServer.version(in: directory) != nil { return }
        let unfinished = directory.postgresqlDataUnfinished
        try? FileManager.default.removeItem(atPath: unfinished)
        // Without syncing, because the result of an interrupted initdb is deleted; the server itself syncs.
        let initdb = try ChildProcess.start(
            command(
                "initdb",
                [
                    "-D", unfinished, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync",
                    "--pwfile=" + PostgreSQLServer.passwordFile(in: directory),
                ] + (dataChecksums ? ["--data-checksums"] : [])),
            output: logFile)
        guard initdb.waitForExit(until: deadline) else {
            initdb.signal(SIGKILL)
            _ = initdb.waitForExit(until: .seconds(5))
            throw .init(.timedOut, "initdb did not end in time: read \(logFile)")
        }
        guard initdb.exitStatus == 0, rename(unfinished, directory.postgresqlData) == 0 else {
            throw .init(.startFailed, "initdb failed: read \(logFile)")
        }
    }

    func launch() throws(LocalServersError) {
        if processID != nil { return }
        if process != nil { try LeftBehind(directory: directory).endPostgreSQL() }
        let owner = directory.postgresqlAccount
        let data = directory.postgresqlData
        try writeFile(data + "/postgresql.conf", Data(configuration.utf8), mode: 0o600, owner: owner)
        let places = ["127.0.0.1/32"] + (listenAddress.map { [$0 + "/30"] } ?? [])
        let access = places.map { "host all all \($0) scram-sha-256\n" }.joined()
        try writeFile(data + "/pg_hba.conf", Data(access.utf8), mode: 0o600, owner: owner)
        // We hold the directory's lock and have ended leftover servers, so a pid file is stale. After a crash its
        // number may belong to another process, and PostgreSQL would refuse to start.
        unlink(data + "/postmaster.pid")
        process = try ChildProcess.start(command("postgres", ["-D", data]), output: logFile)
    }

    /// Waits until the server requests a password; before that its answer is "the database system is starting up".
    func waitUntilReady(until deadline: Deadline, isCancelled: () -> Bool) throws(LocalServersError) {
        let parameters = "user\0postgres\0database\0postgres\0\0"
        let length = UInt8(8 + parameters.utf8.count)
        let startupMessage: [UInt8] = [0, 0, 0, length, 0, 3, 0, 0] + Array(parameters.utf8)
        let authenticationRequest = UInt8(ascii: "R")
        var ready = false
        let decided = deadline.wait {
            ready = answers(port: port, request: startupMessage, replyBeginsWith: authenticationRequest)
            return ready || processID == nil || isCancelled()
        }
        if ready && processID != nil { return }
        if !decided { throw .init(.timedOut, "PostgreSQL did not answer on port \(port) in time: read \(logFile)") }
        if processID == nil { throw .init(.startFailed, "PostgreSQL ended while starting: read \(logFile)") }
        throw .init(.cancelled, "the start of the servers was cancelled")
    }

    func requestStop(_ mode: LocalServers.ShutdownMode) {
        process?.signal(mode.signal)
    }

    /// Waits for the end with ever stronger signals, so that it comes in bounded time.
    func finishStop(seconds: Double) {
        guard let process else { return }
        for signal in [SIGINT, SIGQUIT, SIGKILL] {
            if process.waitForExit(until: .seconds(seconds)) { break }
            process.signal(signal)
        }
        _ = process.waitForExit(until: .seconds(5))
        self.process = nil
    }

    // MARK: Steps

    private static func passwordFile(in directory: ServerDirectory) -> String {
        directory.postgresql + "/superuser.password"
    }

    private func command(_ program: String, _ arguments: [String]) -> Command {
        Command(
            program: programs.postgresqlFolder + "/" + program, arguments: arguments,
            environment: ["PATH": Programs.searchPath, "LC_ALL": "C", "TZ": "UTC", "HOME": directory.postgresql],
            workingDirectory: directory.postgresql, account: directory.postgresqlAccount, setpriv: programs.setpriv)
    }

    private var configuration: String {
        var settings = [
            "listen_addresses": (["127.0.0.1"] + (listenAddress.map { [$0] } ?? [])).joined(separator: ","),
            "port": "\(port)",
            // No socket file: its path may have at most 107 bytes, and the URLs use TCP.
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            // Set explicitly, because proofs of durability and benchmarks depend on them.
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "jit": "off",
            "log_min_messages": "warning",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "logging_collector": "off",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "password_encryption": "scram-sha-256",
        ]
        settings.merge(extraSettings) { _, extra in extra }
        let lines = settings.sorted { $0.key < $1.key }.map { "\($0.key) = '\(quoted($0.value))'" }
        return "# Written anew at each start.\n" + lines.joined(separator: "\n") + "\n"
    }

    private func quoted(_ value: String) -> String {
        value.replacingOccurrences(of: "'", with: "''").replacingOccurrences(of: "\\", with: "\\\\")
    }
}
