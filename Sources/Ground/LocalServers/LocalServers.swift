public import Foundation

/// A private PostgreSQL cluster and a private RabbitMQ node on free ports of 127.0.0.1, all under one directory.
///
/// For trials, demonstrations and tests. Both servers keep their data between starts and are fully durable: fsync and
/// confirms stay on. All methods block; any thread may call them.
public final class LocalServers: @unchecked Sendable {
    public struct Options: Sendable {
        /// Lines for `postgresql.conf`, name and value; they override ours.
        public var postgresqlSettings: [String: String] = [:]
        /// Whether a new cluster gets checksums of its pages, as PostgreSQL 18 has by default.
        public var dataChecksums = false
        /// RabbitMQ's plugins; none by default, because each slows the start.
        public var rabbitmqPlugins: [String] = []
        /// Lines for `rabbitmq.conf`, name and value, such as settings of the plugins.
        public var rabbitmqSettings: [String: String] = [:]
        /// What `rabbitmq.conf` cannot say: the Erlang terms of `advanced.config`.
        public var rabbitmqAdvancedSettings = "[]."
        /// Another address of this machine on which both servers listen too, for clients of its /30 network: the
        /// host's end of a `NetworkNamespace`.
        public var listenAddress: String?
        /// The timeout of each start, from the call until both servers answer.
        public var startTimeoutSeconds = 60.0
        /// The directory of the logs; nil: `log` in the servers' directory.
        public var logsTo: URL?
        /// Called some fifty times a second while the servers start; true ends the start with `.cancelled`.
        public var isCancelled: @Sendable () -> Bool = { false }

        public init() {}
    }

    /// PostgreSQL's shutdown modes.
    public enum ShutdownMode: Sendable {
        /// Waits until the clients disconnect.
        case smart
        /// Rolls back open transactions and writes a checkpoint.
        case fast
        /// Stops like a crash: the next start recovers from the log.
        case immediate

        var signal: Int32 {
            switch self {
            case .smart: SIGTERM
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        }
    }

    /// Protects the two servers and `directory`'s lock. It is held during a whole start or stop, so that they do not
    /// overlap.
    private let lock = NSLock()
    private let directory: ServerDirectory
    private let reservation: PortReservation
    private let postgresql: PostgreSQLServer
    private let rabbitmq: RabbitMQServer
    private let options: Options
    private var isOwner = true

    public let postgresqlPort: Int
    public let rabbitmqPort: Int

    /// Starts both servers and returns when both answer, RabbitMQ with the definitions imported.
    ///
    /// Servers left running by a killed owner of the directory are ended first. Root runs PostgreSQL as user
    /// `postgres` and RabbitMQ as user `rabbitmq`; any other user runs both as themselves.
    /// - Parameters:
    ///   - directory: made if missing; it stays when the servers stop.
    ///   - definitions: RabbitMQ's `definitions.json` (users, vhosts, permissions, queues …), imported at every start
    ///     of the node. With nil the node has its default user `guest` and the virtual host `/`. RabbitMQ 3.10 starts
    ///     even if it cannot import all definitions, and gives no error: the import ends at the first entry it
    ///     refuses.
    public static func start(
        in directory: URL, definitions: Data?, options: Options = .init()
    ) throws(LocalServersError) -> LocalServers {
        let servers = try LocalServers(directory, definitions: definitions, options: options)
        do throws(LocalServersError) {
            try servers.startBoth()
        } catch {
            servers.stop()
            throw error
        }
        return servers
    }

