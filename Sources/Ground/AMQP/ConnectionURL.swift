extension ConnectionSettings {
    /// Reads `amqp://user:password@host:port,host:port/vhost?parameter=value&…`, each part percent-encoded where
    /// needed; `amqps` for TLS. The defaults are port 5672 (`amqps`: 5671), vhost `/` and the broker's own `guest`.
    ///
    /// The parameters are RabbitMQ's own: `heartbeat` (seconds), `connection_timeout` (milliseconds),
    /// `auth_mechanism` (`plain` or `external`), and with `amqps` `cacertfile`, `certfile`, `keyfile`, `verify`
    /// (`verify_peer` or `verify_none`) and `server_name_indication`; ours is `crlfile`. Throws `invalidArgument`. The
    /// error does not repeat the URL, because it holds a password.
    public init(url: String) throws(AMQPError) {
        let isTLS = url.hasPrefix("amqps://")
        guard isTLS || url.hasPrefix("amqp://") else { throw Self.wrong("does not begin with amqp:// or amqps://") }
        guard !url.contains("#") else { throw Self.wrong("has a fragment") }
        let parts = url.drop { $0 != "/" }.dropFirst(2).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let place = parts.first ?? ""
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        let authority = place[..<slash]
        let path = place[slash...].dropFirst()

        let at = authority.lastIndex(of: "@")
        let credentials = at.map { authority[..<$0] } ?? "guest:guest"
        let addresses = at.map { authority[authority.index(after: $0)...] } ?? authority
        let colon = credentials.firstIndex(of: ":") ?? credentials.endIndex

        var endpoints: [Endpoint] = []
        for address in addresses.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try Self.endpoint(address, port: isTLS ? 5671 : 5672))
        }
        guard let first = endpoints.first else { throw Self.wrong("names no host") }
        self.init(
            host: first.host, port: first.port,
            virtualHost: path.isEmpty ? "/" : try Self.decoded(path, "virtual host"),
            user: try Self.decoded(credentials[..<colon], "user"),
            password: try Self.decoded(credentials[colon...].dropFirst(), "password"))
        alternatives = Array(endpoints.dropFirst())
        if isTLS { tls = TLSSettings() }
        if parts.count == 2 {
            for parameter in parts[1].split(separator: "&") { try take(parameter) }
        }
        try validate()
    }

    /// The URL of these settings, as far as a URL can express them, without user and password.
    public var url: String {
        let usual = ConnectionSettings(host: "", user: "", password: "")
        let hosts = endpoints.map { $0.host.contains(":") ? $0.description : "\(Self.encoded($0.host)):\($0.port)" }
        var parameters: [(String, String?)] = [
            ("cacertfile", tls?.authorityFile), ("crlfile", tls?.revocationFile),
            ("certfile", tls?.certificateFile), ("keyfile", tls?.keyFile),
            ("server_name_indication", tls?.serverName), ("verify", tls?.verifiesPeer == false ? "verify_none" : nil),
        ]
        if case .external = authentication { parameters.append(("auth_mechanism", "external")) }
        if heartbeatSeconds != usual.heartbeatSeconds { parameters.append(("heartbeat", String(heartbeatSeconds))) }
        if connectTimeoutSeconds != usual.connectTimeoutSeconds {
            parameters.append(("connection_timeout", String(Int((connectTimeoutSeconds * 1_000).rounded(.up)))))
        }
        let query = parameters.compactMap { name, value in value.map { "\(name)=\(Self.encoded($0, keeping: "/"))" } }
        return (tls == nil ? "amqp://" : "amqps://") + hosts.joined(separator: ",") + "/" + Self.encoded(virtualHost)
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    private mutating func take(_ parameter: Substring) throws(AMQPError) {
        let equals = parameter.firstIndex(of: "=") ?? parameter.endIndex
        let name = parameter[..<equals]
        let value = try Self.decoded(parameter[equals...].dropFirst(), "parameters")
        if ["cacertfile", "crlfile", "certfile", "keyfile", "verify", "server_name_indication"].contains(name),
            tls == nil
        {
            throw Self.wrong("has \(name), which needs amqps://")
        }
        switch (name, value) {
        case ("cacertfile", _): tls?.authorityFile = value
        case ("crlfile", _): tls?.revocationFile = value
        case ("certfile", _): tls?.certificateFile = value
        case ("keyfile", _): tls?.keyFile = value
        case ("server_name_indication", _): tls?.serverName = value
        case ("verify", "verify_peer"): tls?.verifiesPeer = true
        case ("verify", "verify_none"): tls?.verifiesPeer = false
        case ("verify", _): throw Self.wrong("has a verify that is neither verify_peer nor verify_none")
        case ("auth_mechanism", "plain"): authentication = .plain
        case ("auth_mechanism", "external"): authentication = .external
        case ("auth_mechanism", _): throw Self.wrong("has an auth_mechanism that is neither plain nor external")
        case ("heartbeat", _): heartbeatSeconds = try Self.number(value, "heartbeat")
        case ("connection_timeout", _):
            connectTimeoutSeconds = Double(try Self.number(value, "connection_timeout")) / 1_000
        default: throw Self.wrong("has a parameter that is not known here")
        }
    }

    private static func wrong(_ what: String) -> AMQPError { AMQPError(.invalidArgument, "the URL \(what)") }

    private static func endpoint(_ address: Substring, port defaultPort: Int) throws(AMQPError) -> Endpoint {
        var host = address
        var portText: Substring?
        if address.hasPrefix("["), let bracket = address.firstIndex(of: "]") {
            host = address[address.index(after: address.startIndex)..<bracket]
            let after = address[address.index(after: bracket)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw wrong("has text after ]") }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = address.lastIndex(of: ":") {
            host = address[..<colon]
            portText = address[address.index(after: colon)...]
        }
        guard !host.isEmpty else { throw wrong("names no host") }
        let name = try decoded(host, "host")
        guard let portText else { return Endpoint(host: name, port: defaultPort) }
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw wrong("has a port that is not within 1 to 65535")
        }
        return Endpoint(host: name, port: port)
    }

    private static func number(_ text: String, _ name: String) throws(AMQPError) -> Int {
        guard let number = Int(text), number >= 0 else { throw wrong("has a \(name) that is no whole number") }
        return number
    }

    private static func encoded(_ text: String, keeping kept: String = "") -> String {
        text.utf8.map { byte -> String in
            let character = Character(UnicodeScalar(byte))
            let isPlain =
                character.isASCII && (character.isLetter || character.isNumber) || ("-._~" + kept).contains(character)
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    private static func decoded(_ text: Substring, _ part: String) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                throw wrong("has a bad percent escape in its \(part)")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw wrong("has a \(part) that is not text")
        }
        return decoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
