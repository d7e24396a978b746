import CRabbitMQ
import Glibc

/// One connected and logged-in handle of the library.
struct Link {
    let handle: amqp_connection_state_t
    let tls: TLSSession?
    let endpoint: Endpoint
}

extension Link {
    /// Tries the hosts in order, or shuffled, and each address of a host, until the broker accepts the login. Each host
    /// has the whole connect timeout, shared by its addresses. If the broker itself refuses the user, the password or
    /// the virtual host, the search ends: the other hosts would refuse them too.
    static func open(_ settings: ConnectionSettings, _ arena: Arena) throws(AMQPError) -> Link {
        var failures: [(endpoint: Endpoint, error: AMQPError)] = []
        for endpoint in settings.shufflesHosts ? settings.endpoints.shuffled() : settings.endpoints {
            do throws(AMQPError) {
                return try open(endpoint, settings, arena)
            } catch {
                if settings.endpoints.count == 1 || error.holdsForEveryHost { throw error }
                failures.append((endpoint, error))
            }
        }
        throw AMQPError.noneOf(failures)
    }

    private static func open(
        _ endpoint: Endpoint, _ settings: ConnectionSettings, _ arena: Arena
    ) throws(AMQPError) -> Link {
        let deadline = Deadline(in: settings.connectTimeoutSeconds)
        let addresses = try Resolver.addresses(of: endpoint.host, within: deadline.secondsLeft)
        var first: AMQPError?
        for (index, address) in addresses.enumerated() {
            do throws(AMQPError) {
                // A first address that never answers must leave time for the next.
                let share = Deadline(in: deadline.secondsLeft / Double(addresses.count - index))
                return try open(endpoint, address, share, settings, arena)
            } catch {
                if error.holdsForEveryHost { throw error }
                first = first ?? error
            }
        }
        throw first ?? AMQPError(.connectFailed, "the host name has no address")
    }

    private static func open(
        _ endpoint: Endpoint, _ address: String, _ deadline: Deadline, _ settings: ConnectionSettings, _ arena: Arena
    ) throws(AMQPError) -> Link {
        guard let handle = amqp_new_connection() else { throw AMQPError(.connectFailed, "no memory") }
        let link = Link(handle: handle, tls: settings.tls.map { _ in TLSSession() }, endpoint: endpoint)
        do throws(AMQPError) {
            try link.connect(to: address, deadline, settings)
            try link.logIn(deadline, settings, arena)
        } catch {
            amqp_destroy_connection(handle)
            guard error.tlsReason == brokenOff, link.tls?.showsCertificate == true else { throw error }
            throw refusal(by: endpoint, address, deadline, settings) ?? error
        }
        return link
    }

    private static let brokenOff = "broken off by the broker"

    /// The broker's reason for refusing our certificate. With TLS 1.3 it comes after the handshake, and is lost if we
    /// have sent something meanwhile; so this connects once more, and only listens.
    private static func refusal(
        by endpoint: Endpoint, _ address: String, _ deadline: Deadline, _ settings: ConnectionSettings
    ) -> AMQPError? {
        guard let handle = amqp_new_connection() else { return nil }
        defer { amqp_destroy_connection(handle) }
        let tls = TLSSession()
        let link = Link(handle: handle, tls: tls, endpoint: endpoint)
        guard (try? link.connect(to: address, deadline, settings)) != nil,
            let reason = tls.verdict(on: amqp_get_sockfd(handle), within: min(1, deadline.secondsLeft))
        else { return nil }
        return AMQPError(.tlsFailed, "no TLS with the broker", tlsReason: reason)
    }

    private func connect(to address: String, _ deadline: Deadline, _ settings: ConnectionSettings) throws(AMQPError) {
        let socket: OpaquePointer
        if let tls, let wanted = settings.tls {
            socket = try tls.makeSocket(for: handle, wanted, host: endpoint.host)
        } else {
            guard let plain = amqp_tcp_socket_new(handle) else { throw AMQPError(.connectFailed, "no memory") }
            socket = plain
        }
        var timeout = timeval(seconds: deadline.secondsLeft)
        let status = amqp_socket_open_noblock(socket, address, Int32(endpoint.port), &timeout)
        guard status == AMQP_STATUS_OK.rawValue else { throw failure(status) }
        _ = rmq_set_tcp_user_timeout(amqp_get_sockfd(handle), UInt32(settings.tcpUserTimeoutMilliseconds))
    }

    private func logIn(_ deadline: Deadline, _ settings: ConnectionSettings, _ arena: Arena) throws(AMQPError) {
        var timeout = timeval(seconds: deadline.secondsLeft)
        amqp_set_handshake_timeout(handle, &timeout)
        // Opening the virtual host is a separate call after the handshake.
        amqp_set_rpc_timeout(handle, &timeout)
        defer { arena.recycle() }
        var properties = try arena.table(Self.clientProperties(settings), bytesMax: 4_096)
        // A broker that authenticates by certificate ignores the name, but the library cannot send an empty one.
        let isExternal = settings.authentication == .external
        let reply = rmq_login(
            handle, settings.virtualHost, AMQP_DEFAULT_MAX_CHANNELS, Int32(settings.frameBytesMax),
            Int32(settings.heartbeatSeconds), &properties, isExternal && settings.user.isEmpty ? "-" : settings.user,
            isExternal ? nil : settings.password)
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION where reply.reply.id == rmq_connection_close:
            var refusal = AMQPError(connectionClosed: reply.reply)
            if refusal.replyCode == UInt16(AMQP_ACCESS_REFUSED) { refusal.code = .authenticationFailed }
            throw refusal
        default: throw failure(reply.library_error)
        }
    }

    private func failure(_ status: Int32) -> AMQPError {
        switch amqp_status_enum(status) {
        case AMQP_STATUS_TIMEOUT: return AMQPError(status: status, else: .connectFailed)
        case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD: return AMQPError(status: status, else: .authenticationFailed)
        default: break
        }
        if let tls,
            let reason = tls.failureReason
                ?? (status == AMQP_STATUS_SSL_ERROR.rawValue ? Self.brokenOff : nil)
        {
            return AMQPError(.tlsFailed, "no TLS with the broker", tlsReason: reason)
        }
        return AMQPError(status: status, else: .connectFailed)
    }

    /// The client's capabilities. Without them the broker sends no negative confirms, no notices of cancelled
    /// consumers and no notices of blocked publishing.
    private static func clientProperties(_ settings: ConnectionSettings) -> FieldTable {
        var properties: FieldTable = [
            "capabilities": .table([
                "publisher_confirms": true, "basic.nack": true, "consumer_cancel_notify": true,
                "connection.blocked": true,
            ])
        ]
        if let name = settings.connectionName { properties["connection_name"] = .string(name) }
        return properties
    }
}

extension AMQPError {
    fileprivate var holdsForEveryHost: Bool {
        code == .authenticationFailed || code == .invalidArgument
            || (code == .connectionClosedByBroker && replyCode == UInt16(AMQP_NOT_ALLOWED))
    }

    /// The first host's error; its detail lists the errors of the others.
    fileprivate static func noneOf(_ failures: [(endpoint: Endpoint, error: AMQPError)]) -> AMQPError {
        guard let first = failures.first?.error else { return AMQPError(.invalidArgument, "no host to connect to") }
        let told = failures.map { "\($0.endpoint): \($0.error.debugDescription)" }.joined(separator: "; ")
        return AMQPError(
            first.code, "none of \(failures.count) hosts: \(told)", replyCode: first.replyCode, isConnectionFatal: true,
            tlsReason: first.tlsReason)
    }
}
