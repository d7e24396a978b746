import Foundation

/// A program to execute, the account it runs as, and its environment.
struct Command: Sendable {
    var program: String
    var arguments: [String]
    /// The whole environment. Nothing of our own is passed on, so that a RABBITMQ_… or PG… variable cannot reach a
    /// server.
    var environment: [String: String]
    var workingDirectory: String
    var account: Account
    /// The path of `setpriv`, used when `account` is not our own.
    var setpriv: String?

    /// The words to execute. `setpriv` and the servers' scripts replace themselves (`exec`), so the process id stays
    /// the same.
    var words: [String] {
        guard let setpriv, account.userID != geteuid() else { return [program] + arguments }
        return [setpriv, "--reuid=\(account.userID)", "--regid=\(account.groupID)", "--clear-groups", program]
            + arguments
    }
}

/// A program that we started, with none of our descriptors. It has its own session, so that the terminal's Ctrl-C
/// does not reach it before we stop the servers in order.
final class ChildProcess {
    let processID: pid_t
    private(set) var exitStatus: Int32?

    private init(processID: pid_t) {
        self.processID = processID
    }

    /// - Parameters:
    ///   - input: the file for standard input; empty by default.
    ///   - output: the file to which standard output is appended, and standard error too unless `errors` is given.
    static func start(
        _ command: Command, input: String = "/dev/null", output: String, errors: String? = nil
    ) throws(LocalServersError) -> ChildProcess {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o640)
        if let errors {
            posix_spawn_file_actions_addopen(
                &actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o640)
        } else {
            posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        }
        let addCloseFrom: AddCloseFrom = try cFunction("posix_spawn_file_actions_addclosefrom_np")
        let addChangeDirectory: AddChangeDirectory = try cFunction("posix_spawn_file_actions_addchdir_np")
        _ = addCloseFrom(&actions, 3)
        _ = addChangeDirectory(&actions, command.workingDirectory)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | newSession)

        let words = command.words
        let environment = command.environment.map { "\($0)=\($1)" }
        var processID = pid_t()
        let status = withCStrings(words) { argv in
            withCStrings(environment) { envp in
                posix_spawn(&processID, words[0], &actions, &attributes, argv, envp)
            }
        }
        guard status == 0 else {
            throw .init(.startFailed, "\(command.program) could not be started", cause: systemMessage(status))
        }
        return ChildProcess(processID: processID)
    }

    /// False once it has ended; its exit status is then known, and its process id may belong to another process.
    var isRunning: Bool {
        if exitStatus != nil { return false }
        var status: Int32 = 0
        let ended = waitpid(processID, &status, WNOHANG)
        if ended == 0 || (ended < 0 && errno == EINTR) { return true }
        exitStatus = ended == processID ? status : -1
        return false
    }

    /// How it ended, in words; nil while it runs.
    var ending: String? {
        guard !isRunning, let exitStatus else { return nil }
        let number = exitStatus & 0x7F
        return number == 0 ? "ended with status \(exitStatus >> 8 & 0xFF)" : "was ended by signal \(number)"
    }

    func signal(_ number: Int32) {
        if isRunning { kill(processID, number) }
    }

    /// True if it ended before the deadline.
    func waitForExit(until deadline: Deadline) -> Bool {
        deadline.wait { !isRunning }
    }

    // The C library declares these behind _GNU_SOURCE, which Swift does not set, so they are looked up by name.
    private typealias FileActions = UnsafeMutablePointer<posix_spawn_file_actions_t>
    private typealias AddCloseFrom = @convention(c) (FileActions, Int32) -> Int32
    private typealias AddChangeDirectory = @convention(c) (FileActions, UnsafePointer<CChar>) -> Int32
    /// POSIX_SPAWN_SETSID
    private static let newSession: Int16 = 0x80

    private static func cFunction<Function>(_ name: String) throws(LocalServersError) -> Function {
        guard let address = dlsym(nil, name) else {
            throw .init(.startFailed, "the C library has no \(name): glibc 2.34 or newer is needed")
        }
        return unsafeBitCast(address, to: Function.self)
    }
}

/// A deadline on the monotonic clock.
struct Deadline {
    private let instant: ContinuousClock.Instant

    static func seconds(_ seconds: Double) -> Deadline {
        Deadline(instant: ContinuousClock.now.advanced(by: .seconds(seconds)))
    }

    /// Checks the condition every 20 ms until it is true; returns false when the time is over.
    func wait(for condition: () -> Bool) -> Bool {
        while !condition() {
            if ContinuousClock.now >= instant { return false }
            usleep(20_000)
        }
        return true
    }
}

func systemMessage(_ code: Int32) -> String {
    String(cString: strerror(code))
}

private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
