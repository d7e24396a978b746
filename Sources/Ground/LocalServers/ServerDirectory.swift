import Foundation

/// The directory that holds both servers, owned by one process at a time.
///
///     DIR/lock                  locked by flock while the owner lives; its text is the owner's process id
///     DIR/ports.json
///     DIR/postgresql/           of PostgreSQL's user, 0700: data/, superuser.password
///     DIR/rabbitmq/             of RabbitMQ's user, 0700: configuration, definitions.json, .erlang.cookie, mnesia/
///     DIR/log/                  postgresql.log, rabbitmq-start.log, epmd.log, rabbitmq/rabbitmq.log
final class ServerDirectory {
    let path: String
    let logs: String
    /// The user of PostgreSQL: root runs it as `postgres`, because PostgreSQL refuses to run as root.
    let postgresqlAccount: Account
    let rabbitmqAccount: Account
    private var lock: Int32

    var postgresql: String { path + "/postgresql" }
    var postgresqlData: String { postgresql + "/data" }
    /// Where `initdb` works; renamed to `data` when complete, so that half a cluster is never opened.
    var postgresqlDataUnfinished: String { postgresql + "/data.unfinished" }
    var rabbitmq: String { path + "/rabbitmq" }
    var portsFile: String { path + "/ports.json" }

    /// Makes missing folders, takes the lock, and checks that the servers' users can enter.
    init(_ directory: URL, logs wantedLogs: URL?) throws(LocalServersError) {
        path = try ServerDirectory.makeRoot(directory)
        lock = try ServerDirectory.takeLock(path + "/lock")
        do throws(LocalServersError) {
            (postgresqlAccount, rabbitmqAccount) = try ServerDirectory.accounts()
            logs = try wantedLogs.map(ServerDirectory.makeRoot) ?? path + "/log"
            try makeDirectories()
        } catch {
            close(lock)
            lock = -1
            throw error
        }
    }

    func unlock() {
        if lock >= 0 { close(lock) }
        lock = -1
    }

    deinit { unlock() }

    var storedPorts: LoopbackPorts? {
        FileManager.default.contents(atPath: portsFile).flatMap {
            try? JSONDecoder().decode(LoopbackPorts.self, from: $0)
        }
    }

    func store(_ ports: LoopbackPorts) throws(LocalServersError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let bytes = try? encoder.encode(ports) else { return }
        try writeFile(portsFile, bytes, mode: 0o644, owner: .current)
    }

