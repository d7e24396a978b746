import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing

/// A PostgreSQL cluster of a test's own, which may lose its disk or its place as primary.
final class Cluster {
    let directory: String
    let port: Int
    private var process: Process?

    /// Makes the cluster, and does not start it.
    /// - Parameter options: more words for `initdb`.
    init(_ options: [String] = []) throws {
        (directory, port) = try (Self.makeDirectory(), Self.freePort())
        try run(
            "initdb", ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"] + options)
    }

    /// A standby of a running cluster, not started yet. It takes the given port, which may be that of a stopped one.
    init(standbyOf primary: Cluster, port: Int? = nil) throws {
        (directory, self.port) = try (Self.makeDirectory(), port ?? Self.freePort())
        try run("pg_basebackup", ["-D", data, "-d", primary.url, "-R", "-c", "fast", "--no-sync"])
    }

    var data: String { directory + "/data" }
    var url: String { "postgresql://postgres@127.0.0.1:\(port)/postgres" }

    /// Returns when it answers.
    func start(_ settings: String...) throws {
        let all =
            ["port=\(port)", "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"] + settings
        let process = try launch("postgres", ["-D", data] + all.flatMap { ["-c", $0] })
        self.process = process
        while true {
            if let connection = try? Connection(ConnectionSettings(url: url)) { return connection.close() }
            try #require(process.isRunning, "the cluster did not start: see \(directory)/log")
        }
    }

    /// SIGINT is a fast shutdown, SIGQUIT an immediate one.
    func stop(_ signal: Int32 = SIGINT) {
        guard let process else { return }
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        self.process = nil
    }

    /// Returns when it takes writes.
    func promote() throws { try run("pg_ctl", ["-D", data, "-w", "promote"]) }

    func execute(_ statements: String...) throws {
        let connection = try Connection(ConnectionSettings(url: url))
        defer { connection.close() }
        for statement in statements { try connection.execute(statement) }
    }

    /// Ends it and takes all away.
    func remove() {
        stop(SIGQUIT)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// An office whose database lies here, or on the one of these that takes writes.
    func office(orOn other: Cluster? = nil) throws -> OfficeUnderTest {
        try OfficeUnderTest(on: testServers(orOn: other))
    }

    /// The broker is the private servers', and so is the pool of its virtual hosts.
    func testServers(orOn other: Cluster? = nil) throws -> TestServers {
        let places = [self, other].compactMap(\.self)
        let all =
            """
            ?host=\(places.map { _ in "127.0.0.1" }.joined(separator: ","))&\
            port=\(places.map { "\($0.port)" }.joined(separator: ","))
            """
            + "&target_session_attrs=read-write"
        let shared = try PrivateServers.here().testServers
        return TestServers(
            databaseURL: url + all, poolURL: shared.poolURL, brokerURL: shared.brokerURL, offices: shared.offices)
    }

    func makeTemplate() throws {
        let owner = "postgresql://bihuan_owner:\(TestServers.password)@127.0.0.1:\(port)/\(TestServers.template)"
        try SmallOffice.makeTemplate(superuser: url, owner: owner)
    }

    // MARK: Steps

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/bihuan-cluster-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        try own(directory)
        return directory
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        try #require(Loopback.withAddress(port: 0) { bind(descriptor, $0, $1) } == 0)
        return Loopback.port(of: descriptor)
    }

    /// Gives a file to the account that the server runs as.
    static func own(_ path: String) throws {
        guard geteuid() == 0 else { return }
        let account = try #require(getpwnam("postgres"), "root runs PostgreSQL as `postgres`")
        try #require(chown(path, account.pointee.pw_uid, account.pointee.pw_gid) == 0)
    }

    private func run(_ program: String, _ arguments: [String]) throws {
        let process = try launch(program, arguments)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(program) failed: see \(directory)/log")
    }

    /// PostgreSQL refuses to be run by root.
    private func launch(_ program: String, _ arguments: [String]) throws -> Process {
        let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").compactMap { Int($0) }
        let path = "/usr/lib/postgresql/\(try #require(versions.max()))/bin/\(program)"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            (geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []) + [path]
            + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ["LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"]
        let log = directory + "/log"
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        try #require(descriptor >= 0)
        let output = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        return process
    }
}

/// Lets commits wait for a standby that does not exist, and returns once they do: the server puts the setting in force
/// a while after it has read it.
func demandStandby(of url: String) throws {
    let keeper = try Connection(ConnectionSettings(url: url))
    defer { keeper.close() }
    try keeper.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try keeper.execute("SELECT pg_reload_conf()")
    let waiting = "SELECT pid::text FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%probe%'"
    var isInForce = false
    while !isInForce {
        let probe = try Connection(ConnectionSettings(url: url))
        probe.whileWaiting = {
            isInForce = (try? keeper.texts(waiting).isEmpty) == false
            return !isInForce
        }
        // It is given up when it waits, so its failure is what is waited for.
        try? probe.execute("SELECT pg_logical_emit_message(true, 'probe', '')")
        probe.close()
    }
}
