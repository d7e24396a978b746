public import Foundation

/// `rabbitmqctl` against one node of this machine, run as the user whose Erlang cookie the node shares. Each call has
/// a timeout.
public struct RabbitMQControl: Sendable {
    /// The node, in words for an error.
    public let node: String
    private let base: Command
    /// The log of a private node; nil for another node.
    private let logFile: String?
    /// The folder for input and output while a call runs.
    private let scratch: String

    /// The private node that `LocalServers` runs in a directory, whoever owns it; nil if no node ever ran there.
    public static func ofPrivateNode(in directory: URL) throws(LocalServersError) -> RabbitMQControl? {
        let folder = directory.appending(path: "rabbitmq").path
        var status = stat()
        guard stat(folder, &status) == 0 else { return nil }
        let nameFile = folder + "/nodename"
        guard geteuid() == 0 || status.st_uid == geteuid() else {
            throw .init(
                .invalidDirectory,
                "\(folder) belongs to user \(Account.name(of: status.st_uid)): ask as that user, or as root")
        }
        guard let name = FileManager.default.contents(atPath: nameFile),
            let list = FileManager.default.contents(atPath: directory.path + "/ports.json"),
            let ports = try? JSONDecoder().decode(LoopbackPorts.self, from: list)
        else { return nil }
        let nodeName = String(decoding: name, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        let owner = Account(name: Account.name(of: status.st_uid), userID: status.st_uid, groupID: status.st_gid)
        return try RabbitMQControl(
            node: "the private node of \(directory.path)",
            environment: environment(nodeName: nodeName, folder: folder, epmdPort: ports.epmd), folder: folder,
            account: owner, logFile: directory.path + "/log/rabbitmq/rabbitmq.log")
    }

    /// A node of the system's own installation.
    /// - Parameter name: such as `rabbit@host`; nil uses the default of `rabbitmqctl`.
    public static func ofSystemNode(_ name: String?) throws(LocalServersError) -> RabbitMQControl {
        let account = geteuid() == 0 ? Account.named("rabbitmq") ?? .current : .current
        let home = getpwuid(account.userID).map { String(cString: $0.pointee.pw_dir) } ?? "/"
        // An operator's settings for rabbitmqctl apply here too.
        var environment = ProcessInfo.processInfo.environment.filter {
            $0.key.hasPrefix("RABBITMQ_") || $0.key.hasPrefix("ERL_EPMD_")
        }
        environment.merge(["PATH": Programs.searchPath, "LANG": "C.UTF-8", "HOME": home]) { _, new in new }
        if let name { environment["RABBITMQ_NODENAME"] = name }
        return try RabbitMQControl(
            node: name.map { "the node \($0)" } ?? "this machine's own node", environment: environment, folder: "/",
            account: account, logFile: nil)
    }

    /// - Parameter program: the path of `rabbitmqctl`; searched if nil.
    init(
        node: String, program: String? = nil, environment: [String: String], folder: String, account: Account,
        logFile: String?
    ) throws(LocalServersError) {
        // Debian's /usr/sbin/rabbitmqctl would change the user again, through a shell.
        let places = ["/usr/lib/rabbitmq/bin"] + Programs.searchPath.split(separator: ":").map(String.init)
        func found(_ name: String) -> String? { places.map { $0 + "/" + name }.first { access($0, X_OK) == 0 } }
        guard let program = program ?? found("rabbitmqctl") else {
            throw .init(.missingProgram, "rabbitmqctl is not installed on this machine")
        }
        let setpriv = found("setpriv")
        if account.userID != geteuid(), setpriv == nil {
            throw .init(.missingProgram, "setpriv is not installed: apt-get install util-linux")
        }
        self.node = node
        self.logFile = logFile
        scratch = FileManager.default.temporaryDirectory.path
        // Without a port mapper there is no node, and rabbitmqctl must not leave a mapper of its own running.
        let environment = environment.merging(["ERL_AFLAGS": "-start_epmd false"]) { _, new in new }
        base = Command(
            program: program, arguments: [], environment: environment, workingDirectory: folder, account: account,
            setpriv: setpriv)
    }

    /// The variables with which rabbitmqctl finds a private node; the node needs them too.
    static func environment(nodeName: String, folder: String, epmdPort: Int) -> [String: String] {
        [
            "PATH": Programs.searchPath,
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": "\(epmdPort)",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": nodeName,
            // The system's own settings are for the system's own node only.
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            // rabbitmqctl listens too while it runs: on loopback, on any free port.
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        ]
    }

    /// Runs `rabbitmqctl` and returns its output; after a failure the output is the error's cause.
    /// - Parameter input: the text for standard input; a secret belongs here and not among the arguments.
    public func run(_ arguments: [String], input: Data? = nil, seconds: Double = 60) throws(LocalServersError) -> String
    {
        // Files that only we and the program can read: a pipe would have to be served during the timed wait.
        let folder = scratch + "/bihuan-rabbitmqctl-" + randomHexadecimal(bytes: 8)
        guard mkdir(folder, 0o700) == 0 else {
            throw .init(.invalidDirectory, "the folder \(folder) cannot be made", cause: systemMessage(errno))
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        if let input { try writeFile(folder + "/input", input, mode: 0o600, owner: .current) }
        var command = base
        command.arguments = arguments
        let (output, errors) = (folder + "/output", folder + "/errors")
        let word = arguments.first { !$0.hasPrefix("-") } ?? ""
        let process = try ChildProcess.start(
            command, input: input == nil ? "/dev/null" : folder + "/input", output: output, errors: errors)
        let advice = logFile.map { ": read \($0)" } ?? ""
        guard process.waitForExit(until: .seconds(seconds)) else {
            process.signal(SIGKILL)
            _ = process.waitForExit(until: .seconds(5))
            throw .init(.timedOut, "rabbitmqctl \(word) did not end within \(Int(seconds)) s\(advice)")
        }
        let printed = text(ofFile: output)
        guard process.exitStatus == 0 else {
            throw .init(.startFailed, "rabbitmqctl \(word) failed\(advice)", cause: printed + text(ofFile: errors))
        }
        return printed
    }

    private func text(ofFile path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
