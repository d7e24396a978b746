/// Where the broker is, who we are, and how long anything may take.
public struct ConnectionSettings: Sendable {
    public var host: String
    public var port: Int
    public var virtualHost: String
    public var user: String
    public var password: String
    /// Shown in the broker's list of connections.
    public var connectionName: String?
    /// The broker may ask for less. Either side gives the other up after two silent intervals.
    public var heartbeatSeconds = 20
    /// For the TCP connection and the AMQP handshake together.
    public var connectTimeoutSeconds = 5.0
    /// For each answer of the broker; a call without answer ends the connection.
    public var rpcTimeoutSeconds = 10.0
    /// A peer that takes no bytes while some are waiting in the socket is dead after this time. That is what ends a write into
    /// a broker that stopped reading; an alarm that lasts longer may so cost a publishing connection.
    public var tcpUserTimeoutMilliseconds = 8000
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

    /// `amqp://user:password@host:port/vhost`, each part percent-encoded where needed. Port 5672, vhost `/` and the broker's own
    /// `guest` are the defaults. Throws `invalidArgument`, without repeating the URL: it holds a password.
    public init(url: String) throws(AMQPError) {
        let scheme = "amqp://"
        guard url.hasPrefix(scheme) else { throw AMQPError(.invalidArgument, "the URL does not begin with amqp://") }
        let rest = url.dropFirst(scheme.count)
        guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw AMQPError(.invalidArgument, "the URL has a query or a fragment")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        let path = rest[slash...].dropFirst()

        let at = authority.lastIndex(of: "@")
        let credentials = at.map { authority[..<$0] } ?? "guest:guest"
        let address = at.map { authority[authority.index(after: $0)...] } ?? authority
        let colon = credentials.firstIndex(of: ":") ?? credentials.endIndex

        let (host, port) = try Self.split(address: address)
        self.init(
            host: try Self.percentDecoded(host, "host"), port: port,
            virtualHost: path.isEmpty ? "/" : try Self.percentDecoded(path, "virtual host"),
            user: try Self.percentDecoded(credentials[..<colon], "user"),
            password: try Self.percentDecoded(credentials[colon...].dropFirst(), "password"))
    }

    private static func split(address: Substring) throws(AMQPError) -> (host: Substring, port: Int) {
        var host = address
        var portText: Substring?
        if address.hasPrefix("["), let bracket = address.firstIndex(of: "]") {
            host = address[address.index(after: address.startIndex)..<bracket]
            let after = address[address.index(after: bracket)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw AMQPError(.invalidArgument, "text after ] in the URL") }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = address.lastIndex(of: ":") {
            host = address[..<colon]
            portText = address[address.index(after: colon)...]
        }
        guard !host.isEmpty else { throw AMQPError(.invalidArgument, "the URL names no host") }
        guard let portText else { return (host, 5672) }
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw AMQPError(.invalidArgument, "the URL's port is not within 1 to 65535")
        }
        return (host, port)
    }

    private static func percentDecoded(_ text: Substring, _ part: String) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                throw AMQPError(.invalidArgument, "a bad percent escape in the URL's \(part)")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw AMQPError(.invalidArgument, "the URL's \(part) is not text")
        }
        return decoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    /// Refuses what would reach the library as something else.
    func validate() throws(AMQPError) {
        let texts = [host, virtualHost, user, password, connectionName ?? ""]
        guard !texts.contains(where: { $0.utf8.contains(0) || $0.utf8.count > 255 }) else {
            throw AMQPError(.invalidArgument, "a connection setting holds a NUL or more than 255 bytes")
        }
        guard !host.isEmpty, (1...65_535).contains(port) else { throw AMQPError(.invalidArgument, "host or port is missing") }
        guard (0...3_600).contains(heartbeatSeconds), (1...86_400_000).contains(tcpUserTimeoutMilliseconds) else {
            throw AMQPError(.invalidArgument, "heartbeatSeconds or tcpUserTimeoutMilliseconds is out of range")
        }
        guard (0.001...86_400).contains(connectTimeoutSeconds), (0.001...86_400).contains(rpcTimeoutSeconds) else {
            throw AMQPError(.invalidArgument, "a time-out is out of range")
        }
        // 8 KiB leave room for a message's own properties beside its headers; 4,096 is the least AMQP allows.
        guard (8_192...1 << 24).contains(frameBytesMax) else {
            throw AMQPError(.invalidArgument, "frameBytesMax is not within 8192 and 16777216")
        }
    }
}

extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the password, also where a logger or a debugger reflects.
    public var description: String { "amqp://\(host):\(port)" }
    public var debugDescription: String { "amqp://\(user)@\(host):\(port) vhost \(virtualHost)" }
    public var customMirror: Mirror { Mirror(self, children: ["address": debugDescription]) }
}
