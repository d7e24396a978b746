import Foundation

/// The paths of the two servers' programs.
struct Programs: Sendable {
    /// The folder of `postgres` and `initdb`, one major version.
    let postgresqlFolder: String
    let rabbitmqServer: String
    let rabbitmqctl: String
    /// Erlang's port mapper; `rabbitmqctl` needs it to find the node.
    let epmd: String
    /// Changes the user before a server is executed; needed only by root.
    let setpriv: String?

    /// - Parameter postgresqlVersion: the major version of an existing cluster, because no other version can open it.
    static func find(postgresqlVersion: String?) throws(LocalServersError) -> Programs {
        let postgresqlFolder = try postgresqlFolder(version: postgresqlVersion)
        // Debian's /usr/sbin/rabbitmq-server works only with the system's own node, so the real script comes first.
        guard
            let rabbitmqServer = firstExecutable(["/usr/lib/rabbitmq/bin/rabbitmq-server"]) ?? onPath("rabbitmq-server")
        else {
            throw .init(.missingProgram, "rabbitmq-server is not installed: apt-get install rabbitmq-server")
        }
        let rabbitmqctl = URL(filePath: rabbitmqServer).deletingLastPathComponent().appending(path: "rabbitmqctl").path
        guard let epmd = onPath("epmd") ?? firstExecutable(["/usr/lib/erlang/bin/epmd"]) else {
            throw .init(.missingProgram, "epmd is not installed: apt-get install erlang-base")
        }
        let setpriv = onPath("setpriv")
        if geteuid() == 0 && setpriv == nil {
            throw .init(.missingProgram, "setpriv is not installed: apt-get install util-linux")
        }
        return Programs(
            postgresqlFolder: postgresqlFolder, rabbitmqServer: rabbitmqServer, rabbitmqctl: rabbitmqctl, epmd: epmd,
            setpriv: setpriv)
    }

    /// The search path, also given to the servers, so that their scripts find `erl`.
    static var searchPath: String {
        let standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        guard let own = ProcessInfo.processInfo.environment["PATH"], !own.isEmpty else { return standard }
        return own + ":" + standard
    }

    private static func postgresqlFolder(version: String?) throws(LocalServersError) -> String {
        let root = "/usr/lib/postgresql"
        let installed = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .compactMap { Int($0) }
            .sorted(by: >)
            .map { "\(root)/\($0)/bin" }
        let wanted = version.map { "\(root)/\($0)/bin" }
        let candidates = (wanted.map { [$0] } ?? []) + installed
        if let postgres = firstExecutable(candidates.map { $0 + "/postgres" }) ?? onPath("postgres") {
            return URL(filePath: postgres).deletingLastPathComponent().path
        }
        throw .init(.missingProgram, "PostgreSQL is not installed: apt-get install postgresql")
    }

    private static func onPath(_ name: String) -> String? {
        firstExecutable(searchPath.split(separator: ":").map { "\($0)/\(name)" })
    }

    private static func firstExecutable(_ paths: [String]) -> String? {
        paths.first { access($0, X_OK) == 0 }
    }
}

/// A system user as which a server runs.
struct Account: Sendable, Equatable {
    let name: String
    let userID: uid_t
    let groupID: gid_t

    static var current: Account {
        Account(name: Account.name(of: geteuid()), userID: geteuid(), groupID: getegid())
    }

    static func named(_ name: String) -> Account? {
        guard let entry = getpwnam(name) else { return nil }
        return Account(name: name, userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
    }

    static func name(of userID: uid_t) -> String {
        guard let entry = getpwuid(userID), let name = entry.pointee.pw_name else { return "\(userID)" }
        return String(cString: name)
    }
}
