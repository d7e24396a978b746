import Foundation

/// Servers that are left running because their owner was killed.
///
/// They are found by their arguments, one of which is our directory, and not by a stored process id alone: the id may
/// belong to another process by now, and an owner may die between starting a server and storing its id. Only the
/// holder of the directory's lock may search, so whatever is found has no owner.
struct LeftBehind {
    let directory: ServerDirectory

    /// Ends the servers and returns when they are gone and their ports are free.
    func end() throws(LocalServersError) {
        let found = all
        // A dying process loses its arguments, by which it is found, before it closes its sockets.
        let areGone = { found.allSatisfy(hasEnded) && all.isEmpty }
        // An immediate shutdown: the postmaster ends its own children; the next start runs the recovery.
        for processID in processes(where: isPostgreSQL) { kill(processID, SIGQUIT) }
        for processID in processes(where: { isRabbitMQ($0) || isPortMapper($0) }) { kill(processID, SIGKILL) }
        if Deadline.seconds(10).wait(for: areGone) { return }
        for processID in all { kill(processID, SIGKILL) }
        if Deadline.seconds(5).wait(for: areGone) { return }
        throw .init(
            .timedOut,
            "servers of \(directory.path) left behind by an earlier process cannot be stopped: kill pid "
                + all.map(String.init).joined(separator: ", "))
    }

    /// Ends the backends that a killed postmaster left: they would write to the cluster beside those of the new
    /// server.
    func endPostgreSQL() throws(LocalServersError) {
        for signal in [SIGQUIT, SIGKILL] {
            let found = processes(where: isPostgreSQL)
            for processID in found { kill(processID, signal) }
            if Deadline.seconds(5).wait(for: { found.allSatisfy(hasEnded) && processes(where: isPostgreSQL).isEmpty }) {
                return
            }
        }
        let left = processes(where: isPostgreSQL).map(String.init).joined(separator: ", ")
        throw .init(
            .timedOut, "what an ended PostgreSQL of \(directory.path) left behind cannot be stopped: kill pid \(left)")
    }

    private var all: [pid_t] {
        processes { isPostgreSQL($0) || isRabbitMQ($0) || isPortMapper($0) }
    }

    /// `postgres` or `initdb` with `-D` and our data directory. A server's children rename themselves, work in that
    /// directory, and live on after a killed server until they notice.
    private func isPostgreSQL(_ process: ProcessEntry) -> Bool {
        process.has("-D", directory.postgresqlData) || process.has("-D", directory.postgresqlDataUnfinished)
            || process.name == "postgres" && process.workingDirectory == directory.postgresqlData
    }

    private func isRabbitMQ(_ process: ProcessEntry) -> Bool {
        process.has(RabbitMQServer.directoryFlag, directory.rabbitmq)
    }

    /// The port mapper has no argument that could name a directory; its environment names it.
    private func isPortMapper(_ process: ProcessEntry) -> Bool {
        process.arguments.contains("-port") && process.name == "epmd"
            && process.environment.contains("HOME=" + directory.rabbitmq)
    }

    private func processes(where matches: (ProcessEntry) -> Bool) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { matches(ProcessEntry(processID: $0)) }
    }
}

/// One entry of `/proc`. A process that has ended and was not waited for has no arguments.
private struct ProcessEntry {
    let processID: pid_t
    let arguments: [String]

    init(processID: pid_t) {
        self.processID = processID
        arguments = words(ofFile: "/proc/\(processID)/cmdline")
    }

    var name: String {
        words(ofFile: "/proc/\(processID)/comm").first?.trimmingCharacters(in: .newlines) ?? ""
    }

    var workingDirectory: String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(processID)/cwd")
    }

    var environment: [String] {
        words(ofFile: "/proc/\(processID)/environ")
    }

    func has(_ flag: String, _ value: String) -> Bool {
        zip(arguments, arguments.dropFirst()).contains { $0 == flag && $1 == value }
    }
}

/// True if a process is gone, or is a zombie whose last thread has ended: its files and sockets are then closed.
private func hasEnded(_ processID: pid_t) -> Bool {
    // "pid (name) state …"; a name may contain anything, also parentheses.
    let stat = words(ofFile: "/proc/\(processID)/stat").first ?? ""
    guard let state = stat.split(separator: ")").last?.split(separator: " ").first else { return true }
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/task")) ?? []
    return (state == "Z" || state == "X") && threads.count <= 1
}

private func words(ofFile path: String) -> [String] {
    // FileManager relies on a file's size, which is 0 in /proc; a handle reads to the end.
    guard let handle = FileHandle(forReadingAtPath: path) else { return [] }
    defer { try? handle.close() }
    let bytes = (try? handle.readToEnd()) ?? nil
    return (bytes ?? Data()).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}
