package import Basics
package import Foundation

/// A pipe that nothing is written to. The workers have its reading end as standard input, this process has the
/// other. When this process ends for any reason, the workers' input ends, and they stop.
package final class Lifeline: @unchecked Sendable {
    package let end: Int32
    private var ours: Int32

    package init() throws(UserError) {
        var descriptors: [Int32] = [-1, -1]
        guard pipe(&descriptors) == 0 else {
            throw UserError("no pipe can be made: \(String(cString: strerror(errno)))")
        }
        // A worker must not hold the writing end of its own pipe.
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        (end, ours) = (descriptors[0], descriptors[1])
    }

    /// Closes the writing end; called once, after the last use.
    package func cut() {
        if ours >= 0 { close(ours) }
        ours = -1
    }

    deinit {
        cut()
        close(end)
    }
}

/// Starts a program in its own session, so that Ctrl-C of the terminal reaches it only through this process, in
/// order. It inherits no other descriptors than these.
/// - Parameters:
///   - input: the descriptor of its standard input.
///   - log: the file to which its output and errors are appended.
package func spawn(_ program: String, _ arguments: [String], input: Int32, log: String) throws(UserError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o640)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    // A child that holds the writing end of another pipe would make its reader wait for ever. The C library
    // declares this function behind _GNU_SOURCE, which Swift does not set, so it is found by name.
    guard let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
        throw UserError("the C library is too old: glibc 2.34 or newer is needed")
    }
    _ = unsafeBitCast(closeFrom, to: AddCloseFrom.self)(&actions, STDERR_FILENO + 1)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let newSession: Int16 = 0x80
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | newSession)

    let words = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var processID = pid_t()
    let status = posix_spawn(&processID, program, &actions, &attributes, words + [nil], environ)
    guard status == 0 else { throw UserError("\(program) could not be started: \(String(cString: strerror(status)))") }
    return processID
}

private typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
