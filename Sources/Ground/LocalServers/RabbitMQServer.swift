import Foundation

/// A private RabbitMQ node with its own Erlang port mapper (`epmd`), on 127.0.0.1; AMQP also on `listenAddress`.
final class RabbitMQServer {
    /// An argument that Erlang ignores. It names the node's directory, by which `LeftBehind` finds the node.
    static let directoryFlag = "-bihuan_directory"

    private let directory: ServerDirectory
    private let programs: Programs
    private let ports: LoopbackPorts
    /// The node's name; kept, because the folder of its data is named after it.
    private let nodeName: String
    private let listenAddress: String?
    /// Lines for `rabbitmq.conf`.
    private let extraSettings: [String: String]
    private var node: ChildProcess?
    private var portMapper: ChildProcess?

    init(
        directory: ServerDirectory, programs: Programs, ports: LoopbackPorts, plugins: [String],
        listenAddress: String?, extraSettings: [String: String], advancedSettings: String, definitions: Data?
    ) throws(LocalServersError) {
        self.directory = directory
        self.programs = programs
        self.ports = ports
        self.listenAddress = listenAddress
        self.extraSettings = extraSettings
        let owner = directory.rabbitmqAccount
        let folder = directory.rabbitmq
        nodeName = try directory.keptText(
            folder + "/nodename", mode: 0o644, owner: owner, new: { "bihuan-\(randomHexadecimal(bytes: 4))@localhost" })
        // Erlang accepts a cookie only from a file that only its owner can read.
        _ = try directory.keptText(folder + "/.erlang.cookie", mode: 0o400, owner: owner, new: { randomHexadecimal() })
        let pluginList = "[\(plugins.joined(separator: ", "))].\n"
        try writeFile(folder + "/enabled_plugins", Data(pluginList.utf8), mode: 0o600, owner: owner)
        try writeFile(folder + "/advanced.config", Data((advancedSettings + "\n").utf8), mode: 0o600, owner: owner)
        if let definitions {
            // RabbitMQ ignores a file that is not JSON without an error.
            guard (try? JSONSerialization.jsonObject(with: definitions)) is [String: Any] else {
                throw .init(.startFailed, "the definitions for RabbitMQ are not a JSON object: correct them")
            }
            try writeFile(definitionsFile, definitions, mode: 0o600, owner: owner)
        } else {
            unlink(definitionsFile)
        }
        let configuration = configuration(hasDefinitions: definitions != nil)
        try writeFile(folder + "/rabbitmq.conf", Data(configuration.utf8), mode: 0o600, owner: owner)
    }

    var logFile: String { directory.logs + "/rabbitmq/rabbitmq.log" }
    var processID: pid_t? { node.flatMap { $0.isRunning ? $0.processID : nil } }
    /// How it ended by itself; nil while it runs, and after a requested stop. `portMapperEnding` is the same for
    /// `epmd`.
    var ending: String? { node?.ending }
    var portMapperEnding: String? { portMapper?.ending }

    /// Starts the port mapper if it is not running, then the node.
    func launch() throws(LocalServersError) {
        if processID != nil { return }
        try launchPortMapper()
        // Distribution is set up here and not by RabbitMQ, which would first start a second Erlang machine to start
        // epmd and check names and ports: that takes a third of the whole start.
        let arguments = [
            "-sname", nodeName, "-start_epmd", "false",
            "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
            "-kernel", "inet_dist_listen_min", "\(ports.distribution)",
            "-kernel", "inet_dist_listen_max", "\(ports.distribution)",
            RabbitMQServer.directoryFlag, directory.rabbitmq,
        ]
        node = try ChildProcess.start(command(programs.rabbitmqServer, arguments), output: startLog)
    }

    /// Waits until the node answers an AMQP client. It opens its listeners after the import of the definitions.
    func waitUntilReady(until deadline: Deadline, isCancelled: () -> Bool) throws(LocalServersError) {
        let protocolHeader = Array("AMQP".utf8) + [0, 0, 9, 1]
        let methodFrame: UInt8 = 1
        var ready = false
        let decided = deadline.wait {
            ready = answers(port: ports.rabbitmq, request: protocolHeader, replyBeginsWith: methodFrame)
            return ready || processID == nil || isCancelled()
        }
        if ready && processID != nil { return }
        if !decided {
            throw .init(.timedOut, "RabbitMQ did not answer on port \(ports.rabbitmq) in time: read \(logFile)")
        }
        if processID == nil {
            throw .init(.startFailed, "RabbitMQ ended while starting: read \(logFile) and \(startLog)")
        }
        throw .init(.cancelled, "the start of the servers was cancelled")
    }