    private init(_ url: URL, definitions: Data?, options: Options) throws(LocalServersError) {
        directory = try ServerDirectory(url, logs: options.logsTo)
        let programs = try Programs.find(postgresqlVersion: PostgreSQLServer.version(in: directory))
        try LeftBehind(directory: directory).end()
        reservation = try PortReservation(preferring: directory.storedPorts)
        let ports = reservation.ports
        try directory.store(ports)
        postgresqlPort = ports.postgresql
        rabbitmqPort = ports.rabbitmq
        postgresql = try PostgreSQLServer(
            directory: directory, programs: programs, port: ports.postgresql, listenAddress: options.listenAddress,
            dataChecksums: options.dataChecksums, extraSettings: options.postgresqlSettings)
        rabbitmq = try RabbitMQServer(
            directory: directory, programs: programs, ports: ports, plugins: options.rabbitmqPlugins,
            listenAddress: options.listenAddress, extraSettings: options.rabbitmqSettings,
            advancedSettings: options.rabbitmqAdvancedSettings, definitions: definitions)
        self.options = options
    }

    deinit { stop() }

    // MARK: URLs and process ids

    /// A libpq URL, `postgresql://user:password@127.0.0.1:port/database`.
    public func databaseURL(user: String, password: String?, database: String) -> String {
        let secret = password.map { ":" + percentEncoded($0) } ?? ""
        return "postgresql://\(percentEncoded(user))\(secret)@127.0.0.1:\(postgresqlPort)/\(percentEncoded(database))"
    }

    /// The URL of the superuser `postgres` in the database `postgres`. Its random password is kept in
    /// `postgresql/superuser.password`.
    public var superuserURL: String {
        databaseURL(user: "postgres", password: postgresql.superuserPassword, database: "postgres")
    }

    /// `amqp://user:password@127.0.0.1:port/virtualhost`; the virtual host `/` becomes `%2F`.
    public func amqpURL(user: String, password: String, virtualHost: String) -> String {
        let access = "\(percentEncoded(user)):\(percentEncoded(password))"
        return "amqp://\(access)@127.0.0.1:\(rabbitmqPort)/\(percentEncoded(virtualHost))"
    }

    /// Nil while the server is stopped.
    public var postgresqlProcessID: Int32? { lock.withLock { postgresql.processID } }

    /// The process id of the Erlang virtual machine; nil while the node is stopped.
    public var rabbitmqProcessID: Int32? { lock.withLock { rabbitmq.processID } }

    /// Runs `rabbitmqctl` against the node, within 60 s, and returns its output; after a failure the output is the
    /// error's cause.
    public func rabbitmqctl(_ arguments: [String]) throws(LocalServersError) -> String {
        try rabbitmq.control(arguments, seconds: 60)
    }

    // MARK: Servers that ended by themselves

    /// A server that ended without a request to stop.
    public struct EndedServer: Sendable, CustomStringConvertible {
        public enum Name: String, Sendable {
            case postgresql = "PostgreSQL"
            case rabbitmq = "RabbitMQ"
            case portMapper = "epmd"
        }
        public let name: Name
        /// As in `was ended by signal 9`.
        public let ending: String
        /// The log with the reason.
        public let logFile: String

        public var description: String { "\(name.rawValue) \(ending)" }
    }

    /// The servers that ended by themselves since they were started. The query also reaps their zombie processes.
    public var ended: [EndedServer] {
        lock.withLock {
            guard isOwner else { return [] }
            let all: [(EndedServer.Name, String?, String)] = [
                (.portMapper, rabbitmq.portMapperEnding, directory.logs + "/epmd.log"),
                (.postgresql, postgresql.ending, postgresql.logFile), (.rabbitmq, rabbitmq.ending, rabbitmq.logFile),
            ]
            return all.compactMap { name, ending, log in
                ending.map { EndedServer(name: name, ending: $0, logFile: log) }
            }
        }
    }

    /// Starts an ended server again, and returns when it answers. Does nothing if it runs.
    public func revive(_ name: EndedServer.Name) throws(LocalServersError) {
        switch name {
        case .postgresql: try startPostgreSQL()
        case .rabbitmq: try startRabbitMQ()
        case .portMapper: try locked { () throws(LocalServersError) in try rabbitmq.launchPortMapper() }
        }
    }

