import CRabbitMQ

/// How a TLS connection (1.2 or newer) authenticates the broker and the client. Files are in PEM.
public struct TLSSettings: Sendable, Equatable {
    /// The authorities accepted for the broker's certificate; nil: those that the system trusts.
    public var authorityFile: String?
    /// The lists of revoked certificates of all authorities on the broker's chain; nil: no certificate is taken for
    /// revoked. With a list, the broker is refused if the list of one of its authorities is missing or over.
    public var revocationFile: String?
    /// The client's certificate, followed by the intermediate certificates, for a broker that asks for one.
    public var certificateFile: String?
    /// The key of the client's certificate, not encrypted.
    public var keyFile: String?
    /// The name that the broker's certificate must contain, also sent to the broker; nil: the host of the connection.
    public var serverName: String?
    /// False: any certificate of any host is accepted. The connection is then safe from listeners only.
    public var verifiesPeer = true

    public init(
        authorityFile: String? = nil, revocationFile: String? = nil, certificateFile: String? = nil,
        keyFile: String? = nil, serverName: String? = nil, verifiesPeer: Bool = true
    ) {
        self.authorityFile = authorityFile
        self.revocationFile = revocationFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.serverName = serverName
        self.verifiesPeer = verifiesPeer
    }

    func validate() throws(AMQPError) {
        let texts = [authorityFile, revocationFile, certificateFile, keyFile, serverName].compactMap(\.self)
        guard !texts.contains(where: { $0.isEmpty || $0.utf8.contains(0) }), serverName?.utf8.count ?? 0 <= 255 else {
            throw AMQPError(
                .invalidArgument, "a TLS setting is empty, holds a NUL, or is a name of more than 255 bytes")
        }
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw AMQPError(.invalidArgument, "a certificate file and a key file need each other")
        }
        guard revocationFile == nil || verifiesPeer else {
            throw AMQPError(.invalidArgument, "a revocation list needs a peer that is verified")
        }
    }

    /// The same settings with converted paths.
    public func mapFiles(_ path: (String) -> String) -> TLSSettings {
        var settings = self
        settings.authorityFile = authorityFile.map(path)
        settings.revocationFile = revocationFile.map(path)
        settings.certificateFile = certificateFile.map(path)
        settings.keyFile = keyFile.map(path)
        return settings
    }
}

/// When the contents of a PEM file end.
public struct CertificateDates: Sendable, Equatable {
    /// Of its certificates, the first end, in seconds since 1970; nil if it holds none.
    public let certificateEnd: Int64?
    /// Of its revocation lists, the first time at which a newer one is due; nil if it holds none.
    public let revocationsEnd: Int64?

    /// Nil for a file that cannot be read.
    public init?(ofFile path: String) {
        var (certificate, revocations): (Int64, Int64) = (-1, -1)
        guard rmq_pem_ends(path, &certificate, &revocations) == 1 else { return nil }
        certificateEnd = certificate < 0 ? nil : certificate
        revocationsEnd = revocations < 0 ? nil : revocations
    }
}

/// The TLS state of one connection, shared with OpenSSL's callbacks. It outlives the library's handle.
final class TLSSession {
    private let shared: UnsafeMutablePointer<rmq_tls>

    init() {
        shared = .allocate(capacity: 1)
        shared.initialize(to: rmq_tls())
    }

    deinit {
        shared.deallocate()
    }

    var showsCertificate: Bool { shared.pointee.shows_certificate == 1 }

    /// Why the broker refuses our certificate; nil if it says nothing. To be asked after the handshake, before anything
    /// is sent.
    func verdict(on descriptor: Int32, within seconds: Double) -> String? {
        rmq_tls_hear_verdict(shared, descriptor, Int32(seconds * 1_000))
        return failureReason
    }

    /// Why TLS failed just now on this thread; nil if it did not fail.
    var failureReason: String? { rmq_tls_reason(shared).map { String(cString: $0) } }

    /// A socket for `handle` that accepts only the broker on `host` as its peer. The socket belongs to the handle.
    func makeSocket(
        for handle: amqp_connection_state_t, _ settings: TLSSettings, host: String
    ) throws(AMQPError) -> OpaquePointer {
        guard let socket = amqp_ssl_socket_new(handle) else { throw AMQPError(.tlsFailed, "OpenSSL did not start") }
        let name = settings.serverName ?? host
        let isAddress = Resolver.isAddress(name)
        if !isAddress {
            withUnsafeMutableBytes(of: &shared.pointee.server_name) {
                $0.copyBytes(from: name.utf8.prefix($0.count - 1))
            }
        }
        guard rmq_tls_prepare(socket, shared, name, isAddress ? 1 : 0, settings.verifiesPeer ? 1 : 0) == 1 else {
            throw unusable("TLS 1.2 or the name to expect")
        }
        guard !settings.verifiesPeer || rmq_tls_trust(socket, settings.authorityFile) == 1 else {
            throw unusable("the file of authorities \(settings.authorityFile ?? "of the system")")
        }
        if let revocations = settings.revocationFile, rmq_tls_refuse_revoked(socket, revocations) != 1 {
            throw unusable("the file of revoked certificates \(revocations)")
        }
        if let certificates = settings.certificateFile, let key = settings.keyFile {
            guard rmq_tls_present(socket, certificates, key) == 1 else {
                throw unusable("the certificate \(certificates) or its key \(key)")
            }
        }
        return socket
    }

    private func unusable(_ what: String) -> AMQPError {
        AMQPError(.invalidArgument, "OpenSSL cannot use \(what)", tlsReason: failureReason)
    }
}
