import Foundation
import PostgreSQL
import Testing

/// A PostgreSQL server of a test's own, for what cannot be done to the one that all tests share: another configuration,
/// a freeze, a sudden end.
final class PrivateServer {
    /// Where Debian puts the programs; the newest version there is.
    private static let programs: String? = {
        let base = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []).compactMap { Int($0) }
            .sorted()
        return versions.last.map { "\(base)/\($0)/bin" }
    }()
    static let isAvailable = programs != nil && (geteuid() != 0 || getpwnam("postgres") != nil)
    static let whyDisabled: Comment =
        "no PostgreSQL programs in /usr/lib/postgresql, or no account `postgres` to run them as"

    let directory: String
    let port: UInt16
    let user: String
    let password: String
    private var process: Process?
    private var pooler: Process?

    /// Makes a server with more lines for its configuration, runs `body` and takes all away.
    static func with(
        user: String = "postgres", password: String = "hush", settings: [String] = [],
        _ body: (PrivateServer) throws -> Void
    ) throws {
        let server = try PrivateServer(user: user, password: password)
        defer { server.remove() }
        try server.start(settings: settings)
        try body(server)
    }

    /// Makes the cluster, and does not start it.
    init(user: String, password: String) throws {
        (self.user, self.password) = (user, password)
        var template = Array("/tmp/pgroom-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let (descriptor, port) = try listeningSocket()
        close(descriptor)
        self.port = port
        try write("password", password)
        try Self.own(directory)
        let initdb = try launch(
            "initdb",
            [
                "-D", data, "-U", user, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync",
                "--pwfile=\(directory)/password",
            ])
        initdb.waitUntilExit()
        try #require(initdb.terminationStatus == 0)
    }

    var data: String { directory + "/data" }
    var postmaster: pid_t { process?.processIdentifier ?? 0 }

    func url(host: String = "127.0.0.1", user: String? = nil, more: String = "") -> String {
        "postgresql://\(user ?? self.user):\(password)@\(host):\(port)/postgres?\(more)"
    }

    func connect(_ change: (inout ConnectionSettings) -> Void = { _ in }) throws -> Connection {
        var settings = ConnectionSettings(url: url())
        change(&settings)
        return try Connection(settings)
    }

    /// Starts it and waits until it answers.
    func start(settings: [String] = []) throws {
        let fixed = ["port=\(port)", "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"]
        process = try launch("postgres", ["-D", data] + (fixed + settings).flatMap { ["-c", $0] })
        try eventually {
            guard let connection = try? connect() else {
                try #require(process?.isRunning == true, "the server did not start")
                return false
            }
            connection.close()
            return true
        }
    }

    /// SIGINT is a fast shutdown, SIGQUIT an immediate one.
    func stop(_ signal: Int32 = SIGINT) {
        guard let process else { return }
        kill(process.processIdentifier, SIGCONT)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        self.process = nil
    }

    /// Writes a file that only the server may read.
    func write(_ name: String, _ text: String) throws {
        let path = directory + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try Self.own(path)
        chmod(path, 0o600)
    }

    // MARK: A pooler before it

    /// Starts pgbouncer before this server; returns its port.
    func startPooler(_ program: String, mode: String, ignoring: String) throws -> UInt16 {
        let (descriptor, port) = try listeningSocket()
        close(descriptor)
        try write("users.txt", "\"\(user)\" \"\(password)\"\n")
        try write(
            "pooler.ini",
            """
            [databases]
            * = host=127.0.0.1 port=\(self.port)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = trust
            auth_file = \(directory)/users.txt
            pool_mode = \(mode)
            ignore_startup_parameters = \(ignoring)
            """)
        pooler = try launch(program, ["-q", directory + "/pooler.ini"])
        return port
    }

    func stopPooler() {
        guard let pooler else { return }
        kill(pooler.processIdentifier, SIGKILL)
        pooler.waitUntilExit()
        self.pooler = nil
    }

    private func remove() {
        stopPooler()
        stop(SIGQUIT)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Gives a file to the account that the server runs as.
    private static func own(_ path: String) throws {
        guard geteuid() == 0 else { return }
        let account = try #require(getpwnam("postgres"))
        try #require(chown(path, account.pointee.pw_uid, account.pointee.pw_gid) == 0)
    }

    /// PostgreSQL refuses to be run by root.
    private func launch(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let drop = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
        let path = program.hasPrefix("/") ? program : try #require(Self.programs) + "/" + program
        process.arguments = drop + [path] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ["LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }
}

/// A socket on which connections are accepted by the kernel and never answered.
func listeningSocket() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) | listen(descriptor, 5) | getsockname(descriptor, pointer, &length)
        }
    }
    try #require(result == 0)
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// Bytes of memory of this process that belong to no file.
func anonymousMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    return try #require(Int(line.filter { $0.isNumber })) * 1024
}