    /// The text of a small secret or name that is made once and kept: read from the file, or new.
    func keptText(_ file: String, mode: mode_t, owner: Account, new: () -> String) throws(LocalServersError) -> String {
        if let bytes = FileManager.default.contents(atPath: file), !bytes.isEmpty {
            return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let text = new()
        try writeFile(file, Data((text + "\n").utf8), mode: mode, owner: owner)
        return text
    }

    // MARK: Steps

    private static func makeRoot(_ directory: URL) throws(LocalServersError) -> String {
        let given = directory.path
        // These characters would need quoting in postgresql.conf, rabbitmq.conf or Erlang terms.
        if given.unicodeScalars.contains(where: { $0.value < 32 || "'\"\\#".unicodeScalars.contains($0) }) {
            throw .init(
                .invalidDirectory, "the directory's path has a quote, backslash, # or control character: choose another"
            )
        }
        if !FileManager.default.fileExists(atPath: given) {
            do {
                // Root's servers run as other users, who must be able to pass through but not to list the folder.
                let mode = geteuid() == 0 ? 0o711 : 0o700
                try FileManager.default.createDirectory(
                    at: directory.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.createDirectory(
                    at: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: mode])
            } catch {
                throw .init(.invalidDirectory, "the directory \(given) cannot be made", cause: "\(error)")
            }
        }
        guard let real = realpath(given, nil) else {
            throw .init(.invalidDirectory, "the directory \(given) cannot be read", cause: systemMessage(errno))
        }
        defer { free(real) }
        return String(cString: real)
    }

    private static func takeLock(_ file: String) throws(LocalServersError) -> Int32 {
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else {
            throw .init(.invalidDirectory, "the file \(file) cannot be opened", cause: systemMessage(errno))
        }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            defer { close(descriptor) }
            var text = [UInt8](repeating: 0, count: 32)
            let count = read(descriptor, &text, text.count)
            let owner = String(decoding: text.prefix(max(count, 0)), as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
            throw .init(
                .alreadyRunning, "the servers of \(file.dropLast("/lock".count)) are already running, pid \(owner)")
        }
        let own = Array("\(getpid())\n".utf8)
        ftruncate(descriptor, 0)
        pwrite(descriptor, own, own.count, 0)
        return descriptor
    }

    private static func accounts() throws(LocalServersError) -> (Account, Account) {
        guard geteuid() == 0 else { return (.current, .current) }
        guard let postgres = Account.named("postgres") else {
            throw .init(
                .missingProgram,
                "PostgreSQL does not run as root and there is no user postgres: apt-get install postgresql")
        }
        return (postgres, Account.named("rabbitmq") ?? .current)
    }

    private func makeDirectories() throws(LocalServersError) {
        try makeDirectory(postgresql, mode: 0o700, owner: postgresqlAccount)
        try makeDirectory(rabbitmq, mode: 0o700, owner: rabbitmqAccount)
        try makeDirectory(logs, mode: 0o755, owner: .current)
        try makeDirectory(logs + "/rabbitmq", mode: 0o750, owner: rabbitmqAccount)
        for account in [postgresqlAccount, rabbitmqAccount] where account != .current {
            try checkEntry(to: path, for: account)
            try checkEntry(to: logs, for: account)
        }
    }

    private func makeDirectory(_ directory: String, mode: mode_t, owner: Account) throws(LocalServersError) {
        if mkdir(directory, mode) == 0 {
            guard chown(directory, owner.userID, owner.groupID) == 0, chmod(directory, mode) == 0 else {
                throw .init(
                    .invalidDirectory, "\(directory) cannot be given to user \(owner.name)", cause: systemMessage(errno)
                )
            }
            return
        }
        let reason = errno
        var status = stat()
        guard reason == EEXIST, lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw .init(.invalidDirectory, "the directory \(directory) cannot be made", cause: systemMessage(reason))
        }
        guard status.st_uid == owner.userID else {
            throw .init(
                .invalidDirectory,
                "\(directory) belongs to user \(Account.name(of: status.st_uid)), not \(owner.name): "
                    + "start as the user who made it, or choose another directory")
        }
    }

    /// Checks that the account can pass through every folder on the path; the error names the folder that it cannot
    /// pass.
    private func checkEntry(to directory: String, for account: Account) throws(LocalServersError) {
        var folder = ""
        for name in directory.split(separator: "/") {
            folder += "/" + name
            var status = stat()
            guard stat(folder, &status) == 0 else {
                throw .init(.invalidDirectory, "the directory \(folder) cannot be read", cause: systemMessage(errno))
            }
            let bit: mode_t =
                if status.st_uid == account.userID { S_IXUSR } else if status.st_gid == account.groupID { S_IXGRP } else
                { S_IXOTH }
            if status.st_mode & bit == 0 {
                throw .init(
                    .invalidDirectory,
                    "user \(account.name), who runs a server, may not enter \(folder): "
                        + "choose a directory elsewhere, or chmod o+x \(folder)")
            }
        }
    }
}

/// Writes a file atomically: it exists whole or not at all, even if its folder belongs to another user.
func writeFile(_ path: String, _ bytes: Data, mode: mode_t, owner: Account) throws(LocalServersError) {
    let unfinished = path + ".new"
    unlink(unfinished)
    let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
        throw .init(.invalidDirectory, "the file \(path) cannot be written", cause: systemMessage(errno))
    }
    defer { close(descriptor) }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    do {
        try handle.write(contentsOf: bytes)
    } catch {
        throw .init(.invalidDirectory, "the file \(path) cannot be written", cause: "\(error)")
    }
    guard fchown(descriptor, owner.userID, owner.groupID) == 0, fchmod(descriptor, mode) == 0, fsync(descriptor) == 0,
        rename(unfinished, path) == 0
    else {
        throw .init(.invalidDirectory, "the file \(path) cannot be written", cause: systemMessage(errno))
    }
}

/// Random bytes as hexadecimal digits, 128 bits by default.
func randomHexadecimal(bytes: Int = 16) -> String {
    (0..<bytes).map { _ in String(format: "%02x", UInt8.random(in: .min ... .max)) }.joined()
}
