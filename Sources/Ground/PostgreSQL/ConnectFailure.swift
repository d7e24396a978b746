/// Reasons for a failed connection, in our own words. libpq has no codes for them, only text that contains hosts and
/// users. Known phrases are searched in that text; anything else is left out.
enum ConnectFailure {
    /// Each reason once, in the order of the hosts; nil if none is known.
    static func reason(in message: String) -> String? {
        var found: [String] = []
        for line in message.split(separator: "\n") {
            guard let reason = reasons.first(where: { line.contains($0.phrase) })?.reason, !found.contains(reason)
            else { continue }
            found.append(reason)
        }
        return found.isEmpty ? nil : found.joined(separator: "; ")
    }

    /// The SQLSTATE of the last host's refusal: with verbose errors libpq writes `FATAL:  28P01: …`.
    static func sqlState(in message: String) -> String? {
        message.matches(of: #/:\s+((?=[A-Z]*[0-9])[0-9A-Z]{5}):\s/#).last.map { String($0.1) }
    }

    static let readOnly = "the server is read-only"

    private static let reasons: [(phrase: String, reason: String)] = [
        ("does not match host name", "the server's certificate is for another host"),
        (
            "certificate verify failed",
            """
            the server's certificate is expired, not yet valid, revoked, or signed by an unknown authority
            """
        ),
        ("alert certificate revoked", "the server refuses our certificate, which is revoked"),
        ("alert certificate expired", "the server refuses our certificate, which is expired"),
        ("alert unknown ca", "the server refuses our certificate, whose authority it does not know"),
        ("does not support SSL", "the server does not speak TLS"),
        ("requires a valid client certificate", "the server wants a client certificate"),
        ("certificate authentication failed", "the client certificate is for another user"),
        ("SSL error", "TLS failed"),
        ("certificate file", "a certificate or key file cannot be used"),
        ("private key file", "a certificate or key file cannot be used"),
        ("password authentication failed", "the user or the password is wrong"),
        ("no password supplied", "the server wants a password"),
        ("no pg_hba.conf entry", "the server does not admit this user from here"),
        ("pg_hba.conf rejects", "the server does not admit this user from here"),
        ("too many clients", "the server has no connection left"),
        ("too many connections", "the server has no connection left"),
        ("remaining connection slots", "the server has no connection left"),
        ("the database system is", "the server is starting or stopping"),
        ("session is read-only", readOnly),
        ("session is not read-only", "the server is not read-only"),
        ("is in hot standby mode", "the server is a standby"),
        ("is not in hot standby mode", "the server is not a standby"),
        ("timeout expired", "the server did not answer in time"),
        ("Connection refused", "refused"),
        ("could not translate host name", "the host's name cannot be resolved"),
        ("server closed the connection", "the server hung up"),
        ("unsupported startup parameter", SessionGuard.pooler),
        ("does not exist", "the user or the database does not exist"),
    ]
}
