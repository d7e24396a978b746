/// The address of a broker.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; an IPv6 address without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// How the client authenticates.
public enum Authentication: Sendable {
    /// User and password.
    case plain
    /// The client's TLS certificate; the broker needs the plugin `rabbitmq_auth_mechanism_ssl`.
    case external
}

/// The broker's addresses, the client's credentials and the timeouts.
public struct ConnectionSettings: Sendable {
    public var host: String
    public var port: Int
    /// Further addresses, tried in this order after `host`, such as the other nodes of a cluster.
    public var alternatives: [Endpoint] = []
    /// Tries the addresses in random order, so that many connections spread over the nodes of a cluster.
    public var shufflesHosts = false
    public var virtualHost: String
    public var user: String
    public var password: String
    public var authentication = Authentication.plain
    /// Nil: plain TCP.
    public var tls: TLSSettings?
    /// Shown in the broker's list of connections.
    public var connectionName: String?
    /// The heartbeat interval; the broker may ask for a shorter one. The client closes the connection after two
    /// silent intervals. RabbitMQ does so after two to three, and only then delivers our messages to other consumers:
    /// within 24 s. 0 turns heartbeats off.
    public var heartbeatSeconds = 8
    /// The timeout for each host: name look-up, TCP, TLS and the AMQP handshake together. Opening the virtual host,
    /// the last call, may take as long again.
    public var connectTimeoutSeconds = 5.0
    /// The timeout for each answer of the broker; a call without an answer ends the connection.
    public var rpcTimeoutSeconds = 10.0
    /// How long a peer may take no bytes while some wait in the socket, before the connection ends. This ends a write
    /// to a broker that stopped reading; a longer alarm may also end a publishing connection.
    public var tcpUserTimeoutMilliseconds = 8000
    /// The frame size to ask for; the broker's own limit applies too. Larger frames need more stack: the nesting of a
    /// received header is limited only by the frame's length.
    public var frameBytesMax = 131_072

    public init(
        host: String, port: Int = 5672, virtualHost: String = "/", user: String, password: String,
        connectionName: String? = nil
    ) {
        self.host = host
        self.port = port
        self.virtualHost = virtualHost
        self.user = user
        self.password = password
        self.connectionName = connectionName
    }

    /// All addresses, in the order in which they are tried unless `shufflesHosts` is set.
    public var endpoints: [Endpoint] { [Endpoint(host: host, port: port)] + alternatives }

    /// The same for this user. In the names of TLS files, `{user}` stands for the user's name.
    public func forUser(_ user: String, password: String) -> ConnectionSettings {
        var settings = self
        (settings.user, settings.password) = (user, password)
        settings.tls = tls?.mapFiles { $0.replacing("{user}", with: user) }
        return settings
    }

    /// Throws for settings that the library would misread.
    func validate() throws(AMQPError) {
        let texts = endpoints.map(\.host) + [virtualHost, user, password, connectionName ?? ""]
        guard !texts.contains(where: { $0.utf8.contains(0) || $0.utf8.count > 255 }) else {
            throw AMQPError(.invalidArgument, "a connection setting holds a NUL or more than 255 bytes")
        }
        guard endpoints.allSatisfy({ !$0.host.isEmpty && (1...65_535).contains($0.port) }) else {
            throw AMQPError(.invalidArgument, "host or port is missing")
        }
        guard (0...3_600).contains(heartbeatSeconds), (1...86_400_000).contains(tcpUserTimeoutMilliseconds) else {
            throw AMQPError(.invalidArgument, "heartbeatSeconds or tcpUserTimeoutMilliseconds is out of range")
        }
        guard (0.001...86_400).contains(connectTimeoutSeconds), (0.001...86_400).contains(rpcTimeoutSeconds) else {
            throw AMQPError(.invalidArgument, "a time-out is out of range")
        }
        // 8 KiB leave room for a message's own properties beside its headers; 4,096 is the minimum of AMQP.
        guard (8_192...1 << 24).contains(frameBytesMax) else {
            throw AMQPError(.invalidArgument, "frameBytesMax is not within 8192 and 16777216")
        }
        try tls?.validate()
    }
}

extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The addresses without the password; the same holds for reflection by a logger or a debugger.
    public var description: String { "\(scheme)\(places)" }
    public var debugDescription: String { "\(scheme)\(user)@\(places) vhost \(virtualHost)" }
    public var customMirror: Mirror { Mirror(self, children: ["address": debugDescription]) }

    private var scheme: String { tls == nil ? "amqp://" : "amqps://" }
    private var places: String { endpoints.map(\.description).joined(separator: ",") }
}