    // MARK: Stopping and starting one of them

    public func restartPostgreSQL(mode: ShutdownMode = .fast) throws(LocalServersError) {
        try locked { () throws(LocalServersError) in
            endPostgreSQL(mode)
            try beginPostgreSQL()
        }
    }

    public func stopPostgreSQL(mode: ShutdownMode = .fast) {
        lock.withLock { endPostgreSQL(mode) }
    }

    /// Does nothing if it runs.
    public func startPostgreSQL() throws(LocalServersError) {
        try locked { () throws(LocalServersError) in try beginPostgreSQL() }
    }

    public func restartRabbitMQ() throws(LocalServersError) {
        try locked { () throws(LocalServersError) in
            endRabbitMQ()
            try beginRabbitMQ()
        }
    }

    public func stopRabbitMQ() {
        lock.withLock { endRabbitMQ() }
    }

    /// Does nothing if it runs.
    public func startRabbitMQ() throws(LocalServersError) {
        try locked { () throws(LocalServersError) in try beginRabbitMQ() }
    }

    /// Ends the node at once (SIGKILL), like a power failure.
    public func killRabbitMQ() {
        lock.withLock { rabbitmq.kill() }
    }

    /// Stops both servers, within about a minute at worst, and releases the directory. A second call does nothing.
    public func stop() {
        lock.withLock {
            guard isOwner else { return }
            postgresql.requestStop(.fast)
            rabbitmq.requestStop()
            postgresql.finishStop(seconds: stopPatienceSeconds)
            rabbitmq.finishStop(seconds: stopPatienceSeconds)
            rabbitmq.stopPortMapper()
            release()
        }
    }

    /// Acts like a SIGKILL of the owner: the lock is released, the servers keep running. For tests of the next start.
    func abandon() {
        lock.withLock { release() }
    }

    // MARK: Steps

    private let stopPatienceSeconds = 15.0

    private func startBoth() throws(LocalServersError) {
        try locked { () throws(LocalServersError) in
            let deadline = Deadline.seconds(options.startTimeoutSeconds)
            // RabbitMQ first: it takes longest, and PostgreSQL becomes ready meanwhile.
            try rabbitmq.launch()
            try postgresql.initialise(until: deadline)
            try postgresql.launch()
            try postgresql.waitUntilReady(until: deadline, isCancelled: options.isCancelled)
            try rabbitmq.waitUntilReady(until: deadline, isCancelled: options.isCancelled)
        }
    }

    private func beginPostgreSQL() throws(LocalServersError) {
        try requireOwner()
        try postgresql.launch()
        try postgresql.waitUntilReady(until: .seconds(options.startTimeoutSeconds), isCancelled: options.isCancelled)
    }

    private func endPostgreSQL(_ mode: ShutdownMode) {
        postgresql.requestStop(mode)
        postgresql.finishStop(seconds: stopPatienceSeconds)
    }

    private func beginRabbitMQ() throws(LocalServersError) {
        try requireOwner()
        try rabbitmq.launch()
        try rabbitmq.waitUntilReady(until: .seconds(options.startTimeoutSeconds), isCancelled: options.isCancelled)
    }

    private func endRabbitMQ() {
        rabbitmq.requestStop()
        rabbitmq.finishStop(seconds: stopPatienceSeconds)
    }

    private func requireOwner() throws(LocalServersError) {
        if !isOwner { throw .init(.startFailed, "the servers of this directory were stopped: start them anew") }
    }

    private func release() {
        isOwner = false
        reservation.release()
        directory.unlock()
    }

    private func locked(_ body: () throws(LocalServersError) -> Void) throws(LocalServersError) {
        lock.lock()
        defer { lock.unlock() }
        try body()
    }
}

/// Keeps only unreserved characters, so that any user, password, database or virtual host is safe in a URL.
private func percentEncoded(_ text: String) -> String {
    let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
}
