/// The address of the database and the timeouts.
///
/// The timeouts apply on the server (`statement_timeout` and similar settings) and on the socket, so that neither a
/// slow statement, nor a forgotten transaction, nor a lost peer can block the caller's thread for long. 0 turns a
/// timeout off. Values in the URL (`connect_timeout`, `options`, `application_name` …) override the fields below.
///
/// The URL may contain all of libpq's parameters: `target_session_attrs=read-write` to skip read-only hosts,
/// `sslmode=verify-full&sslrootcert=…` to accept only the right server, `sslcert=…&sslkey=…` to authenticate by
/// certificate. Without `sslmode`, libpq also connects without encryption.
public struct ConnectionSettings: Sendable {
    let url: String
    /// Seconds per host; libpq treats 1 as 2.
    public var connectTimeoutSeconds = 5
    public var statementTimeoutMilliseconds = 5000
    public var lockTimeoutMilliseconds = 4000
    public var idleInTransactionTimeoutMilliseconds = 2000
    /// How long sent bytes may stay unacknowledged by the peer's kernel; used on both sides.
    public var tcpUserTimeoutMilliseconds = 8000
    public var applicationName: String?
    /// True: transactions are read-only by default.
    public var readOnly = false
    /// True: the session protects itself. Harmful settings of role, database and server are overridden. Read-only
    /// hosts are skipped, unless `readOnly` is set or the URL decides it. An unsafe session (through a pooler, in a
    /// database that is not UTF-8, with triggers switched off) is refused as `.unsuitable`.
    public var isGuarded = false

    /// True for a second attempt at a read-only server: it may be read-only for this role only.
    var admitsReadOnlyRole = false

    /// - Parameter url: a libpq URI (`postgresql://user@host:port,host2/name?…`) or a key=value string; with several
    ///   hosts the first that answers is used.
    public init(url: String) {
        self.url = url
    }

    /// The parameters that go to libpq before the URL, so that the URL overrides them.
    var parameters: [(keyword: String, value: String)] {
        var parameters = [
            ("connect_timeout", String(connectTimeoutSeconds)),
            ("tcp_user_timeout", String(tcpUserTimeoutMilliseconds)),
            // An idle connection to a lost peer is noticed after 5 + 3 × 2 seconds.
            ("keepalives", "1"), ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
        ]
        if let applicationName { parameters.append(("application_name", applicationName)) }
        if isGuarded, !readOnly {
            parameters.append(("target_session_attrs", admitsReadOnlyRole ? "primary" : "read-write"))
        }
        return parameters
    }

    /// The server settings of the session, for the `options` parameter; of two equal names the later applies.
    func options(urlOptions: String?) -> String {
        var options = [
            "-c statement_timeout=\(statementTimeoutMilliseconds)",
            "-c lock_timeout=\(lockTimeoutMilliseconds)",
            "-c idle_in_transaction_session_timeout=\(idleInTransactionTimeoutMilliseconds)",
            // The server notices a lost client as soon as the client notices a lost server; its session and locks
            // then end.
            "-c tcp_user_timeout=\(tcpUserTimeoutMilliseconds)",
            "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
        ]
        if isGuarded { options = SessionGuard.options + options }
        if readOnly { options.append("-c default_transaction_read_only=on") }
        if let urlOptions { options.append(urlOptions) }
        return options.joined(separator: " ")
    }
}

/// Hides the URL, which may contain a password, from every way of printing the settings.
extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "ConnectionSettings(\(applicationName ?? "unnamed"))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["applicationName": applicationName as Any]) }
}