    /// Sends SIGTERM, which RabbitMQ takes as an orderly shutdown.
    func requestStop() {
        node?.signal(SIGTERM)
    }

    func finishStop(seconds: Double) {
        guard let node else { return }
        if !node.waitForExit(until: .seconds(seconds)) { kill() }
        self.node = nil
    }

    /// Ends the node at once, like a power failure.
    func kill() {
        node?.signal(SIGKILL)
        _ = node?.waitForExit(until: .seconds(5))
        node = nil
    }

    func stopPortMapper() {
        portMapper?.signal(SIGKILL)
        _ = portMapper?.waitForExit(until: .seconds(5))
        portMapper = nil
    }

    /// Runs `rabbitmqctl` against the node and returns what it printed.
    func control(_ arguments: [String], seconds: Double) throws(LocalServersError) -> String {
        try RabbitMQControl(
            node: "the private node of \(directory.path)", program: programs.rabbitmqctl, environment: environment,
            folder: directory.rabbitmq, account: directory.rabbitmqAccount, logFile: logFile
        ).run(arguments, seconds: seconds)
    }

    // MARK: Steps

    private var startLog: String { directory.logs + "/rabbitmq-start.log" }
    private var definitionsFile: String { directory.rabbitmq + "/definitions.json" }

    func launchPortMapper() throws(LocalServersError) {
        if portMapper?.isRunning == true { return }
        let log = directory.logs + "/epmd.log"
        let mapper = try ChildProcess.start(
            command(programs.epmd, ["-port", "\(ports.epmd)", "-address", "127.0.0.1"]), output: log)
        portMapper = mapper
        // epmd is asked for its names, and answers with its port in four bytes, the first of them 0.
        var ready = false
        _ = Deadline.seconds(10).wait {
            ready = answers(port: ports.epmd, request: [0, 1, UInt8(ascii: "n")], replyBeginsWith: 0)
            return ready || !mapper.isRunning
        }
        if !ready || !mapper.isRunning {
            throw .init(.startFailed, "epmd did not start on port \(ports.epmd): read \(log)")
        }
    }

    private func command(_ program: String, _ arguments: [String]) -> Command {
        Command(
            program: program, arguments: arguments, environment: environment, workingDirectory: directory.rabbitmq,
            account: directory.rabbitmqAccount, setpriv: programs.setpriv)
    }

    private var environment: [String: String] {
        let folder = directory.rabbitmq
        return RabbitMQControl.environment(nodeName: nodeName, folder: folder, epmdPort: ports.epmd).merging([
            "ERL_CRASH_DUMP": directory.logs + "/rabbitmq/erl_crash.dump",
            "RABBITMQ_DIST_PORT": "\(ports.distribution)",
            // Idle schedulers sleep instead of spinning: the node shares its processors with everything else.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_MNESIA_BASE": folder + "/mnesia",
            "RABBITMQ_LOG_BASE": directory.logs + "/rabbitmq",
            "RABBITMQ_LOGS": logFile,
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": folder + "/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": folder + "/generated",
            "RABBITMQ_PID_FILE": folder + "/pid",
            // The start script then replaces itself with the node instead of watching it, so the process id stays and
            // SIGTERM reaches the node.
            "RUNNING_UNDER_SYSTEMD": "true",
        ]) { _, new in new }
    }

    /// The text of `rabbitmq.conf`. It contains no path: RabbitMQ reads this file as ASCII, and finds a relative name
    /// in the node's own folder.
    private func configuration(hasDefinitions: Bool) -> String {
        var settings = [
            "listeners.tcp.1": "127.0.0.1:\(ports.rabbitmq)",
            "disk_free_limit.absolute": "50MB",
            "vm_memory_high_watermark.relative": "0.4",
            "raft.wal_max_size_bytes": "64000000",
            "max_message_size": "2097152",
        ]
        if let listenAddress { settings["listeners.tcp.2"] = "\(listenAddress):\(ports.rabbitmq)" }
        if hasDefinitions { settings["load_definitions"] = "definitions.json" }
        settings.merge(extraSettings) { _, extra in extra }
        let lines = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
        return "# Written anew at each start.\n" + lines.joined(separator: "\n") + "\n"
    }
}
