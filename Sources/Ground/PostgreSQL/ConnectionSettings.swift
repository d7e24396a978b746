/// Where the database is, and how long anything may take.
///
/// The time-outs hold on the server (`statement_timeout` and its kin) and on the socket, so that neither a slow
/// statement, a forgotten transaction nor a vanished peer can hold the caller's thread. 0 turns a time-out off.
/// What the URL itself says (`connect_timeout`, `options`, `application_name` …) wins over the fields below.
///
/// Whatever libpq knows can stand in the URL: `target_session_attrs=read-write` to pass over hosts that are read-only,
/// `sslmode=verify-full&sslrootcert=…` to talk to the right server only, `sslcert=…&sslkey=…` to be known by
/// certificate. Without `sslmode`, libpq also talks in the clear.
public struct ConnectionSettings: Sendable {
    let url: String
    /// Seconds per host; libpq takes 1 as 2.
    public var connectTimeoutSeconds = 5
    public var statementTimeoutMilliseconds = 5000
    public var lockTimeoutMilliseconds = 4000
    public var idleInTransactionTimeoutMilliseconds = 2000
    /// How long sent bytes may stay unacknowledged by the peer's kernel, on either side.
    public var tcpUserTimeoutMilliseconds = 8000
    public var applicationName: String?
    /// Whether transactions are read-only unless they say otherwise.
    public var readOnly = false
    /// Whether the session guards itself: settings of role, database and server that would hurt are overridden, hosts
    /// that only read are passed over unless `readOnly` is set or the URL says otherwise, and a session that would not
    /// be safe (through a pooler, of a database that is not in UTF-8, with triggers switched off) is refused as
    /// `.unsuitable`.
    public var isGuarded = false

    /// A second look at a server that said it only reads: perhaps it is only so for this role.
    var admitsReadOnlyRole = false

    /// - Parameter url: a libpq URI (`postgresql://user@host:port,host2/name?…`) or a key=value string; with several
    ///   hosts the first that answers is taken.
    public init(url: String) {
        self.url = url
    }

    /// What is passed to libpq ahead of the URL, so that the URL wins.
    var parameters: [(keyword: String, value: String)] {
        var parameters = [
            ("connect_timeout", String(connectTimeoutSeconds)),
            ("tcp_user_timeout", String(tcpUserTimeoutMilliseconds)),
            // An idle connection to a vanished peer is noticed after 5 + 3 × 2 seconds.
            ("keepalives", "1"), ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
        ]
        if let applicationName { parameters.append(("application_name", applicationName)) }
        if isGuarded, !readOnly {
            parameters.append(("target_session_attrs", admitsReadOnlyRole ? "primary" : "read-write"))
        }
        return parameters
    }

    /// Server settings for the session, in the form of the `options` parameter; of two equal names the later wins.
    func options(urlOptions: String?) -> String {
        var options = [
            "-c statement_timeout=\(statementTimeoutMilliseconds)",
            "-c lock_timeout=\(lockTimeoutMilliseconds)",
            "-c idle_in_transaction_session_timeout=\(idleInTransactionTimeoutMilliseconds)",
            // The server notices a vanished client as soon as the client a vanished server: its locks and its session
            // end.
            "-c tcp_user_timeout=\(tcpUserTimeoutMilliseconds)",
            "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
        ]
        if isGuarded { options = SessionGuard.options + options }
        if readOnly { options.append("-c default_transaction_read_only=on") }
        if let urlOptions { options.append(urlOptions) }
        return options.joined(separator: " ")
    }
}

/// The URL may hold a password, so no way of printing the settings shows it.
extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "ConnectionSettings(\(applicationName ?? "unnamed"))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["applicationName": applicationName as Any]) }
}
